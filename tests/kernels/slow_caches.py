"""Levels of a cache written slowly: dictionaries and lists, a request at a time, and every queue counted anew."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

PASSED, ASKED, OFFERED = 0, 1, 2
MISSED, HIT, KEPT = 0, 1, 2
WORD = 2**64 - 1

Queue = OrderedDict[int, int]
"""Object -> size, the one that goes next first."""


def total(queue: Queue) -> int:
    return sum(queue.values())


class Slow(ABC):
    """A level: subclasses say what a request does to the objects it holds."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity

    @property
    @abstractmethod
    def used(self) -> int:
        """Bytes of what it holds."""

    @abstractmethod
    def holds(self, thing: int) -> bool: ...

    @abstractmethod
    def hit(self, thing: int) -> None: ...

    @abstractmethod
    def offer(self, thing: int, size: int) -> None: ...

    def seen(self, thing: int) -> None:
        """Of every request that is not passed."""
        del thing

    def replay(self, objects: Sequence[int], sizes: Sequence[int], asked: Sequence[int]) -> list[int]:
        found = []
        for thing, how in zip(objects, asked, strict=True):
            outcome = MISSED
            if how != PASSED:
                self.seen(thing)
                if self.holds(thing):
                    self.hit(thing)
                    outcome = HIT
                elif how == OFFERED:
                    self.offer(thing, sizes[thing])
                    outcome = KEPT if self.holds(thing) else MISSED
            found.append(outcome)
        return found


class SlowLru(Slow):
    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.queue: Queue = OrderedDict()

    @property
    def used(self) -> int:
        return total(self.queue)

    def holds(self, thing: int) -> bool:
        return thing in self.queue

    def hit(self, thing: int) -> None:
        self.queue.move_to_end(thing)

    def offer(self, thing: int, size: int) -> None:
        if size > self.capacity:
            return
        while self.used + size > self.capacity:
            self.queue.popitem(last=False)
        self.queue[thing] = size


