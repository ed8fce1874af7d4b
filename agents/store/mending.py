"""Slots looked at block by block, and mended on the spot by the code within them.

Only blocks that are damaged are written, each in its place: a kill at any moment leaves no more of them than there were, and
two that mend at once, a provider and a command beside it, write the same. Proofs and readers compare every block with its
digest or root, so none of them takes a block that is half written.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from agents.core.dataset.cid import digest_of
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import block_list
from agents.core.errors import BadData, Corrupt, StorageTrouble
from agents.core.proofs.trees import block_roots
from agents.kernels.limbs import to_ints
from agents.store.coding import Pause, restore
from agents.store.files import UNREADABLE, storage_errors, write_at, write_whole
from agents.store.folders import HeldSlot

HEALTH = "health"
"""The file in a slot's folder that tells what was found in it last."""
SUSPECT = 0.0
"""The time at which a slot was looked at that is to be looked at now."""

Advance = Callable[[int, int], None]
"""(blocks looked at, blocks in all)."""


@dataclass(frozen=True)
class Health:
    """What was found in a slot, and done about it."""

    at: float
    """When, in UNIX seconds."""
    blocks: int
    """Read."""
    damaged: int
    """Of them not what they should be."""
    mended: int
    """Of these made again."""
    needed: int = 0
    """Blocks that must come from elsewhere before the others can be made again."""
    trouble: str = ""
    """What else is wrong with it."""

    @property
    def left(self) -> int:
        """Blocks that are damaged still."""
        return self.damaged - self.mended

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with it any more."""
        return not self.left and not self.trouble


def told_health(folder: Path) -> Health | None:
    """What was found last in the slot in ``folder``, or None where nobody looked."""
    try:
        return Health(**json.loads((folder / HEALTH).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def looked_at(folder: Path) -> float:
    """When the slot in ``folder`` was last known to be sound or not, in UNIX seconds: it was checked as it came.

    SUSPECT once somebody found it damaged.
    """
    for name in (HEALTH, "tree", "manifest"):
        with suppress(OSError):
            return (folder / name).stat().st_mtime
    return 0.0


def suspect(folder: Path) -> None:
    """Have the slot in ``folder`` looked at next: somebody found it damaged."""
    for name in (HEALTH, "tree", "manifest"):
        with suppress(OSError):
            os.utime(folder / name, (SUSPECT, SUSPECT))


class Judge:
    """Tells the blocks of a slot right from wrong: by its block list or, where that is damaged, by its tree."""

    def __init__(self, slot: HeldSlot) -> None:
        """Raises Corrupt where both are damaged, ManifestInvalid, StorageTrouble."""
        self._slot = slot
        self._digests: list[bytes] = []
        self._roots: list[int] = []
        self.trouble = ""
        try:
            self._digests = slot.digests
        except (BadData, StorageTrouble) as error:
            self.trouble = str(error)
            tree = slot.kept_tree()
            if tree is None:
                raise Corrupt(
                    f"Nothing tells the blocks of slot {slot.name} right from wrong",
                    "both its block list and its tree are damaged",
                ) from None
            self._roots = to_ints(tree.roots)

    def is_right(self, index: int, block: bytes) -> bool:
        """Whether ``block`` is the slot's block ``index``."""
        if len(block) != BLOCK_BYTES:
            return False
        if self._digests:
            return digest_of(block) == self._digests[index]
        return to_ints(block_roots(block, self._slot.code.cell_bytes, BLOCK_BYTES))[0] == self._roots[index]

    def list_again(self) -> None:
        """Write the block list again if it was damaged, now that all blocks are right. Raises Corrupt, StorageTrouble."""
        if self._digests:
            return
        slot = self._slot
        listed = block_list(slot.digests_found())
        if digest_of(listed) != slot.manifest.slots[slot.name.index].blocks:
            raise Corrupt(f"The block list of slot {slot.name} cannot be made again", "its blocks have others")
        write_whole(slot.path / "blocks", listed)
        self.trouble = ""


