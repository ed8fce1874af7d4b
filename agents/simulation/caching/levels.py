"""A cache of two levels on a trace: hot objects in memory, and below it a disk, whose writes count.

A request that memory answers is none of the disk's business. What memory lacks comes from disk or else from the origin; then
the policy decides whether memory keeps it, and the disk keeps it unless this was its first request.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from agents.core.admission.experts import Expert
from agents.core.admission.objectives import Tally
from agents.core.errors import Misuse
from agents.kernels.caches import ASKED, HIT, KEPT, OFFERED, ORDERS, PASSED, Level, level
from agents.simulation.caching.traces import Trace

ORIGIN, WRITTEN, DISK, HOT = 0, 1, 2, 3
"""What became of a request: fetched, fetched and written to disk, read from disk, found in memory."""


@dataclass(frozen=True)
class Setting:
    """How large a cache is."""

    memory: int = 100_000_000
    """Bytes of hot objects. The default, as that of disk, is the paper's (Darwin, section 5)."""
    disk: int = 10_000_000_000
    """Bytes."""
    order: str = "lru"
    """In which memory evicts under policies that admit; the disk's is LRU."""

    def __post_init__(self) -> None:
        if self.memory < 1 or self.disk < 1:
            raise Misuse("there is no cache without memory or disk", "both are 1 byte or more", "Choose larger ones.")
        if self.order not in ORDERS:
            raise Misuse(f"{self.order!r} is no order of eviction", "", f"Take one of {', '.join(ORDERS)}.")


def tally(outcomes: Any, lengths: Any) -> Tally:
    """Of requests with such ``outcomes`` for so many bytes each, one entry a request in both."""
    counts = np.bincount(outcomes, minlength=4)
    sizes = np.bincount(outcomes, weights=lengths, minlength=4).astype(np.int64)  # exact below 2^53 bytes
    fetched = int(sizes[ORIGIN] + sizes[WRITTEN])
    return Tally(len(outcomes), int(sizes.sum()), int(counts[HOT]), int(sizes[HOT]), fetched, int(sizes[WRITTEN]))


def tallies(outcomes: Any, lengths: Any, edges: Sequence[int]) -> list[Tally]:
    """One for each stretch of requests between two ``edges``."""
    return [tally(outcomes[first:last], lengths[first:last]) for first, last in pairwise(edges)]


@dataclass
class Cache:
    """Both levels, at one request of a trace. What is admitted may change with every call."""

    trace: Trace
    setting: Setting
    order: str = ""
    """Of eviction from memory, if not the setting's."""
    position: int = 0
    """The next request."""
    hot: Level = field(init=False)
    disk: Level = field(init=False)

    def __post_init__(self) -> None:
        objects = len(self.trace.sizes)
        mean = max(1, self.trace.footprint // objects)
        self.hot = level(
            self.order or self.setting.order, objects, self.setting.memory, 1 + self.setting.memory // mean
        )
        self.disk = level("lru", objects, self.setting.disk)

    def replay(self, last: int, admitted: Any = None) -> Any:
        """Go on to request ``last``: outcomes, uint8. ``admitted``: of these requests, which memory may keep; all if None."""
        part = slice(self.position, last)
        objects, sizes = self.trace.objects[part], self.trace.sizes
        asked = np.full(len(objects), OFFERED, dtype=np.uint8) if admitted is None else offers(admitted)
        hot = self.hot.replay(objects, sizes, asked) == HIT
        below = np.where(hot, np.uint8(PASSED), np.uint8(ASKED) + self.trace.known[part])
        disk = self.disk.replay(objects, sizes, below)
        self.position = part.stop
        outcomes = np.full(len(objects), ORIGIN, dtype=np.uint8)
        outcomes[disk == KEPT] = WRITTEN
        outcomes[disk == HIT] = DISK
        outcomes[hot] = HOT
        return outcomes

    def with_expert(self, last: int, expert: Expert) -> Any:
        """Go on to request ``last`` with ``expert``."""
        return self.replay(last, expert_admits(self.trace, self.position, last, expert))

    def copy(self) -> "Cache":
        """The same state, to try something else from here."""
        found = Cache.__new__(Cache)
        found.__dict__.update(self.__dict__, hot=self.hot.copy(), disk=self.disk.copy())
        return found


def offers(admitted: Any) -> Any:
    """What a level is asked where objects may be kept as ``admitted`` says, bool or 0 and 1."""
    return np.uint8(ASKED) + admitted.astype(np.uint8, copy=False)


def expert_admits(trace: Trace, first: int, last: int, expert: Expert) -> Any:
    """Of these requests, which ``expert`` lets into memory: bool."""
    return (trace.ordinals[first:last] >= expert.frequency) & (trace.lengths[first:last] < expert.size)


def hot_hits(trace: Trace, setting: Setting, experts: Sequence[Expert]) -> Any:
    """Which requests memory answers under each of ``experts`` for the whole trace: bool, (experts, requests).

    Memory does not depend on the disk, so this takes half the time of a replay with both.
    """
    found = np.empty((len(experts), len(trace)), dtype=np.bool_)
    for row, expert in zip(found, experts, strict=True):
        hot = level(setting.order, len(trace.sizes), setting.memory)
        row[:] = hot.replay(trace.objects, trace.sizes, offers(expert_admits(trace, 0, len(trace), expert))) == HIT
    return found
