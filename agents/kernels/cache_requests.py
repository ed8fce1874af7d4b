"""What a cache remembers of requests, whatever it keeps: how often an object was requested, and whether it was before.

Neither depends on what is admitted, so it is found out once for a trace and serves every policy that is tried on it.
"""

from typing import Any

import numpy as np
from numba import njit, types

from agents.kernels.cache_queues import BYTES, LINKS, NUMBERS, OBJECTS, drop, next_to_go, push
from agents.kernels.cache_tinylfu import mixed

COUNTS = types.Array(types.int32, 1, "C")
WORDS = types.Array(types.uint64, 2, "C")

LIMIT, REMEMBERED = 0, 1
"""Numbers of `count`: how many objects are remembered at most, and now."""

ROOM, MARKED, YOUNG = 0, 1, 2
"""Numbers of `recognise`: objects a generation takes, objects in the young one, and which of the two that is."""

BLOCK = 8
"""Words of the filter that one object's bits are in: a line of the CPU's cache."""
BITS = 6
"""Of an object."""


@njit(types.void(LINKS, COUNTS, NUMBERS, OBJECTS, COUNTS), cache=True, nogil=True)
def count(links: Any, counts: Any, numbers: Any, objects: Any, ordinals: Any) -> None:
    """Which of its object's requests each is, from 1, by what is remembered: only the objects requested last are."""
    root = links.shape[0] - 1
    for at in range(objects.shape[0]):
        thing = objects[at]
        if counts[thing] > 0:
            drop(links, thing)
        else:
            numbers[REMEMBERED] += 1
        push(links, root, thing)
        counts[thing] += 1
        ordinals[at] = counts[thing]
        if numbers[REMEMBERED] > numbers[LIMIT]:
            forgotten = next_to_go(links, root)
            drop(links, forgotten)
            counts[forgotten] = 0
            numbers[REMEMBERED] -= 1


@njit(inline="always")
def _marked(filter_: Any, generation: Any, block: Any, word: Any) -> Any:
    """Whether all bits of an object are set."""
    for bit in range(BITS):
        turned = word >> np.uint64(9 * bit)
        lane = np.int64(turned & np.uint64(7))
        if (filter_[generation, block + lane] >> ((turned >> np.uint64(3)) & np.uint64(63))) & np.uint64(1) == 0:
            return False
    return True


@njit(types.void(WORDS, NUMBERS, OBJECTS, BYTES), cache=True, nogil=True)
def recognise(filter_: Any, numbers: Any, objects: Any, known: Any) -> None:
    """Whether each request's object was requested before, by a Bloom filter of two generations.

    New objects go to the young generation; when it is full the old one is emptied and becomes the young one, so that no
    more than two generations are remembered. ``filter_`` has shape (2, words), words a multiple of BLOCK and a power of two.
    """
    blocks = np.uint64(filter_.shape[1] // BLOCK)
    for at in range(objects.shape[0]):
        first = mixed(objects[at])
        word = mixed(first)
        block = np.int64(first & (blocks - np.uint64(1))) * BLOCK
        young = numbers[YOUNG]
        if _marked(filter_, young, block, word):
            known[at] = 1
            continue
        known[at] = _marked(filter_, 1 - young, block, word)
        for bit in range(BITS):
            turned = word >> np.uint64(9 * bit)
            lane = np.int64(turned & np.uint64(7))
            filter_[young, block + lane] |= np.uint64(1) << ((turned >> np.uint64(3)) & np.uint64(63))
        numbers[MARKED] += 1
        if numbers[MARKED] >= numbers[ROOM]:
            numbers[MARKED] = 0
            numbers[YOUNG] = 1 - young
            filter_[1 - young, :] = 0
