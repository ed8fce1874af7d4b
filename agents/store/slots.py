"""Slots on disk: arriving block by block, committed whole, read at random.

::

    slots/<manifest digest>-<index>/      held: manifest, blocks, data, tree
    arriving/<manifest digest>-<index>/   on the way: manifest, blocks, data so far
    damaged/<manifest digest>-<index>/    set aside: its manifest is not the one it is named after

A slot moves from one to the other by rename, after its root was checked and its bytes were flushed, so a kill at any moment
leaves it in one of the two. Names are hexadecimal digests and numbers: nothing a peer says becomes a path.
"""

import logging
import os
import shutil
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from agents.core.dataset.cid import digest_of
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest, parse_block_list, parse_manifest
from agents.core.dataset.slots import SlotTree, slot_facts, slot_tree
from agents.core.errors import BadData, Corrupt, NotFound, QuotaExceeded, StorageTrouble
from agents.core.proofs.inputs import Opening, SlotFacts
from agents.core.proofs.profiles import profile_named
from agents.core.proofs.trees import block_roots
from agents.store.files import lock_folder, storage_errors, sync_folder, write_whole

log = logging.getLogger(__name__)

BATCH_BLOCKS = 128
"""Blocks hashed at a time: 8 MiB."""
NODE_BYTES = 32
"""One block's root in the file ``tree``."""


@dataclass(frozen=True, order=True)
class SlotName:
    """Which slot of which dataset."""

    manifest: bytes
    index: int

    def __str__(self) -> str:
        return f"{self.manifest.hex()}-{self.index}"


def parse_name(text: str) -> SlotName | None:
    """The slot a folder is named after, or None for another folder."""
    digest, _, index = text.partition("-")
    try:
        name = SlotName(bytes.fromhex(digest), int(index))
    except ValueError:
        return None
    return name if str(name) == text else None


class SlotFolder:
    """What both kinds of folder have in common."""

    def __init__(self, path: Path, name: SlotName) -> None:
        self.path = path
        self.name = name

    @cached_property
    def manifest(self) -> Manifest:
        """The dataset's manifest. Raises Corrupt where the disk has changed it, StorageTrouble."""
        with storage_errors(self.path):
            data = (self.path / "manifest").read_bytes()
        if digest_of(data) != self.name.manifest:
            raise Corrupt(f"The manifest of slot {self.name} is damaged on disk")
        return parse_manifest(data)

    @cached_property
    def digests(self) -> list[bytes]:
        """The slot's blocks, in order."""
        entry = self.manifest.slots[self.name.index]
        with storage_errors(self.path):
            data = (self.path / "blocks").read_bytes()
        return parse_block_list(data, entry, self.manifest.blocks_per_slot)

    @property
    def has_blocks(self) -> bool:
        """Whether the block list is there."""
        return (self.path / "blocks").exists()

    def read(self, start: int, count: int) -> list[bytes]:
        """Blocks from ``start``, as they are on disk. Raises StorageTrouble, Corrupt for a file that is too short."""
        with storage_errors(self.path), (self.path / "data").open("rb") as file:
            file.seek(start * BLOCK_BYTES)
            blocks = [file.read(BLOCK_BYTES) for _ in range(count)]
        if any(len(block) != BLOCK_BYTES for block in blocks):
            raise Corrupt(f"Slot {self.name} is cut short on disk", "", "It will be repaired by the market.")
        return blocks

    def hashed(self) -> SlotTree:
        """The tree over the blocks on disk. Raises Corrupt unless they make the manifest's root, StorageTrouble."""
        profile, count = profile_named(self.manifest.profile), self.manifest.blocks_per_slot
        parts = []
        for start in range(0, count, BATCH_BLOCKS):
            blocks = self.read(start, min(BATCH_BLOCKS, count - start))
            parts.append(block_roots(b"".join(blocks), profile.cell_bytes, BLOCK_BYTES))
        tree = SlotTree(profile, np.concatenate(parts))
        slot_facts(self.manifest, self.name.index, tree)
        return tree


class HeldSlot(SlotFolder):
    """A slot that is here whole. It is what the proving service reads."""

    @cached_property
    def tree(self) -> SlotTree:
        """Its tree, as kept on disk; where that was damaged, made again from the blocks. Raises Corrupt, StorageTrouble."""
        kept = self._kept_tree()
        if kept is not None:
            return kept
        tree = self.hashed()
        with suppress(StorageTrouble):  # a full disk: it is made again next time
            write_whole(self.path / "tree", tree.to_bytes())
        return tree

    def _kept_tree(self) -> SlotTree | None:
        try:
            data = (self.path / "tree").read_bytes()
        except OSError:
            return None
        if len(data) != self.manifest.blocks_per_slot * NODE_BYTES:
            return None
        tree = slot_tree(profile_named(self.manifest.profile), data)
        return tree if tree.root == self.manifest.slots[self.name.index].root else None

    @cached_property
    def facts(self) -> SlotFacts:
        """What the circuit is told of it."""
        return slot_facts(self.manifest, self.name.index, self.tree)

    def opening(self, cell: int) -> Opening:
        """A cell and its path. Raises Corrupt where the disk has lost it."""
        block, _ = self.tree.place(cell)
        data = self.read(block, 1)[0] if block < self.manifest.blocks_per_slot else bytes(BLOCK_BYTES)
        return self.tree.opening(cell, data)


