"""Objects in memory, within a budget of bytes."""

from collections.abc import Hashable

from agents.core.admission.eviction import Eviction, Lru

OVERHEAD = 700
"""Bytes an object takes beside its own: views, keys, and its places in tables (measured, rounded up)."""


class HotCache:
    """Views of verified bytes. Whoever is given one shares it: what is evicted lives on until the last of them lets go."""

    def __init__(self, budget: int, order: Eviction | None = None) -> None:
        self.budget = budget
        self.used = 0
        self.evicted = 0
        self._order = order or Lru()
        self._objects: dict[Hashable, memoryview] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._objects

    @property
    def keys(self) -> list[Hashable]:
        """What is here."""
        return list(self._objects)

    def get(self, key: Hashable) -> memoryview | None:
        """The object, if it is here; it is used now."""
        found = self._objects.get(key)
        if found is not None:
            self._order.used(key)
        return found

    def put(self, key: Hashable, data: memoryview) -> bool:
        """Keep an object; whether it is here now: one that no budget can hold is not."""
        need = len(data) + OVERHEAD
        if key in self._objects:
            return True
        if need > self.budget:
            return False
        while self.used + need > self.budget:
            gone = self._order.evict()
            self.used -= len(self._objects.pop(gone)) + OVERHEAD
            self.evicted += 1
        self._objects[key] = data
        self._order.added(key, len(data))
        self.used += need
        return True
