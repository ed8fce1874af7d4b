"""Which object a cache gives up next. An order knows keys and sizes, never bytes."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Protocol


class Eviction(Protocol):
    """The order in which kept objects go."""

    def added(self, key: Hashable, size: int) -> None:
        """The object is kept from now on; it was not before."""

    def used(self, key: Hashable) -> None:
        """A kept object was requested."""

    def removed(self, key: Hashable) -> None:
        """A kept object went for another reason than eviction: it was damaged, say."""

    def evict(self) -> Hashable:
        """The object to go now; it is kept no more. Raises KeyError when none is kept."""


class Lru:
    """The least recently used goes first."""

    def __init__(self) -> None:
        self._order: OrderedDict[Hashable, None] = OrderedDict()

    def added(self, key: Hashable, size: int) -> None:
        """As Eviction."""
        self._order[key] = None

    def used(self, key: Hashable) -> None:
        """As Eviction."""
        self._order.move_to_end(key)

    def removed(self, key: Hashable) -> None:
        """As Eviction."""
        del self._order[key]

    def evict(self) -> Hashable:
        """As Eviction."""
        return self._order.popitem(last=False)[0]