class Look:
    """A slot whose every block was read: what is wrong with it, and the means to make it right."""

    def __init__(self, slot: HeldSlot, advance: Advance = lambda *_: None) -> None:
        """Look at it, which takes as long as reading it does. Raises StorageTrouble, and what ``advance`` raises."""
        self.slot = slot
        self._advance = advance
        self._left: list[int] = []
        self.needed: list[int] = []
        """Blocks that must come from elsewhere before the others can be made again."""
        self.health = self._tried(self._looked)

    def put_back(self, index: int, block: bytes) -> None:
        """Write a needed block that came from elsewhere. Raises Corrupt for a wrong one, DiskFull, StorageTrouble."""
        if not self._judge.is_right(index, block):
            raise Corrupt(f"Block {index} is not the slot's", "its digest is another")
        with self._file() as handle:
            write_at(handle, block, index * BLOCK_BYTES)
        self._left.remove(index)
        self.needed.remove(index)

    def mend(self) -> Health:
        """Make the damaged blocks again, if enough of the others are sound; keep in the slot's folder what there is to tell.

        Raises DiskFull, StorageTrouble, and what ``advance`` raises: it is called with all blocks looked at.
        """
        if self.health.blocks and not self.needed:
            self.health = self._tried(self._mended)
        with suppress(StorageTrouble):  # the next look finds the same
            write_whole(self.slot.path / HEALTH, json.dumps(asdict(self.health)).encode())
        return self.health

    def _tried(self, work: Callable[[], Health]) -> Health:
        try:
            return work()
        except BadData as error:  # manifest, or both block list and tree, or a block that was sound a while ago
            return Health(time.time(), 0, 0, 0, trouble=str(error))

    def _looked(self) -> Health:
        slot, total = self.slot, self.slot.manifest.blocks_per_slot
        self._judge = Judge(slot)
        self._left = _find_damaged(slot, self._judge, self._advance)
        self.needed = slot.code.missing(self._left)
        trouble = self._judge.trouble or ("" if slot.kept_tree() else f"The tree of slot {slot.name} is damaged")
        return Health(time.time(), total, len(self._left), 0, len(self.needed), trouble)

    def _mended(self) -> Health:
        total, damaged = self.health.blocks, self.health.damaged
        if damaged:
            with self._file() as handle:
                self._restore(handle, lambda: self._advance(total, total))
            self._left = []
        if self.health.trouble:
            self._judge.list_again()
            _ = self.slot.tree  # made again where it is damaged
        return Health(time.time(), total, damaged, damaged)

    def _restore(self, handle: int, pause: Pause) -> None:
        slot = self.slot
        for index in self._left:
            # Cells are written one by one, which the system can do only where it can read what is around them.
            if len(_block_at(slot, handle, index)) != BLOCK_BYTES:
                write_at(handle, bytes(BLOCK_BYTES), index * BLOCK_BYTES)
        restore(handle, slot.code, self._left, pause)
        os.fsync(handle)
        for index in self._left:
            if not self._judge.is_right(index, _block_at(slot, handle, index)):
                raise Corrupt(f"Block {index} of slot {slot.name} cannot be made again", "others are not right")

    @contextmanager
    def _file(self) -> Iterator[int]:
        with storage_errors(self.slot.path):
            handle = os.open(self.slot.path / "data", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                yield handle
            finally:
                os.close(handle)


def scrub(slot: HeldSlot, dry_run: bool = False, advance: Advance = lambda *_: None) -> Health:
    """Read every block of a slot and make the damaged ones again, if enough of the others are sound.

    With ``dry_run`` nothing is changed. Raises DiskFull, StorageTrouble, and what ``advance`` raises.
    """
    look = Look(slot, advance)
    return look.health if dry_run else look.mend()


def _find_damaged(slot: HeldSlot, judge: Judge, advance: Advance) -> list[int]:
    """The blocks of a slot that the disk has changed or lost. Raises StorageTrouble."""
    total = slot.manifest.blocks_per_slot
    try:
        handle = os.open(slot.path / "data", os.O_RDONLY)
    except FileNotFoundError:
        return list(range(total))
    try:
        # What the system remembers of the file says nothing about the disk.
        if sys.platform == "linux":
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        damaged = []
        for index in range(total):
            if not judge.is_right(index, _block_at(slot, handle, index)):
                damaged.append(index)
            advance(index + 1, total)
        return damaged
    finally:
        os.close(handle)


def _block_at(slot: HeldSlot, handle: int, index: int) -> bytes:
    """A block as it is on disk: short or empty where that has lost it."""
    with storage_errors(slot.path):
        try:
            return os.pread(handle, BLOCK_BYTES, index * BLOCK_BYTES)
        except OSError as error:
            if error.errno in UNREADABLE:
                return b""
            raise
