"""Slots looked at block by block, and mended on the spot by the code within them.

Only blocks that are damaged are written, each in its place and with the bytes its digest asks for: a kill at any moment leaves
no more of them than there were, and two that mend at once, a provider and a command beside it, write the same. Proofs and
readers compare every block with its digest or root, so none of them takes a block that is half written.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from agents.core.dataset.cid import digest_of
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import block_list
from agents.core.errors import BadData, Corrupt, StorageTrouble
from agents.core.proofs.trees import block_roots
from agents.kernels.limbs import to_ints
from agents.store.coding import Pause, restored
from agents.store.files import UNREADABLE, storage_errors, write_at, write_whole
from agents.store.folders import HeldSlot

HEALTH = "health"
"""The file in a slot's folder that tells what was found in it last."""
SUSPECT = 0.0
"""The time at which a slot was looked at that is to be looked at now."""
ROUND = 512
"""Blocks made and written at a time: 32 MiB."""

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


def scrub(slot: HeldSlot, dry_run: bool = False, advance: Advance = lambda *_: None) -> Health:
    """Read every block of a slot and make the damaged ones again, if enough of the others are sound.

    With ``dry_run`` nothing is changed. Raises DiskFull, StorageTrouble.
    """
    try:
        found = _looked_through(slot, dry_run, advance)
    except BadData as error:  # manifest, or both block list and tree
        found = Health(time.time(), 0, 0, 0, trouble=str(error))
    if not dry_run:
        with suppress(StorageTrouble):  # the next look finds the same
            write_whole(slot.path / HEALTH, json.dumps(asdict(found)).encode())
    return found


def _looked_through(slot: HeldSlot, dry_run: bool, advance: Advance) -> Health:
    judge, total = Judge(slot), slot.manifest.blocks_per_slot
    damaged = find_damaged(slot, judge, advance)
    needed = slot.code.missing(damaged)
    if dry_run or needed:
        trouble = judge.trouble or ("" if slot.kept_tree() else f"The tree of slot {slot.name} is damaged")
        return Health(time.time(), total, len(damaged), 0, len(needed), trouble)
    mend(slot, damaged, judge, lambda: advance(total, total))
    judge.list_again()
    _ = slot.tree  # made again where it is damaged too
    return Health(time.time(), total, len(damaged), len(damaged))


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
        listed = block_list([digest_of(slot.read(index, 1)[0]) for index in range(slot.manifest.blocks_per_slot)])
        if digest_of(listed) != slot.manifest.slots[slot.name.index].blocks:
            raise Corrupt(f"The block list of slot {slot.name} cannot be made again", "its blocks have others")
        write_whole(slot.path / "blocks", listed)
        self.trouble = ""


def find_damaged(slot: HeldSlot, judge: Judge, advance: Advance = lambda *_: None) -> list[int]:
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


def mend(slot: HeldSlot, damaged: Sequence[int], judge: Judge, pause: Pause = lambda: None) -> None:
    """Make ``damaged`` blocks again, all there are in the slot. Raises Corrupt for too many, DiskFull, StorageTrouble."""
    left = list(damaged)
    if not left:
        return
    with storage_errors(slot.path):
        handle = os.open(slot.path / "data", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while left:
                batch = left[:ROUND]
                for index, block in zip(batch, restored(handle, slot.code, left, batch, pause), strict=True):
                    if not judge.is_right(index, block):
                        raise Corrupt(f"Block {index} of slot {slot.name} cannot be made again", "others are not right")
                    write_at(handle, block, index * BLOCK_BYTES)
                os.fsync(handle)
                left = left[len(batch) :]
        finally:
            os.close(handle)


def put_back(slot: HeldSlot, judge: Judge, index: int, block: bytes) -> None:
    """Write a block that came from elsewhere in its place. Raises Corrupt for a wrong one, DiskFull, StorageTrouble."""
    if not judge.is_right(index, block):
        raise Corrupt(f"Block {index} is not the slot's", "its digest is another")
    with storage_errors(slot.path):
        handle = os.open(slot.path / "data", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            write_at(handle, block, index * BLOCK_BYTES)
            os.fsync(handle)
        finally:
            os.close(handle)
