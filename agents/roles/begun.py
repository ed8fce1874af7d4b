"""What a provider has begun, remembered while it runs; its effects survive a restart in its sender's journal."""

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager

from agents.chain.journal import Journal
from agents.core.agents.provider_duties import UnderWay, reserved_by
from agents.core.market.types import SlotState
from agents.core.market.view import MarketView, SlotKey
from agents.roles.lapses import Lapses, Rests
from agents.store.folders import SlotName


class Begun:
    """Makes an `UnderWay` at every step. ``me`` is the provider's address, ``memory`` outlives the process."""

    def __init__(self, me: str, memory: Journal) -> None:
        self._me = me
        self._reserving: dict[SlotKey, int | None] = {}
        self._rebuilding: set[SlotKey] = set()
        self._spares: set[SlotKey] = set()
        self._rebuilds: Rests[SlotKey] = Rests()
        self._lapses = Lapses(memory)
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
    def rebuilding(self, key: SlotKey, spares: Set[SlotKey] = frozenset()) -> Iterator[None]:
        """A slot is rebuilt in the block, and ``spares`` on the side; after a failure it rests."""
        self._rebuilding.add(key)
        self._spares |= spares
        try:
            yield
        except Exception:
            self._rebuilds.failed(key, self.now)
            raise
        else:
            self._rebuilds.succeeded(key)
        finally:
            self._rebuilding.discard(key)
            self._spares -= spares

    def look(self, view: MarketView, now: int, reorged: bool, held: Set[SlotKey]) -> None:
        """Learn from a new view what became of reservations; ``held`` are the slots that are here whole."""
        self.now = now
        mine = {
            (request.id, index)
            for request in view.requests.values()
            for index, slot in enumerate(request.slots)
            if slot.host == self._me and slot.state is SlotState.RESERVED
        }
        # After a reorganisation a reservation may be missing because it is not in a block yet.
        for key in set() if reorged else self._reserved - mine:
            if self._has_lapsed(view, key, now):
                self._lapses.add(view, key, key in held, now)
        self._lapses.forget(view)
        self._reserved = mine

    def _has_lapsed(self, view: MarketView, key: SlotKey, now: int) -> bool:
        """Whether a reservation that is no more cost its bond."""
        request, slot = view.requests[key[0]], view.slot(key)
        if slot.host == self._me or self._me in slot.former_hosts:
            return False
        # One for a repair is given back at the request's end; a first sale that expires takes the bond with it.
        return not slot.vacated_at or not request.state(now).terminal

    def under_way(
        self,
        view: MarketView,
        block: int,
        pending: Sequence[str],
        arriving: Sequence[SlotName],
        refused: frozenset[bytes],
    ) -> UnderWay:
        """All of it, as of ``block``; ``pending`` are the sender's effects that are not mined yet."""
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
            spares=frozenset(self._spares),
            arriving=frozenset(partly),
            resting=self._rebuilds.resting(self.now),
            refused=refused | self._lapses.refused(view, self.now),
            lapsed=self._lapses.slots(view),
        )
