"""What a provider has begun, remembered while it runs; what must survive a restart is in its lane's journal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from agents.core.agents.provider_duties import UnderWay, reserved_by
from agents.core.market.types import SlotState
from agents.core.market.view import MarketView, SlotKey
from agents.store.slots import SlotName

FIRST_REST = 15
"""Seconds after a first failure; twice as many after each further one."""
LONGEST_REST = 3_600

K = TypeVar("K")


class Rests(Generic[K]):
    """Who rests until when (chain time), longer after every failure."""

    def __init__(self, first: int = FIRST_REST) -> None:
        self._first = first
        self._failed: dict[K, tuple[int, int]] = {}

    def failed(self, key: K, now: int) -> int:
        """One more failure; seconds of rest for it."""
        failures = self._failed.get(key, (0, 0))[0] + 1
        rest = min(self._first << min(failures - 1, 16), LONGEST_REST)
        self._failed[key] = (failures, now + rest)
        return rest

    def succeeded(self, key: K) -> None:
        """Its failures are forgotten."""
        self._failed.pop(key, None)

    def resting(self, now: int) -> frozenset[K]:
        """Who rests at ``now``."""
        return frozenset(key for key, (_, until) in self._failed.items() if now < until)


class Begun:
    """Makes an `UnderWay` at every step. ``me`` is the provider's address."""

    def __init__(self, me: str) -> None:
        self._me = me
        self._reserving: dict[SlotKey, int | None] = {}
        self._rebuilding: set[SlotKey] = set()
        self._rebuilds: Rests[SlotKey] = Rests()
        self._lapses: Rests[bytes] = Rests()
        self._reserved: set[SlotKey] = set()
        self.now = 0
        """Chain time of the newest step."""

    @contextmanager
    def reserving(self, key: SlotKey) -> Iterator[None]:
        """A reservation is sent in the block; it counts until it is seen, see `reserved`, unless it fails."""
        self._reserving[key] = None
        try:
            yield
        finally:
            if self._reserving[key] is None:
                del self._reserving[key]

    def reserved(self, key: SlotKey, block: int) -> None:
        """A reservation was mined in ``block``."""
        self._reserving[key] = block

    @contextmanager
    def rebuilding(self, key: SlotKey) -> Iterator[None]:
        """A slot is rebuilt in the block; after a failure it rests."""
        self._rebuilding.add(key)
        try:
            yield
        except Exception:
            self._rebuilds.failed(key, self.now)
            raise
        else:
            self._rebuilds.succeeded(key)
        finally:
            self._rebuilding.discard(key)

    def look(self, view: MarketView, now: int, reorged: bool) -> None:
        """Learn from a new view: a reservation nobody uploaded to costs a bond, so its request rests."""
        self.now = now
        mine = {
            (request.id, index)
            for request in view.requests.values()
            for index, slot in enumerate(request.slots)
            if slot.host == self._me and slot.state is SlotState.RESERVED
        }
        # After a reorganisation a reservation may be missing because it is not in a block yet.
        for id, index in set() if reorged else self._reserved - mine:
            request = view.requests[id]
            slot = request.slots[index]
            if slot.host != self._me and not slot.vacated_at and not request.state(now).terminal:
                self._lapses.failed(id, now)
        self._reserved = mine

    def under_way(
        self,
        view: MarketView,
        block: int,
        pending: Sequence[str],
        arriving: Sequence[SlotName],
        refused: frozenset[bytes],
    ) -> UnderWay:
        """All of it, as of ``block``; ``pending`` are the effects in the lane that are not mined yet."""
        sent = {found for key in pending if (found := reserved_by(key)) is not None}
        self._reserving = {key: mined for key, mined in self._reserving.items() if mined is None or mined > block}
        names = set(arriving)
        partly = {
            (request.id, index)
            for request in view.requests.values()
            for index in range(len(request.slots))
            if SlotName(request.content.cid, index) in names
        }
        return UnderWay(
            reserving=frozenset(sent | set(self._reserving)),
            rebuilding=frozenset(self._rebuilding),
            arriving=frozenset(partly),
            resting=self._rebuilds.resting(self.now),
            refused=refused | self._lapses.resting(self.now),
        )