class ArrivingSlot(SlotFolder):
    """A slot on its way here."""

    def __init__(self, path: Path, name: SlotName) -> None:
        super().__init__(path, name)
        self._held: int | None = None

    def put_blocks(self, block_list: bytes) -> None:
        """Keep the slot's block list. Raises ManifestInvalid, StorageTrouble."""
        parse_block_list(block_list, self.manifest.slots[self.name.index], self.manifest.blocks_per_slot)
        if not self.has_blocks:
            self._held = None  # blocks put before can be told right from wrong now
        write_whole(self.path / "blocks", block_list)

    @property
    def held(self) -> int:
        """Length of the unbroken run of whole blocks; after a restart they are hashed once to be sure."""
        if self._held is None:
            self._held = self._verified()
        return self._held

    def _verified(self) -> int:
        data = self.path / "data"
        if not self.has_blocks or not data.exists():
            return 0
        with data.open("rb") as file:
            for index, digest in enumerate(self.digests):
                if digest_of(file.read(BLOCK_BYTES)) != digest:
                    return index
        return len(self.digests)

    def put_block(self, index: int, block: bytes) -> None:
        """Keep the next block. Raises Corrupt for one that is not the list's, DiskFull, StorageTrouble."""
        self._check_place(index)
        if index > self.held:
            raise Corrupt(f"Block {index} comes too early", f"{self.held} are here", "Send them in order.")
        if len(block) != BLOCK_BYTES or digest_of(block) != self.digests[index]:
            raise Corrupt(f"Block {index} is not the slot's", "its digest is another", "Send it again.")
        self._write(index, block)
        self._held = max(self.held, index + 1)

    def put_unlisted(self, index: int, block: bytes) -> None:
        """Keep a block that was rebuilt while nobody has the slot's block list: once it is put, it tells what is right.

        Raises Corrupt, DiskFull, StorageTrouble.
        """
        self._check_place(index)
        if len(block) != BLOCK_BYTES:
            raise Corrupt(f"Block {index} is not the slot's", f"it has {len(block)} bytes")
        self._write(index, block)

    def _check_place(self, index: int) -> None:
        if not 0 <= index < self.manifest.blocks_per_slot:
            raise Corrupt(f"There is no block {index}", f"the slot has {self.manifest.blocks_per_slot}")

    def _write(self, index: int, block: bytes) -> None:
        with storage_errors(self.path):
            handle = os.open(self.path / "data", os.O_CREAT | os.O_WRONLY, 0o600)
            try:
                written = os.pwrite(handle, block, index * BLOCK_BYTES)
                while written < BLOCK_BYTES:  # a disk that fills up writes a part first
                    written += os.pwrite(handle, block[written:], index * BLOCK_BYTES + written)
            finally:
                os.close(handle)

    def roots(self) -> SlotTree:
        """The tree over the blocks on disk. Raises Corrupt unless all are here and make the manifest's root."""
        if self.held != self.manifest.blocks_per_slot:
            raise Corrupt(f"Slot {self.name} is not whole", f"{self.held} blocks are here", "Send the rest.")
        return self.hashed()


