"""S3-FIFO's order of eviction (Yang et al., SOSP 2023): most objects are asked for once, and go soon."""

from collections import OrderedDict
from collections.abc import Hashable

from agents.core.errors import Misuse

SMALL_SHARE = 0.1
"""Of the bytes, in the small queue. What leaves it unrequested is remembered, as many bytes as the main queue's."""
PROMOTED = 2
"""Requests in the small queue that take an object to the main one."""
MOST = 3
"""Requests that are counted."""


class _Queue(OrderedDict[Hashable, int]):
    """Sizes of objects, the one that came first first, and their sum."""

    def __init__(self) -> None:
        super().__init__()
        self.used = 0

    def push(self, key: Hashable, size: int) -> None:
        self[key] = size
        self.used += size

    def take(self, key: Hashable) -> int:
        size = self.pop(key)
        self.used -= size
        return size

    def first(self) -> tuple[Hashable, int]:
        key = next(iter(self))
        return key, self.take(key)


class S3Fifo:
    """A small queue for what is new, a main one for what proved wanted, and ghosts of what left the small one."""

    def __init__(self, capacity: int) -> None:
        """For a cache of so many bytes. Raises Misuse."""
        if capacity < 1:
            raise Misuse(f"a cache of {capacity} bytes can hold nothing", "", "Give it more.")
        self._small_share = int(capacity * SMALL_SHARE)
        self._main_share = capacity - self._small_share
        self._small, self._main, self._ghosts = _Queue(), _Queue(), _Queue()
        self._requests: dict[Hashable, int] = {}
        self._full = False
        """Whether something was ever evicted: until then, what the small queue has no room for goes to the main one."""

    def added(self, key: Hashable, size: int) -> None:
        """As Eviction."""
        known = key in self._ghosts
        if known:
            self._ghosts.take(key)
        fills = not self._full and self._small.used >= self._small_share
        (self._main if known or fills else self._small).push(key, size)
        self._requests[key] = 0

    def used(self, key: Hashable) -> None:
        """As Eviction."""
        self._requests[key] = min(MOST, self._requests[key] + 1)

    def removed(self, key: Hashable) -> None:
        """As Eviction."""
        del self._requests[key]
        (self._small if key in self._small else self._main).take(key)

    def evict(self) -> Hashable:
        """As Eviction."""
        self._full = True
        while self._small and self._main.used <= self._main_share:
            key, size = self._small.first()
            if self._requests[key] < PROMOTED:
                self._remember(key, size)
                del self._requests[key]
                return key
            self._requests[key] = 0
            self._main.push(key, size)
        if not self._main:
            raise KeyError("nothing is kept")
        while True:
            key, size = self._main.first()
            if not self._requests[key]:
                del self._requests[key]
                return key
            self._requests[key] -= 1
            self._main.push(key, size)

    def _remember(self, key: Hashable, size: int) -> None:
        while self._ghosts and self._ghosts.used + size > self._main_share:
            self._ghosts.first()
        self._ghosts.push(key, size)