class SlowSieve(Slow):
    """A list, the oldest first; the hand is an object, or None for the oldest."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.order: list[int] = []
        self.sizes: dict[int, int] = {}
        self.visited: set[int] = set()
        self.hand: int | None = None

    @property
    def used(self) -> int:
        return sum(self.sizes.values())

    def holds(self, thing: int) -> bool:
        return thing in self.sizes

    def hit(self, thing: int) -> None:
        self.visited.add(thing)

    def offer(self, thing: int, size: int) -> None:
        if size > self.capacity:
            return
        while self.used + size > self.capacity:
            at = 0 if self.hand is None else self.order.index(self.hand)
            while self.order[at] in self.visited:
                self.visited.remove(self.order[at])
                at = (at + 1) % len(self.order)
            self.hand = self.order[at + 1] if at + 1 < len(self.order) else None
            del self.sizes[self.order.pop(at)]
        self.order.append(thing)
        self.sizes[thing] = size


class SlowS3Fifo(Slow):
    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.small_share = int(capacity * 0.1)
        self.main_share = capacity - self.small_share
        self.small: Queue = OrderedDict()
        self.main: Queue = OrderedDict()
        self.ghosts: Queue = OrderedDict()
        self.requests: dict[int, int] = {}
        self.full = False

    @property
    def used(self) -> int:
        return total(self.small) + total(self.main)

    def holds(self, thing: int) -> bool:
        return thing in self.small or thing in self.main

    def hit(self, thing: int) -> None:
        self.requests[thing] = min(3, self.requests[thing] + 1)

    def evict(self) -> None:
        if total(self.main) > self.main_share or not self.small:
            while self.requests[next(iter(self.main))]:
                oldest = next(iter(self.main))
                self.requests[oldest] -= 1
                self.main.move_to_end(oldest)
            self.main.popitem(last=False)
            return
        while self.small:
            oldest, size = self.small.popitem(last=False)
            if self.requests[oldest] < 2:
                while self.ghosts and total(self.ghosts) + size > self.main_share:
                    self.ghosts.popitem(last=False)
                self.ghosts[oldest] = size
                return
            self.requests[oldest] = 0
            self.main[oldest] = size

    def offer(self, thing: int, size: int) -> None:
        if size > self.small_share:
            return
        known = self.ghosts.pop(thing, None) is not None
        while self.used + size > self.capacity:
            self.full = True
            self.evict()
        to_main = known or (not self.full and total(self.small) >= self.small_share)
        (self.main if to_main else self.small)[thing] = size
        self.requests[thing] = 0


def mixed(number: int) -> int:
    """splitmix64, by its authors' description."""
    word = (number * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & WORD
    word = ((word ^ word >> 30) * 0xBF58476D1CE4E5B9) & WORD
    word = ((word ^ word >> 27) * 0x94D049BB133111EB) & WORD
    return word ^ word >> 31


class SlowTinyLfu(Slow):
    def __init__(self, capacity: int, expected: int) -> None:
        super().__init__(capacity)
        self.window_share = max(1, int(capacity * 0.01))
        self.room = capacity - self.window_share
        self.protected_share = int(self.room * 0.8)
        self.window: Queue = OrderedDict()
        self.probation: Queue = OrderedDict()
        self.protected: Queue = OrderedDict()
        self.width = 1 << max(10, (expected - 1).bit_length())
        self.sketch = [[0] * self.width for _ in range(4)]
        self.counted = 0

    @property
    def used(self) -> int:
        return total(self.window) + total(self.probation) + total(self.protected)

    def holds(self, thing: int) -> bool:
        return any(thing in queue for queue in (self.window, self.probation, self.protected))

    def columns(self, thing: int) -> list[int]:
        word = mixed(thing)
        return [((word + row * (word >> 32 | 1)) & WORD) % self.width for row in range(4)]

    def frequency(self, thing: int) -> int:
        return min(row[column] for row, column in zip(self.sketch, self.columns(thing), strict=True))

    def seen(self, thing: int) -> None:
        for row, column in zip(self.sketch, self.columns(thing), strict=True):
            row[column] = min(15, row[column] + 1)
        self.counted += 1
        if self.counted == 10 * self.width:
            self.counted = 0
            self.sketch = [[counter // 2 for counter in row] for row in self.sketch]

    def hit(self, thing: int) -> None:
        if thing in self.window:
            self.window.move_to_end(thing)
            return
        came_from = self.probation if thing in self.probation else self.protected
        size = came_from.pop(thing)
        self.protected[thing] = size
        while total(self.protected) > self.protected_share:
            oldest, size = self.protected.popitem(last=False)
            self.probation[oldest] = size

    def settle(self, thing: int, size: int) -> None:
        excess = total(self.probation) + total(self.protected) + size - self.room
        victims: list[int] = []
        for victim, freed in [*self.probation.items(), *self.protected.items()]:
            if excess <= 0:
                break
            victims.append(victim)
            excess -= freed
        if excess > 0 or any(self.frequency(thing) <= self.frequency(victim) for victim in victims):
            return
        for victim in victims:
            self.probation.pop(victim, None)
            self.protected.pop(victim, None)
        self.probation[thing] = size

    def offer(self, thing: int, size: int) -> None:
        if size > self.capacity:
            return
        if size > self.window_share:
            self.settle(thing, size)
        else:
            self.window[thing] = size
        while total(self.window) > self.window_share:
            self.settle(*self.window.popitem(last=False))


def counted(objects: Sequence[int], limit: int) -> list[int]:
    """Which of its object's requests each is, when the ``limit`` objects requested last are remembered."""
    counts: OrderedDict[int, int] = OrderedDict()
    ordinals = []
    for thing in objects:
        ordinals.append(counts.pop(thing, 0) + 1)
        counts[thing] = ordinals[-1]
        if len(counts) > limit:
            counts.popitem(last=False)
    return ordinals


def recognised(objects: Sequence[int], room: int) -> list[int]:
    """Whether each is known to two generations of ``room`` new objects each, without a filter's mistakes."""
    young: set[int] = set()
    old: set[int] = set()
    known = []
    for thing in objects:
        known.append(int(thing in young or thing in old))
        young.add(thing)
        if len(young) == room:
            young, old = set(), young
    return known


def mix(seed: int, requests: int, objects: int, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """Requests for objects of which some are popular, and a size for each object."""
    rng = np.random.default_rng(seed)
    popular = rng.zipf(1.3, requests) % max(1, objects // 4)
    things = np.where(rng.random(requests) < 0.3, rng.integers(0, objects, requests), popular).astype(np.int32)
    return things, rng.integers(1, largest + 1, objects, dtype=np.int64)
