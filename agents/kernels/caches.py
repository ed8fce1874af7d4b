"""A cache's levels, request by request: any order of eviction, any admission, exact byte budgets.

Objects have numbers from 0 and one size each. What a level is asked is an array of one byte a request, so that admission is
the caller's, and two levels are two calls: the second is asked what the first one did not have. All state is in arrays that
live on between calls: a policy may change at any request.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.core.errors import Misuse
from agents.kernels.cache import despite_damage

PASSED, ASKED, OFFERED = 0, 1, 2
"""What a request means to a level: nothing, whether the object is there, or also that it may be kept from now on."""

MISSED, HIT, KEPT = 0, 1, 2
"""What comes of it. KEPT: the object was not there, and is now."""

QUEUES = {"lru": 1, "sieve": 1, "s3fifo": 3, "wtinylfu": 3}
"""Orders of eviction, and how many queues of objects each has."""

ORDERS = tuple(QUEUES)

SMALL_SHARE = 0.1
"""Of S3-FIFO's bytes in its small queue; the rest is the main queue's, and its ghosts are of as many bytes."""
WINDOW_SHARE, PROTECTED_SHARE = 0.01, 0.8
"""W-TinyLFU's window, of all bytes, and its protected part, of the rest."""
SAMPLES = 10
"""W-TinyLFU's requests between halvings, for each object that it counts."""
SKETCH_ROWS = 4

FILTER_BITS = 16
"""Of the Bloom filter, for each object of a generation: 0.1 % of new objects are mistaken for known ones."""
FILTER_LINE = 64
"""Its size is a multiple of so many words."""


def _kernels() -> dict[str, Callable[..., None]]:
    def load() -> dict[str, Callable[..., None]]:
        from agents.kernels import cache_orders, cache_requests, cache_tinylfu

        return {
            "lru": cache_orders.lru,
            "sieve": cache_orders.sieve,
            "s3fifo": cache_orders.s3fifo,
            "wtinylfu": cache_tinylfu.wtinylfu,
            "count": cache_requests.count,
            "recognise": cache_requests.recognise,
        }

    return despite_damage(load)


def warm() -> None:
    """Compile the kernels, or load them."""
    _kernels()


def _links(objects: int, roots: int) -> Any:
    """(objects + roots, 2) int32: no object in any queue."""
    links = np.zeros((objects + roots, 2), dtype=np.int32)
    links[objects:] = np.arange(objects, objects + roots, dtype=np.int32)[:, None]
    return links


@dataclass
class Level:
    """One level of a cache: which objects it holds, in what order they go."""

    order: str
    """Of ORDERS."""
    links: Any
    place: Any
    marks: Any
    numbers: Any
    sketch: Any

    @property
    def capacity(self) -> int:
        """Bytes, never exceeded."""
        return int(self.numbers[0])

    @property
    def used(self) -> int:
        """Bytes of the objects held."""
        return int(self.numbers[1])

    def replay(self, objects: Any, sizes: Any, asked: Any) -> Any:
        """Go through requests: what was found, uint8, MISSED, HIT or KEPT each. The state moves on.

        ``objects`` int32, one a request; ``sizes`` int64, one an object, each 1 or more; ``asked`` uint8, PASSED, ASKED or
        OFFERED, one a request.
        """
        found = np.empty(len(objects), dtype=np.uint8)
        kernel = _kernels()[self.order]
        kernel(self.links, self.place, self.marks, self.numbers, self.sketch, objects, sizes, asked, found)
        return found

    def copy(self) -> "Level":
        """The same state, to try something else from here."""
        return deepcopy(self)


def level(order: str, objects: int, capacity: int, expected: int = 0) -> Level:
    """An empty level for objects numbered below ``objects``; W-TinyLFU is told how many it is ``expected`` to hold.

    Raises Misuse.
    """
    if order not in QUEUES:
        raise Misuse(f"there is no order of eviction named {order!r}", "", f"Take one of {', '.join(ORDERS)}.")
    if capacity < 1:
        raise Misuse(f"a level of {capacity} bytes can hold nothing", "", "Take a larger one.")
    numbers = np.zeros(9, dtype=np.int64)
    numbers[0] = capacity
    sketch = np.zeros(0, dtype=np.uint8)
    if order == "sieve":
        numbers[2] = -1
    elif order == "s3fifo":
        small = int(capacity * SMALL_SHARE)
        numbers[5:8] = small, capacity - small, capacity - small
    elif order == "wtinylfu":
        window = max(1, int(capacity * WINDOW_SHARE))
        counted = 1 << max(10, (expected or objects) - 1).bit_length()
        numbers[5:7] = window, int((capacity - window) * PROTECTED_SHARE)
        numbers[8] = SAMPLES * counted
        sketch = np.zeros(SKETCH_ROWS * counted, dtype=np.uint8)
    marks = np.zeros(0 if order in ("lru", "wtinylfu") else objects, dtype=np.uint8)
    return Level(order, _links(objects, QUEUES[order]), np.zeros(objects, dtype=np.uint8), marks, numbers, sketch)


@dataclass
class Memory:
    """What a cache remembers of requests: counts of the objects requested last, and a Bloom filter of all lately."""

    links: Any
    counts: Any
    counted: Any
    filter: Any
    filtered: Any

    def recall(self, objects: Any) -> tuple[Any, Any]:
        """For each request: which of its object's it is, int32 from 1, and whether the object is known, uint8 0 or 1."""
        ordinals, known = np.empty(len(objects), dtype=np.int32), np.empty(len(objects), dtype=np.uint8)
        kernels = _kernels()
        kernels["count"](self.links, self.counts, self.counted, objects, ordinals)
        kernels["recognise"](self.filter, self.filtered, objects, known)
        return ordinals, known


def memory(objects: int, counted: int, known: int) -> Memory:
    """Nothing remembered yet, of objects numbered below ``objects``: ``counted`` are, and ``known`` a generation at most."""
    if counted < 1 or known < 1:
        raise Misuse("a cache that remembers nothing admits nothing", "", "Let it remember 1 or more.")
    words = max(FILTER_LINE, 1 << (known * FILTER_BITS // 64 - 1).bit_length())
    return Memory(
        _links(objects, 1),
        np.zeros(objects, dtype=np.int32),
        np.array([counted, 0], dtype=np.int64),
        np.zeros((2, words), dtype=np.uint64),
        np.array([known, 0, 0], dtype=np.int64),
    )
