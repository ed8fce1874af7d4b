"""Content identifiers: CIDv1 over sha2-256 digests. The chain and the agents keep the 32-byte digest."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Literal

from multiformats import CID

from agents.core.errors import CapabilityInvalid

DIGEST_BYTES = 32
CID_BYTES = 4 + DIGEST_BYTES
LONGEST_CID = 2 + 2 * CID_BYTES
"""Characters: in hexadecimal; in base32 it has 59."""

Codec = Literal["raw", "dag-pb", "dag-cbor"]
CODES: dict[Codec, int] = {"raw": 0x55, "dag-pb": 0x70, "dag-cbor": 0x71}
_PREFIXES = {bytes((1, code, 0x12, DIGEST_BYTES)): codec for codec, code in CODES.items()}
_BASE32_CHARACTERS = 59


@dataclass(frozen=True, slots=True)
class Cid:
    """What a block is and its sha2-256 digest."""

    codec: Codec
    """``raw`` for blocks of files, ``dag-pb`` for nodes of UnixFS trees, ``dag-cbor`` for manifests and block lists."""
    digest: bytes

    def to_bytes(self) -> bytes:
        """The CIDv1, 36 bytes."""
        return bytes((1, CODES[self.codec], 0x12, DIGEST_BYTES)) + self.digest

    def __str__(self) -> str:
        return "b" + base64.b32encode(self.to_bytes()).decode().lower().rstrip("=")


def digest_of(data: bytes | memoryview) -> bytes:
    """sha2-256."""
    return hashlib.sha256(data).digest()


def cid_text(digest: bytes, codec: Codec = "dag-cbor") -> str:
    """The CIDv1 of a digest."""
    return str(Cid(codec, digest))


def cid_of_bytes(data: bytes | memoryview) -> Cid:
    """The CID that 36 bytes are. Raises CapabilityInvalid for another kind of CID."""
    codec = _PREFIXES.get(bytes(data[:4]))
    if codec is None or len(data) != CID_BYTES:
        raise CapabilityInvalid(
            f"{bytes(data[:CID_BYTES]).hex()} is no CID of a block here",
            "blocks are named by CIDv1: sha2-256 of raw, dag-pb or dag-cbor",
        )
    return Cid(codec, bytes(data[4:]))


def parse_cid(text: str) -> Cid:
    """The CID in ``text``, of version 1 in any base or of version 0. Raises CapabilityInvalid for a typo or another kind."""
    if len(text) == _BASE32_CHARACTERS and text[0] == "b":  # what everybody writes; the rest takes ten times as long
        try:
            data = base64.b32decode(text[1:].upper() + "======")
        except ValueError:
            data = b""
        if data[:4] in _PREFIXES and (cid := cid_of_bytes(data)) and str(cid) == text:
            return cid
    try:
        if len(text) > LONGEST_CID:
            raise ValueError(f"it has {len(text)} characters")
        found = CID.decode(text)
        codec, kind, digest = found.codec.name, found.hashfun.name, bytes(found.raw_digest)
    except Exception as error:  # for a typo the library raises errors of many kinds, ImportError among them
        raise CapabilityInvalid(
            f"{text[:LONGEST_CID]!r} is not a CID ({_first_line(error)})",
            "the CID that `store` prints begins with bafyrei, a capability with hold1",
            "Copy it again, whole.",
        ) from None
    if codec not in CODES or kind != "sha2-256" or len(digest) != DIGEST_BYTES:
        raise CapabilityInvalid(
            f"{text!r} is not the CID of a block here", f"it is of {codec}, {kind}", "Copy the CID `store` printed."
        )
    return Cid(codec, digest)


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def digest_of_cid(text: str, codec: Codec = "dag-cbor") -> bytes:
    """The digest in a CID of that codec. Raises CapabilityInvalid for a typo or another kind of CID."""
    cid = parse_cid(text.strip())
    if cid.codec != codec:
        raise CapabilityInvalid(
            f"{text!r} is not the CID of a manifest",
            f"it is of {cid.codec}; IPFS knows public files by such CIDs, and the market by those of their manifests",
            "Copy the CID `store` printed, which begins with bafyrei.",
        )
    return cid.digest
