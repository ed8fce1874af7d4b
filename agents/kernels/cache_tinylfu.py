"""A level of a cache that decides by frequency what it keeps: W-TinyLFU (Einziger, Friedman and Manes, TOS 2017)."""

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
WINDOW, PROBATION, PROTECTED = np.uint8(1), np.uint8(2), np.uint8(3)
WINDOW_USED, PROBATION_USED, PROTECTED_USED = 2, 3, 4
WINDOW_SHARE, PROTECTED_SHARE = 5, 6
COUNTED, SAMPLE = 7, 8
"""Requests since the sketch was last halved, and how many it takes to halve it."""

ROWS = 4
"""Of the sketch: an object's frequency is the least of its four counters."""
MOST = 15

_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)


@njit(inline="always")
def mixed(number: Any) -> Any:
    """64 bits that look random, of a number (splitmix64)."""
    word = np.uint64(number) * _STEP + _STEP
    word = (word ^ (word >> np.uint64(30))) * _FIRST
    word = (word ^ (word >> np.uint64(27))) * _SECOND
    return word ^ (word >> np.uint64(31))


@njit(inline="always")
def _counter(word: Any, row: Any, width: Any) -> Any:
    """Where in the sketch an object's counter of ``row`` is; ``width`` is a power of two."""
    turned = word + np.uint64(row) * ((word >> np.uint64(32)) | np.uint64(1))
    return row * width + np.int64(turned & np.uint64(width - 1))


@njit(inline="always")
def _frequency(sketch: Any, thing: Any) -> Any:
    width, word, least = sketch.shape[0] // ROWS, mixed(thing), np.int64(MOST)
    for row in range(ROWS):
        least = min(least, np.int64(sketch[_counter(word, row, width)]))
    return least


@njit(inline="always")
def _count(sketch: Any, numbers: Any, thing: Any) -> None:
    width, word = sketch.shape[0] // ROWS, mixed(thing)
    for row in range(ROWS):
        counter = _counter(word, row, width)
        if sketch[counter] < MOST:
            sketch[counter] += 1
    numbers[COUNTED] += 1
    if numbers[COUNTED] >= numbers[SAMPLE]:
        numbers[COUNTED] = 0
        for counter in range(sketch.shape[0]):
            sketch[counter] >>= 1


@njit(inline="always")
def _move(links: Any, place: Any, numbers: Any, queue: Any, thing: Any, size: Any) -> None:
    """From where it stands, if anywhere, to the end of ``queue``."""
    if place[thing] != NOWHERE:
        drop(links, thing)
        numbers[WINDOW_USED - 1 + place[thing]] -= size
    place[thing] = queue
    if queue != NOWHERE:
        push(links, links.shape[0] - 4 + queue, thing)
        numbers[WINDOW_USED - 1 + queue] += size


@njit(inline="always")
def _wins(links: Any, sketch: Any, sizes: Any, wanted: Any, excess: Any) -> Any:
    """Whether all that must go, probation's oldest first, to free ``excess`` bytes is asked for less than ``wanted``."""
    queue = links.shape[0] - 4 + PROBATION
    victim = next_to_go(links, queue)
    while excess > 0:
        if victim == queue:
            if queue == links.shape[0] - 4 + PROTECTED:
                return False
            queue = links.shape[0] - 4 + PROTECTED
            victim = next_to_go(links, queue)
            continue
        if wanted <= _frequency(sketch, victim):
            return False
        excess -= sizes[victim]
        victim = links[victim, NEWER]
    return True


@njit(inline="always")
def _settle(links: Any, place: Any, numbers: Any, sketch: Any, sizes: Any, candidate: Any) -> None:
    """``candidate`` leaves the window, for the main part or for good."""
    size = sizes[candidate]
    room = numbers[CAPACITY] - numbers[WINDOW_SHARE]
    excess = numbers[PROBATION_USED] + numbers[PROTECTED_USED] + size - room
    if not _wins(links, sketch, sizes, _frequency(sketch, candidate), excess):
        _move(links, place, numbers, NOWHERE, candidate, size)
        return
    while excess > 0:
        queue = PROBATION if numbers[PROBATION_USED] > 0 else PROTECTED
        victim = next_to_go(links, links.shape[0] - 4 + queue)
        excess -= sizes[victim]
        _move(links, place, numbers, NOWHERE, victim, sizes[victim])
    _move(links, place, numbers, PROBATION, candidate, size)


@njit(LEVEL, cache=True, nogil=True)
def wtinylfu(
    links: Any, place: Any, marks: Any, numbers: Any, sketch: Any, objects: Any, sizes: Any, asked: Any, found: Any
) -> None:
    """A small LRU window before a segmented LRU, which is entered by what is asked for more than what must leave it."""
    for at in range(objects.shape[0]):
        thing = objects[at]
        found[at] = MISSED
        if asked[at] < ASKED:
            continue
        _count(sketch, numbers, thing)
        size = sizes[thing]
        if place[thing] != NOWHERE:
            found[at] = HIT
            _move(links, place, numbers, WINDOW if place[thing] == WINDOW else PROTECTED, thing, size)
            while numbers[PROTECTED_USED] > numbers[PROTECTED_SHARE]:
                oldest = next_to_go(links, links.shape[0] - 4 + PROTECTED)
                _move(links, place, numbers, PROBATION, oldest, sizes[oldest])
        elif asked[at] == OFFERED and size <= numbers[CAPACITY]:
            if size > numbers[WINDOW_SHARE]:
                _settle(links, place, numbers, sketch, sizes, thing)
            else:
                _move(links, place, numbers, WINDOW, thing, size)
            while numbers[WINDOW_USED] > numbers[WINDOW_SHARE]:
                _settle(links, place, numbers, sketch, sizes, next_to_go(links, links.shape[0] - 4 + WINDOW))
            numbers[USED] = numbers[WINDOW_USED] + numbers[PROBATION_USED] + numbers[PROTECTED_USED]
            if place[thing] != NOWHERE:
                found[at] = KEPT
