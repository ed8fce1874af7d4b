"""The code within a slot, in a slot's file: parity made behind its data, damaged blocks made again.

A codeword's cells are fetched one by one from where they are, so each cell of the file is read once, and each one made is
written once, however many codewords there are.
"""

import os
import threading
from collections.abc import Callable, Collection, Iterator
from itertools import pairwise

import numpy as np

from agents.core.dataset.slot_code import NOWHERE, Cells, Places, Rows, SlotCode
from agents.core.errors import Corrupt
from agents.store.files import write_at

RUN = 512
"""Cells read or written between two pauses, at once where they follow one another: 1 MiB."""

Pause = Callable[[], None]
"""Called now and then by what takes long, so that it can be ended: whatever it raises."""

_TURN = threading.Lock()
"""Held with a codeword in memory: there is one in a process, however many slots are worked on."""


def make_parity(handle: int, code: SlotCode, pause: Pause = lambda: None) -> None:
    """Write a slot's parity blocks into its open file, behind its data blocks. Raises Corrupt for too few of these."""
    restore(handle, code, range(code.data_blocks, code.data_blocks + code.parity_blocks), pause)


def restore(handle: int, code: SlotCode, damaged: Collection[int], pause: Pause = lambda: None) -> None:
    """Write the ``damaged`` blocks of a slot into its open file, made of those that are not.

    Raises Corrupt where too many are damaged, or the file ends before the last of the others.
    """
    for codeword in range(code.codewords):
        places = code.places(codeword)
        lost = code.among(places, damaged)
        if lost.any():
            with _TURN:
                _restore(handle, code, places, lost, pause)


def _restore(handle: int, code: SlotCode, places: Places, lost: Rows, pause: Pause) -> None:
    """The ``lost`` rows of one codeword."""
    shards = code.shards()
    for offset, cells in _runs(shards, places, ~lost & (places != NOWHERE), pause):
        _read(handle, cells, offset)
    code.rebuild(shards, places, lost)
    for offset, cells in _runs(shards, places, lost, pause):
        write_at(handle, cells, offset)


def _runs(shards: Cells, places: Places, chosen: Rows, pause: Pause) -> Iterator[tuple[int, memoryview]]:
    """The ``chosen`` rows, those that follow one another in the file too as one: where it has them, and their bytes."""
    view, size = shards.data.cast("B"), shards.shape[1]
    rows = np.flatnonzero(chosen)
    cells = places[rows]
    joined = (np.diff(rows) == 1) & (np.diff(cells) == 1)
    joined[RUN - 1 :: RUN] = False
    bounds = np.unique([0, *np.flatnonzero(~joined) + 1, len(rows)]).tolist()
    first, offset = (rows * size).tolist(), (cells * size).tolist()
    for start, stop in pairwise(bounds):
        if start % RUN == 0:
            pause()
        yield offset[start], view[first[start] : first[start] + (stop - start) * size]


def _read(handle: int, left: memoryview, offset: int) -> None:
    """Fill it. Raises Corrupt where the file ends before."""
    while left:
        read = os.preadv(handle, [left], offset)
        if read == 0:
            raise Corrupt("A slot's file ends before its last block")
        left, offset = left[read:], offset + read
