"""The manifest: everything public about a stored file, as dag-cbor. Its digest is what the chain keeps.

Decoding is strict: whoever hosts a manifest may not be its author, and a size in it decides how much is fetched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dag_cbor

from agents.core.dataset.cid import DIGEST_BYTES, Cid, digest_of
from agents.core.dataset.cipher import BLOCK_BYTES, public_name
from agents.core.errors import ManifestInvalid
from agents.core.market.types import MAX_SLOTS, Ask, Content
from agents.core.proofs.field import SCALAR_ORDER
from agents.core.proofs.profiles import PROFILES, Profile
from agents.core.proofs.trees import dataset_tree, root

CODE = "rs16"
"""The code across slots (erasure.py here) and within them (slot_code.py), its symbols as in agents/kernels/gf16.py."""
UNCODED, CODED, PUBLIC = 1, 2, 3
"""Versions: slots of data alone, and zfec across them; slots with parity of their own; and the same for a public file, whose
name and UnixFS root the manifest carries and whose sealed bytes are its own. Whoever wrote a manifest chose its name and root:
reading.py compares the root with the blocks."""
_FIELDS = {UNCODED: 9, CODED: 11, PUBLIC: 13}
MAX_MANIFEST_BYTES = 64 * 1024
MAX_BLOCKS_PER_SLOT = 1 << 20
"""64 GiB a slot: a block list of 32 MiB."""
MAX_BLOCK_LIST_BYTES = MAX_BLOCKS_PER_SLOT * (DIGEST_BYTES + 2) + 16


@dataclass(frozen=True)
class SlotEntry:
    """One slot in the manifest."""

    blocks: bytes
    """sha2-256 digest of its block list."""
    root: int
    """Poseidon2 root of its cells."""


@dataclass(frozen=True)
class Manifest:
    """How a file became slots."""

    profile: str
    """Circuit profile its slots are proven under."""
    data_slots: int
    """k."""
    parity_slots: int
    """m."""
    data_blocks: int
    """Blocks of each slot that hold the file, or parity over the slots."""
    parity_blocks: int
    """Blocks behind them, made of them; 0 in version 1."""
    size: int
    """Bytes of the sealed file; what follows in the data slots is zeros."""
    encrypted: bool
    slots: tuple[SlotEntry, ...]
    dataset_root: int
    name: str = ""
    """Of a public file of version 3, harmless; of others it is in the sealed file."""
    unixfs: bytes = b""
    """sha2-256 digest of a public file's UnixFS root (unixfs.py); empty before version 3, and for encrypted files."""

    @property
    def version(self) -> int:
        """It says which codes the slots are made with, and what the sealed file is."""
        if self.unixfs:
            return PUBLIC
        return CODED if self.parity_blocks else UNCODED

    @property
    def blocks(self) -> int:
        """Blocks of the sealed file."""
        return -(-self.size // BLOCK_BYTES)

    @property
    def ipfs(self) -> Cid | None:
        """What IPFS knows a public file by."""
        if not self.unixfs:
            return None
        return Cid("raw" if self.blocks == 1 else "dag-pb", self.unixfs)

    @property
    def blocks_per_slot(self) -> int:
        """All blocks of a slot: its root and its block list are of all of them."""
        return self.data_blocks + self.parity_blocks

    @property
    def data_bytes(self) -> int:
        """Bytes of a slot that travel: the rest is made where they arrive."""
        return self.data_blocks * BLOCK_BYTES

    @property
    def slot_bytes(self) -> int:
        """Bytes of one slot, as stored and billed."""
        return self.blocks_per_slot * BLOCK_BYTES

    def to_bytes(self) -> bytes:
        """dag-cbor."""
        coded = {"parity": self.parity_blocks, "code": CODE} if self.parity_blocks else {}
        public = {"name": self.name, "unixfs": self.unixfs} if self.unixfs else {}
        return bytes(
            dag_cbor.encode(
                {
                    "version": self.version,
                    "profile": self.profile,
                    "k": self.data_slots,
                    "m": self.parity_slots,
                    "blocks": self.data_blocks,
                    **coded,
                    **public,
                    "size": self.size,
                    "encrypted": self.encrypted,
                    "slots": [[slot.blocks, slot.root.to_bytes(32, "big")] for slot in self.slots],
                    "root": self.dataset_root.to_bytes(32, "big"),
                }
            )
        )

    @property
    def digest(self) -> bytes:
        """What the chain keeps of it."""
        return digest_of(self.to_bytes())


def _invalid(why: str) -> ManifestInvalid:
    return ManifestInvalid("The manifest is not valid", why, "Whoever sent it lies or is broken: ask another host.")


def parse_manifest(data: bytes) -> Manifest:
    """A manifest whose every field fits every other. Raises ManifestInvalid."""
    if len(data) > MAX_MANIFEST_BYTES:
        raise _invalid(f"it has {len(data)} bytes, more than {MAX_MANIFEST_BYTES}")
    fields = _decoded(data)
    version = fields.get("version")
    if type(version) is not int or version not in _FIELDS:
        raise _invalid(f"its version is {version!r}; this program reads versions {UNCODED} to {PUBLIC}")
    if version != UNCODED and fields.get("code") != CODE:
        raise _invalid(f"its code within a slot, {fields.get('code')!r}, is not known here")
    manifest = Manifest(
        profile=_typed(fields, "profile", str),
        data_slots=_typed(fields, "k", int),
        parity_slots=_typed(fields, "m", int),
        data_blocks=_typed(fields, "blocks", int),
        parity_blocks=_typed(fields, "parity", int) if version != UNCODED else 0,
        size=_typed(fields, "size", int),
        encrypted=_typed(fields, "encrypted", bool),
        slots=tuple(_entry(entry) for entry in _typed(fields, "slots", list)),
        dataset_root=_root(_typed(fields, "root", bytes)),
        name=_typed(fields, "name", str) if version == PUBLIC else "",
        unixfs=_typed(fields, "unixfs", bytes) if version == PUBLIC else b"",
    )
    if len(fields) != _FIELDS[version]:
        raise _invalid("it has fields nobody knows")
    if version != UNCODED and manifest.parity_blocks < 1:
        raise _invalid(f"its slots have {manifest.parity_blocks} blocks of parity")
    if version == PUBLIC:
        _check_public(manifest)
    _check(manifest)
    if manifest.to_bytes() != data:
        raise _invalid("it is not in canonical form")
    return manifest


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        fields = dag_cbor.decode(data)
    except Exception as error:  # the decoder has errors of many kinds for hostile bytes
        raise _invalid(f"it is not dag-cbor ({type(error).__name__})") from None
    if not isinstance(fields, dict):
        raise _invalid("it is not a map")
    return dict(fields)


def _typed(fields: dict[str, Any], name: str, kind: type) -> Any:
    value = fields.get(name)
    if type(value) is not kind:
        raise _invalid(f"its field {name!r} is missing or of the wrong type")
    return value


def _root(data: object) -> int:
    if not isinstance(data, bytes) or len(data) != 32 or not 0 < int.from_bytes(data, "big") < SCALAR_ORDER:
        raise _invalid("a root in it is no element of the field")
    return int.from_bytes(data, "big")


def _entry(entry: object) -> SlotEntry:
    if (
        not isinstance(entry, list)
        or len(entry) != 2
        or not isinstance(entry[0], bytes)
        or len(entry[0]) != DIGEST_BYTES
    ):
        raise _invalid("a slot in it has no digest")
    return SlotEntry(entry[0], _root(entry[1]))


def _check_public(manifest: Manifest) -> None:
    if manifest.encrypted:
        raise _invalid("it is of a public file and says that it is encrypted")
    if manifest.name != public_name(manifest.name):
        raise _invalid("the file's name in it is empty, too long, or could do harm")
    if len(manifest.unixfs) != DIGEST_BYTES:
        raise _invalid("its UnixFS root is no digest")


def _check(manifest: Manifest) -> None:
    if manifest.profile not in PROFILES:
        raise _invalid(f"its circuit profile {manifest.profile!r} is not known here")
    k, m, count = manifest.data_slots, manifest.parity_slots, manifest.data_slots + manifest.parity_slots
    profile: Profile = PROFILES[manifest.profile]
    if k < 1 or m < 0 or not 2 <= count <= min(MAX_SLOTS, profile.max_slots) or len(manifest.slots) != count:
        raise _invalid(f"it has {len(manifest.slots)} slots for k = {k}, m = {m}")
    if manifest.data_blocks < 1 or manifest.blocks_per_slot > min(MAX_BLOCKS_PER_SLOT, profile.max_blocks):
        raise _invalid(f"its slots have {manifest.blocks_per_slot} blocks, which its profile cannot prove")
    smallest = (manifest.data_blocks - 1) * k * BLOCK_BYTES
    if not smallest < manifest.size <= k * manifest.data_bytes:
        raise _invalid("its size does not fit its slots")
    if root(dataset_tree([slot.root for slot in manifest.slots])) != manifest.dataset_root:
        raise _invalid("its dataset root is not that of its slots")


def check_bought(manifest: Manifest, ask: Ask, content: Content, profile: str) -> None:
    """Raises ManifestInvalid unless ``manifest`` is what a request on a market of ``profile`` bought storage for.

    A request is its client's word alone: one that names another dataset root or other sizes than its manifest can be
    reserved, but never be proven.
    """
    compared = (
        ("content", content.cid.hex(), manifest.digest.hex()),
        ("dataset root", content.root, manifest.dataset_root),
        ("slot size", ask.slot_size, manifest.slot_bytes),
        ("number of slots", ask.slots, len(manifest.slots)),
        ("number of slots that may be lost", ask.max_slot_loss, manifest.parity_slots),
        ("circuit profile", profile, manifest.profile),
    )
    for name, bought, found in compared:
        if bought != found:
            raise ManifestInvalid(
                "The manifest is not what the request pays for",
                f"its {name} is {found}, the request's is {bought}",
                "Nobody can prove such slots: post the request again for the file's own manifest.",
            )


def block_list(digests: Sequence[bytes]) -> bytes:
    """A slot's block list: the dag-cbor list of its blocks' digests."""
    return bytes(dag_cbor.encode(list(digests)))


def block_list_bytes(count: int) -> int:
    """Bytes of the list of ``count`` blocks."""
    head = 1 if count < 24 else 2 if count < 1 << 8 else 3 if count < 1 << 16 else 5
    return head + (2 + DIGEST_BYTES) * count


def parse_block_list(data: bytes, entry: SlotEntry, count: int) -> list[bytes]:
    """The digests in a block list that is the manifest's and has ``count`` blocks. Raises ManifestInvalid."""
    if len(data) > MAX_BLOCK_LIST_BYTES or digest_of(data) != entry.blocks:
        raise _invalid("the block list is not the one it names")
    try:
        digests = dag_cbor.decode(data)
    except Exception as error:  # as above
        raise _invalid(f"the block list is not dag-cbor ({type(error).__name__})") from None
    if not isinstance(digests, list) or len(digests) != count:
        raise _invalid("the block list has another number of blocks")
    found = [digest for digest in digests if isinstance(digest, bytes) and len(digest) == DIGEST_BYTES]
    if len(found) != count:
        raise _invalid("the block list holds something that is no digest")
    return found
