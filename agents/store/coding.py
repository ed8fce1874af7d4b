"""The code within a slot, in a slot's file: parity made behind its data, damaged blocks made again, both in little memory.

A file is gone through once for every part of the code that fits in memory; a slot of some ten MiB is one part.
"""

import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.slot_code import Cells, SlotCode
from agents.core.errors import Corrupt
from agents.store.files import write_at

MEMORY = 16 << 20
"""Bytes of cells that are coded at a time."""
WINDOW = 16
"""Blocks read or written at a time: 1 MiB, which stays in a core's cache."""

Pause = Callable[[], None]
"""Called now and then by what takes long, so that it can be ended: whatever it raises."""


def make_parity(handle: int, code: SlotCode, pause: Pause = lambda: None) -> None:
    """Write a slot's parity blocks into its open file, behind its data blocks. Raises Corrupt for too few of these."""
    data, total = code.data_blocks, code.data_blocks + code.parity_blocks
    parts, window = list(code.parts(MEMORY)), _empty(code, WINDOW)
    for part in parts:
        shards = code.shards(part)
        for first, count in _windows(range(data)):
            code.spread(part, first, _read(handle, window, first, count), shards)
            pause()
        code.encode(shards)
        for first, count in _windows(range(data, total)):
            pause()
            # The first part's blocks are new; those of the others are filled up.
            blocks = _read(handle, window, first, count) if part != parts[0] else _empty(code, count)
            code.collect(part, first, blocks, shards)
            write_at(handle, blocks.data, first * BLOCK_BYTES)


def restored(
    handle: int, code: SlotCode, damaged: Sequence[int], wanted: Sequence[int], pause: Pause = lambda: None
) -> list[bytes]:
    """The blocks ``wanted`` of a slot, some of its ``damaged`` ones, made of those that are not.

    Raises Corrupt where too many are damaged, or others cannot be read.
    """
    lost = frozenset(damaged)
    sound = [block for block in range(code.data_blocks + code.parity_blocks) if block not in lost]
    made, window = {block: _empty(code, 1) for block in wanted}, _empty(code, WINDOW)
    for part in code.parts(MEMORY):
        shards = code.shards(part)
        for first, count in _windows(sound):
            code.spread(part, first, _read(handle, window, first, count), shards)
            pause()
        code.rebuild(part, shards, lost)
        for block, cells in made.items():
            code.collect(part, block, cells, shards)
    return [made[block].tobytes() for block in wanted]


def _windows(blocks: Sequence[int]) -> Iterator[tuple[int, int]]:
    """``blocks``, ascending, as runs (first, count) of at most WINDOW."""
    start = 0
    for place in range(1, len(blocks) + 1):
        run = place - start
        if place == len(blocks) or blocks[place] != blocks[place - 1] + 1 or run == WINDOW:
            yield blocks[start], run
            start = place


def _empty(code: SlotCode, count: int) -> Cells:
    return np.zeros((count * code.cells_per_block, code.cell_bytes), dtype=np.uint8)


def _read(handle: int, window: Cells, first: int, count: int) -> Cells:
    """``count`` blocks from ``first``, in the window's memory. Raises Corrupt where the file ends before."""
    blocks = window[: count * len(window) // WINDOW]
    left, offset = blocks.data.cast("B"), first * BLOCK_BYTES
    while left:
        read = os.preadv(handle, [left], offset)
        if read == 0:
            raise Corrupt(f"A slot's file ends before block {first + count}")
        left, offset = left[read:], offset + read
    return blocks
