"""One slot's folder on disk: held whole and read at random, or arriving block by block; see agents/store/slots.py."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from agents.core.dataset.cid import digest_of
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest, parse_block_list, parse_manifest
from agents.core.dataset.slot_code import SlotCode, slot_code_of
from agents.core.dataset.slots import SlotTree, slot_facts, slot_tree
from agents.core.errors import Corrupt, StorageTrouble
from agents.core.proofs.inputs import Opening, SlotFacts
from agents.core.proofs.profiles import profile_named
from agents.core.proofs.trees import block_roots
from agents.store.coding import make_parity
from agents.store.files import UNREADABLE, storage_errors, write_at, write_whole

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

    @cached_property
    def code(self) -> SlotCode:
        """The code within the slot."""
        return slot_code_of(self.manifest)

    def read(self, start: int, count: int) -> list[bytes]:
        """Blocks from ``start``, as they are on disk. Raises Corrupt where the disk has lost some, StorageTrouble."""
        with storage_errors(self.path):
            try:
                with (self.path / "data").open("rb") as file:
                    file.seek(start * BLOCK_BYTES)
                    blocks = [file.read(BLOCK_BYTES) for _ in range(count)]
            except OSError as error:
                if error.errno not in UNREADABLE:
                    raise
                raise Corrupt(f"Slot {self.name} cannot be read from disk", error.strerror or str(error)) from error
        if any(len(block) != BLOCK_BYTES for block in blocks):
            raise Corrupt(f"Slot {self.name} is cut short on disk")
        return blocks

    def _batches(self, start: int, stop: int) -> Iterator[list[bytes]]:
        for first in range(start, stop, BATCH_BLOCKS):
            yield self.read(first, min(BATCH_BLOCKS, stop - first))

    def digests_found(self, start: int = 0) -> list[bytes]:
        """Digests of the blocks from ``start`` on, as they are on disk. Raises Corrupt, StorageTrouble."""
        batches = self._batches(start, self.manifest.blocks_per_slot)
        return [digest_of(block) for batch in batches for block in batch]

    def hashed(self) -> SlotTree:
        """The tree over the blocks on disk. Raises Corrupt unless they make the manifest's root, StorageTrouble."""
        profile, count = profile_named(self.manifest.profile), self.manifest.blocks_per_slot
        batches = (b"".join(batch) for batch in self._batches(0, count))
        parts = [block_roots(batch, profile.cell_bytes, BLOCK_BYTES) for batch in batches]
        tree = SlotTree(profile, np.concatenate(parts))
        slot_facts(self.manifest, self.name.index, tree)
        return tree


class HeldSlot(SlotFolder):
    """A slot that is here whole. It is what the proving service reads."""

    @cached_property
    def tree(self) -> SlotTree:
        """Its tree, as kept on disk; where that was damaged, made again from the blocks. Raises Corrupt, StorageTrouble."""
        kept = self.kept_tree()
        if kept is not None:
            return kept
        tree = self.hashed()
        with suppress(StorageTrouble):  # a full disk: it is made again next time
            write_whole(self.path / "tree", tree.to_bytes())
        return tree

    def kept_tree(self) -> SlotTree | None:
        """Its tree as kept on disk, or None where that was damaged."""
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
        self._coded = False

    def put_blocks(self, block_list: bytes) -> None:
        """Keep the slot's block list. Raises ManifestInvalid, StorageTrouble."""
        parse_block_list(block_list, self.manifest.slots[self.name.index], self.manifest.blocks_per_slot)
        if not self.has_blocks:
            self._held = None  # blocks put before can be told right from wrong now
        write_whole(self.path / "blocks", block_list)

    @property
    def held(self) -> int:
        """Length of the unbroken run of whole data blocks; after a restart they are hashed once to be sure."""
        if self._held is None:
            self._held = self._verified()
        return self._held

    def _verified(self) -> int:
        data, count = self.path / "data", self.manifest.data_blocks
        if not self.has_blocks or not data.exists():
            return 0
        with data.open("rb") as file:
            for index, digest in enumerate(self.digests[:count]):
                if digest_of(file.read(BLOCK_BYTES)) != digest:
                    return index
        return count

    def put_block(self, index: int, block: bytes) -> None:
        """Keep the next data block. Raises Corrupt for one that is not the list's, DiskFull, StorageTrouble."""
        self._check_place(index)
        if index > self.held:
            raise Corrupt(f"Block {index} comes too early", f"{self.held} are here", "Send them in order.")
        if len(block) != BLOCK_BYTES or digest_of(block) != self.digests[index]:
            raise Corrupt(f"Block {index} is not the slot's", "its digest is another", "Send it again.")
        self._write(index, block)
        self._held = max(self.held, index + 1)

    def put_unlisted(self, index: int, block: bytes) -> None:
        """Keep a data block that was rebuilt while nobody has the slot's block list: once it is put, it tells what is right.

        Raises Corrupt, DiskFull, StorageTrouble.
        """
        self._check_place(index)
        if len(block) != BLOCK_BYTES:
            raise Corrupt(f"Block {index} is not the slot's", f"it has {len(block)} bytes")
        self._write(index, block)

    def _check_place(self, index: int) -> None:
        if not 0 <= index < self.manifest.data_blocks:
            raise Corrupt(f"There is no block {index} to be sent", f"the slot has {self.manifest.data_blocks}")

    def _write(self, index: int, block: bytes) -> None:
        self._coded = False
        with storage_errors(self.path):
            handle = os.open(self.path / "data", os.O_CREAT | os.O_WRONLY, 0o600)
            try:
                write_at(handle, block, index * BLOCK_BYTES)
            finally:
                os.close(handle)

    def make_parity(self) -> list[bytes]:
        """Make the slot's parity of its data blocks, all of which are here; its blocks' digests.

        Raises Corrupt, DiskFull, StorageTrouble.
        """
        count = self.manifest.parity_blocks
        if count and not self._coded:
            with storage_errors(self.path):
                handle = os.open(self.path / "data", os.O_RDWR)
                try:
                    make_parity(handle, self.code)
                finally:
                    os.close(handle)
            self._coded = True
        return self.digests_found(self.manifest.data_blocks)

    def roots(self) -> SlotTree:
        """The tree over all blocks, once the parity is made. Raises Corrupt unless they are those of list and manifest."""
        count = self.manifest.data_blocks
        if self.held != count:
            raise Corrupt(f"Slot {self.name} is not whole", f"{self.held} blocks are here", "Send the rest.")
        if self.make_parity() != self.digests[count:]:
            raise Corrupt(f"The parity of slot {self.name} is not that of its data", "its block list names another")
        return self.hashed()
