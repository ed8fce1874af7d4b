"""Levels of a cache with three orders of eviction: LRU, SIEVE and S3-FIFO.

Each kernel goes through requests one by one and leaves its state as the next call needs it. Objects larger than the level
(S3-FIFO: than its small queue) are never kept.
"""

from typing import Any

import numpy as np
from numba import njit

from agents.kernels.cache_queues import (
    ASKED,
    CAPACITY,
    HIT,
    KEPT,
    LEVEL,
    MISSED,
    NEWER,
    OFFERED,
    USED,
    drop,
    next_to_go,
    push,
)

NOWHERE = np.uint8(0)
HERE = np.uint8(1)

# SIEVE's own number: the object its hand points to, -1 for the oldest.
HAND = 2

# S3-FIFO's queues, and its own numbers: bytes in the queues, and what they hold at most.
SMALL, MAIN, GHOST = np.uint8(1), np.uint8(2), np.uint8(3)
SMALL_USED, MAIN_USED, GHOST_USED = 2, 3, 4
SMALL_SHARE, MAIN_SHARE, GHOST_SHARE = 5, 6, 7
EVICTED = 8
"""Whether it was ever full: until then what the small queue has no room for goes to the main one."""

PROMOTED = 2
"""Requests in the small queue that take an object to the main one."""
MOST = 3
"""A mark counts so far."""


@njit(LEVEL, cache=True, nogil=True)
def lru(
    links: Any, place: Any, marks: Any, numbers: Any, sketch: Any, objects: Any, sizes: Any, asked: Any, found: Any
) -> None:
    """The least recently requested goes first."""
    root = links.shape[0] - 1
    for at in range(objects.shape[0]):
        thing = objects[at]
        found[at] = MISSED
        if asked[at] < ASKED:
            continue
        if place[thing] != NOWHERE:
            found[at] = HIT
            drop(links, thing)
            push(links, root, thing)
        elif asked[at] == OFFERED and sizes[thing] <= numbers[CAPACITY]:
            numbers[USED] += sizes[thing]
            while numbers[USED] > numbers[CAPACITY]:
                oldest = next_to_go(links, root)
                drop(links, oldest)
                place[oldest] = NOWHERE
                numbers[USED] -= sizes[oldest]
            push(links, root, thing)
            place[thing] = HERE
            found[at] = KEPT


@njit(LEVEL, cache=True, nogil=True)
def sieve(
    links: Any, place: Any, marks: Any, numbers: Any, sketch: Any, objects: Any, sizes: Any, asked: Any, found: Any
) -> None:
    """SIEVE (Zhang et al., NSDI 2024): a hand goes from the oldest to the newest and takes what was not requested since."""
    root = links.shape[0] - 1
    for at in range(objects.shape[0]):
        thing = objects[at]
        found[at] = MISSED
        if asked[at] < ASKED:
            continue
        if place[thing] != NOWHERE:
            found[at] = HIT
            marks[thing] = 1
        elif asked[at] == OFFERED and sizes[thing] <= numbers[CAPACITY]:
            numbers[USED] += sizes[thing]
            while numbers[USED] > numbers[CAPACITY]:
                hand = numbers[HAND] if numbers[HAND] >= 0 else next_to_go(links, root)
                while marks[hand] != 0:
                    marks[hand] = 0
                    hand = links[hand, NEWER]
                    if hand == root:
                        hand = next_to_go(links, root)
                following = links[hand, NEWER]
                numbers[HAND] = -1 if following == root else following
                drop(links, hand)
                place[hand] = NOWHERE
                numbers[USED] -= sizes[hand]
            push(links, root, thing)
            place[thing] = HERE
            marks[thing] = 0
            found[at] = KEPT


@njit(inline="always")
def _leave(links: Any, place: Any, numbers: Any, used: Any, thing: Any, size: Any) -> None:
    drop(links, thing)
    place[thing] = NOWHERE
    numbers[used] -= size


@njit(inline="always")
def _enter(links: Any, place: Any, numbers: Any, queue: Any, thing: Any, size: Any) -> None:
    push(links, links.shape[0] - 4 + queue, thing)
    place[thing] = queue
    numbers[SMALL_USED - 1 + queue] += size


@njit(inline="always")
def _shrink_main(links: Any, place: Any, marks: Any, numbers: Any, sizes: Any) -> None:
    """One object leaves the main queue; those requested meanwhile go to its end, and count one request less."""
    while True:
        oldest = next_to_go(links, links.shape[0] - 4 + MAIN)
        if marks[oldest] == 0:
            _leave(links, place, numbers, MAIN_USED, oldest, sizes[oldest])
            numbers[USED] -= sizes[oldest]
            return
        marks[oldest] -= 1
        drop(links, oldest)
        push(links, links.shape[0] - 4 + MAIN, oldest)


@njit(inline="always")
def _shrink_small(links: Any, place: Any, marks: Any, numbers: Any, sizes: Any) -> None:
    """One object leaves the small queue for the ghosts; those requested meanwhile go to the main queue."""
    while numbers[SMALL_USED] > 0:
        oldest = next_to_go(links, links.shape[0] - 4 + SMALL)
        size = sizes[oldest]
        _leave(links, place, numbers, SMALL_USED, oldest, size)
        if marks[oldest] >= PROMOTED:
            marks[oldest] = 0
            _enter(links, place, numbers, MAIN, oldest, size)
            continue
        numbers[USED] -= size
        while numbers[GHOST_USED] + size > numbers[GHOST_SHARE] and numbers[GHOST_USED] > 0:
            forgotten = next_to_go(links, links.shape[0] - 4 + GHOST)
            _leave(links, place, numbers, GHOST_USED, forgotten, sizes[forgotten])
        _enter(links, place, numbers, GHOST, oldest, size)
        return


@njit(LEVEL, cache=True, nogil=True)
def s3fifo(
    links: Any, place: Any, marks: Any, numbers: Any, sketch: Any, objects: Any, sizes: Any, asked: Any, found: Any
) -> None:
    """S3-FIFO (Yang et al., SOSP 2023): a small and a main queue, and ghosts of what left the small one unrequested."""
    for at in range(objects.shape[0]):
        thing = objects[at]
        found[at] = MISSED
        if asked[at] < ASKED:
            continue
        if place[thing] == SMALL or place[thing] == MAIN:
            found[at] = HIT
            marks[thing] = min(marks[thing] + 1, MOST)
            continue
        size = sizes[thing]
        if asked[at] < OFFERED or size > numbers[SMALL_SHARE]:
            continue
        known = place[thing] == GHOST
        if known:
            _leave(links, place, numbers, GHOST_USED, thing, size)
        while numbers[USED] + size > numbers[CAPACITY]:
            numbers[EVICTED] = 1
            if numbers[MAIN_USED] > numbers[MAIN_SHARE] or numbers[SMALL_USED] == 0:
                _shrink_main(links, place, marks, numbers, sizes)
            else:
                _shrink_small(links, place, marks, numbers, sizes)
        young = not known and (numbers[EVICTED] == 1 or numbers[SMALL_USED] < numbers[SMALL_SHARE])
        marks[thing] = 0
        numbers[USED] += size
        _enter(links, place, numbers, SMALL if young else MAIN, thing, size)
        found[at] = KEPT