class SlotStore:
    """The slots of one agent below ``folder``, at most ``quota`` bytes of them. Holds the folder's lock until closed."""

    def __init__(self, folder: Path, quota: int) -> None:
        self._lock = lock_folder(folder)
        self._quota = quota
        self._slots, self._arriving, self._damaged = folder / "slots", folder / "arriving", folder / "damaged"
        with storage_errors(folder):
            for place in (self._slots, self._arriving):
                place.mkdir(exist_ok=True, mode=0o700)
        self._open: dict[SlotName, ArrivingSlot] = {}
        self._sizes: dict[SlotName, int] = {}
        self._admitting = threading.Lock()
        self.sweep()
        self._inspect()

    def close(self) -> None:
        """Let the folder go."""
        self._lock.close()

    @staticmethod
    def _names(place: Path) -> list[SlotName]:
        names = (parse_name(path.name) for path in place.iterdir() if (path / "manifest").exists())
        return sorted(name for name in names if name is not None)

    @property
    def held(self) -> list[SlotName]:
        """Slots that are here whole."""
        return self._names(self._slots)

    @property
    def arriving(self) -> list[SlotName]:
        """Slots on their way."""
        return self._names(self._arriving)

    @property
    def used(self) -> int:
        """Bytes promised to slots, here or on their way."""
        return sum(self._sizes[name] for name in [*self.held, *self.arriving] if name in self._sizes)

    @property
    def room(self) -> int:
        """Bytes of quota left."""
        return self._quota - self.used

    def find(self, name: SlotName) -> HeldSlot | None:
        """A slot that is here whole."""
        path = self._slots / str(name)
        return HeldSlot(path, name) if (path / "manifest").exists() else None  # `drop` takes the manifest first

    def slot(self, name: SlotName) -> HeldSlot:
        """The same. Raises NotFound."""
        found = self.find(name)
        if found is None:
            raise NotFound(f"Slot {name.index} of {name.manifest.hex()} is not here")
        return found

    def begin(self, name: SlotName, manifest: bytes) -> ArrivingSlot:
        """Make place for a slot, or go on with it. Raises ManifestInvalid, QuotaExceeded, DiskFull, StorageTrouble."""
        with self._admitting:  # two slots at once must not both be promised the last of the quota
            if name not in self._open:
                self._open[name] = self._admitted(name, manifest)
            return self._open[name]

    def _admitted(self, name: SlotName, manifest: bytes) -> ArrivingSlot:
        path = self._arriving / str(name)
        if not (path / "manifest").exists():
            if digest_of(manifest) != name.manifest:
                raise Corrupt("The manifest is another dataset's", "", "Send the one the request names.")
            parsed = parse_manifest(manifest)
            if not 0 <= name.index < len(parsed.slots):
                raise NotFound(f"The dataset has no slot {name.index}", f"it has {len(parsed.slots)}")
            if parsed.slot_bytes > self.room:
                raise QuotaExceeded(
                    f"A slot of {parsed.slot_bytes} bytes does not fit", f"{max(0, self.room)} bytes of quota are left",
                    "Raise --quota, or wait until other slots end.",
                )  # fmt: skip
            with storage_errors(path):
                path.mkdir(exist_ok=True, mode=0o700)
            write_whole(path / "manifest", manifest)
            self._sizes[name] = parsed.slot_bytes
        return ArrivingSlot(path, name)

    def commit(self, name: SlotName, manifest: bytes = b"") -> HeldSlot:
        """Check the slot's root and hold it. May be repeated. Raises Corrupt, DiskFull, StorageTrouble."""
        held = self.find(name)
        if held is not None:
            return held
        arriving = self.begin(name, manifest)
        tree = arriving.roots()
        target = self._slots / str(name)
        write_whole(arriving.path / "tree", tree.to_bytes())
        with storage_errors(arriving.path):
            with (arriving.path / "data").open("rb") as file:
                os.fsync(file.fileno())
            arriving.path.rename(target)
            sync_folder(self._slots)
            sync_folder(self._arriving)
        self._open.pop(name, None)
        return HeldSlot(target, name)

    def drop(self, name: SlotName) -> None:
        """Forget a slot, here or on its way; unknown ones are no error."""
        self._open.pop(name, None)
        with storage_errors(self._slots):
            for place in (self._slots, self._arriving):
                # The manifest goes first: a folder without one is no slot, so a kill in between leaves only litter.
                (place / str(name) / "manifest").unlink(missing_ok=True)
                shutil.rmtree(place / str(name), ignore_errors=True)

    def _inspect(self) -> None:
        """Learn the sizes of what is here; a slot whose manifest the disk has changed is set aside, the others go on."""
        for place, names in ((self._slots, self.held), (self._arriving, self.arriving)):
            for name in names:
                folder = SlotFolder(place / str(name), name)
                try:
                    self._sizes[name] = folder.manifest.slot_bytes
                except (BadData, StorageTrouble) as error:
                    aside = self._damaged / str(name)
                    log.error("slot %s is set aside in %s and not proven any more: %s", name, aside, error)
                    with storage_errors(aside):
                        self._damaged.mkdir(exist_ok=True, mode=0o700)
                        shutil.rmtree(aside, ignore_errors=True)
                        folder.path.rename(aside)

    def sweep(self) -> None:
        """Remove what a kill left half deleted."""
        for place in (self._slots, self._arriving):
            for path in place.iterdir():
                if not (path / "manifest").exists():
                    shutil.rmtree(path, ignore_errors=True)


def put_all(store: SlotStore, name: SlotName, manifest: bytes, block_list: bytes, blocks: Sequence[bytes]) -> HeldSlot:
    """Hold a slot whose blocks are all in memory."""
    arriving = store.begin(name, manifest)
    arriving.put_blocks(block_list)
    for index in range(arriving.held, len(blocks)):
        arriving.put_block(index, blocks[index])
    return store.commit(name)
