"""Which requested objects a cache keeps in memory and on disk.

A cache has two levels: hot objects in memory, more of them on disk. A policy is asked at every request, hits included,
in the order in which requests come, after it was found out where the object is; so it can learn what hits it makes.
A policy only admits: the order of eviction is agents/core/admission/eviction.py.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable


class Found(Enum):
    """Where a requested object was."""

    HOT = "hot"
    DISK = "disk"
    ORIGIN = "origin"
    """Nowhere here: it had to be fetched."""


@dataclass(frozen=True)
class Decision:
    """Where an object shall be from now on; it goes nowhere it already is."""

    hot: bool
    """Keep it in memory."""
    disk: bool
    """Keep it on disk. A cache keeps an object's very first request off its disk whatever a policy says."""


class Admission(Protocol):
    """An admission policy."""

    def request(self, key: Hashable, size: int, found: Found) -> Decision:
        """Object ``key`` of ``size`` bytes was requested, and ``found`` there."""


@runtime_checkable
class Learning(Admission, Protocol):
    """A policy that now and then has more to compute than a request can wait for."""

    def due(self) -> Callable[[], None] | None:
        """What is to be computed now, if anything; once, in another thread, while requests go on as before."""


class Everything:
    """Every object, as a plain LRU cache has it."""

    def request(self, key: Hashable, size: int, found: Found) -> Decision:
        """As Admission."""
        return Decision(hot=True, disk=True)


REMEMBERED = 1 << 17
"""Objects whose requests are counted: the longest unrequested are forgotten. Some 30 MiB."""


class Counts:
    """How often each object was requested, of the ``limit`` requested last."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._counts: OrderedDict[Hashable, int] = OrderedDict()

    def add(self, key: Hashable) -> int:
        """Counts a request; which of the object's it is, from 1."""
        count = self._counts.pop(key, 0) + 1
        self._counts[key] = count
        if len(self._counts) > self._limit:
            self._counts.popitem(last=False)
        return count


class Static:
    """Darwin's expert (f, s): into memory from the ``frequency``-th request on, if smaller than ``size`` bytes."""

    def __init__(self, frequency: int, size: int) -> None:
        self.frequency = frequency
        self.size = size
        self._counts = Counts()

    def request(self, key: Hashable, size: int, found: Found) -> Decision:
        """As Admission."""
        count = self._counts.add(key)
        return Decision(hot=count >= self.frequency and size < self.size, disk=True)
