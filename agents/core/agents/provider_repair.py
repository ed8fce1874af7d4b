"""Repair among several providers: one downloads k slots and makes every lost one of them, the others take theirs from it.

Coding regenerates all lost slots at the cost of one (Codex, §4.3 and §5), but a provider may hold one slot of a request. So
whoever is first in the order below makes them all and offers those it may not host; who comes later asks before it rebuilds.
"""

import json
from collections.abc import Iterator, Set
from dataclasses import asdict, dataclass
from typing import Self

from agents.core.agents.provider_duties import Clock, Rebuild, UnderWay
from agents.core.market.placement import position
from agents.core.market.types import SlotState
from agents.core.market.view import MarketView, ProviderView, RequestView, SlotKey

ASKED = 6
"""Providers at most that are asked whether they are rebuilding already."""
OFFERED = 4
"""Reservations, one after the other, during which a spare slot is offered after everybody could reserve it."""

REPAIRED = "repaired "
"""What the log line of a slot that came back begins with; JSON follows."""

Promised = dict[tuple[bytes, int], int]
"""Bytes of quota by content and slot."""


def distance(view: MarketView, request: RequestView, index: int, who: ProviderView, clock: Clock) -> int | None:
    """How far ``who`` is from the next reservation of slot ``index``; None while it may not make it."""
    sale = request.sale(index, view.config)
    seed = clock.hashes.get(sale.seed_block) if sale else None
    if sale is None or seed is None or not 0 < who.staked_since < sale.seed_block:
        return None
    place = position(seed, request.id, index, request.slots[index].reservations)
    found = int.from_bytes(who.id, "big") ^ place
    return found if sale.eligible(found, clock.now, clock.block) else None


def may_repair(request: RequestView, index: int, who: str) -> bool:
    """Whether slot ``index`` is vacant and ``who`` may still come to host it: repair is for others than those it had."""
    slot = request.slots[index]
    if not slot.vacated_at:
        return False
    return not lost_one(request, who) and (slot.host == who or not request.holds(who))


def lost_one(request: RequestView, who: str) -> bool:
    """Whether ``who`` ever hosted a slot of ``request`` that it does not host any more."""
    return any(who in slot.former_hosts and slot.host != who for slot in request.slots)


def is_offered(view: MarketView, request: RequestView, index: int, me: str, now: int) -> bool:
    """Whether data of slot ``index``, which ``me`` may not host besides its own, is kept for another who may."""
    slot, sale = request.slots[index], request.sale(index, view.config)
    if not slot.vacated_at or sale is None:
        return False
    lasts = view.config.repair_window + OFFERED * view.config.reserve_seconds
    # Whoever lost it has nothing worth having; whoever left it has it whole.
    return (me not in slot.former_hosts or me == slot.left_by) and now < sale.start + lasts


def partners(request: RequestView, me: str) -> list[str]:
    """Who has slots to spare: others that reserved or filled one since the repair opened, and those who left theirs."""
    found = dict.fromkeys(
        slot.host
        for slot in request.slots
        if slot.host is not None
        and request.repair_opened_at
        and (slot.vacated_at or slot.filled_at >= request.repair_opened_at)
    )
    found |= dict.fromkeys(slot.left_by for slot in request.slots if slot.left_by is not None)
    return [who for who in found if who != me]


def rebuilds(
    view: MarketView,
    me: str,
    chosen: list[SlotKey],
    held: Set[SlotKey],
    promised: Promised,
    room: int,
    clock: Clock,
    begun: UnderWay,
) -> Iterator[Rebuild]:
    """Rebuild each slot of ``chosen``, and with it as many other lost ones as ``room`` has bytes for."""
    for id, index in chosen:
        request, spares = view.requests[id], []
        for other in _for_sale(view, request, clock.now):
            key, place = (id, other), (request.content.cid, other)
            if other == index or key in held or key in begun.rebuilding or _is_coming(view, request, other, me):
                continue
            needed = 0 if place in promised else request.ask.slot_size
            if needed <= room:
                spares.append(other)
                promised.setdefault(place, needed)
                room -= needed
        yield Rebuild(id, index, tuple(spares), ahead(view, request, me, clock))


def ahead(view: MarketView, request: RequestView, me: str, clock: Clock) -> tuple[str, ...]:
    """Providers that may be rebuilding slots of ``request`` already, as they could reserve one before ``me``, first to last.

    Everybody sees the same order, so two never wait for each other.
    """
    lost, mine = _for_sale(view, request, clock.now), view.providers[me]
    places = {
        who.address: nearest
        for who in view.providers.values()
        if who is mine or _may_join(request, who)
        if (nearest := _nearest(view, request, lost, who, clock)) is not None
    }
    limit = (places[me], me) if me in places else None
    order = sorted((place, who) for who, place in places.items())
    return tuple(who for place, who in order if limit is None or (place, who) < limit)[:ASKED]


def _for_sale(view: MarketView, request: RequestView, now: int) -> list[int]:
    """Vacant slots that nobody has reserved."""
    return [
        index
        for index, slot in enumerate(request.slots)
        if slot.state in (SlotState.LOST, SlotState.DEPARTED) and request.for_sale(index, now, view.config)
    ]


def _is_coming(view: MarketView, request: RequestView, index: int, me: str) -> bool:
    """Whether another request for the same content brings ``me`` the data."""
    return any(
        other.content.cid == request.content.cid and index < len(other.slots) and other.slots[index].host == me
        for other in view.requests.values()
    )


def _may_join(request: RequestView, who: ProviderView) -> bool:
    return not lost_one(request, who.address) and not request.holds(who.address) and who.free >= request.ask.collateral


def _nearest(view: MarketView, request: RequestView, lost: list[int], who: ProviderView, clock: Clock) -> int | None:
    found = (distance(view, request, index, who, clock) for index in lost)
    return min((place for place in found if place is not None), default=None)


@dataclass(frozen=True)
class Repaired:
    """How a lost slot came back, as a provider's log tells it."""

    slot: int
    fetched: int
    """Bytes of blocks that came from others, the useless ones among them."""
    source: str | None
    """Who had it to spare; None: it was rebuilt from k others."""
    spares: tuple[int, ...]
    """Slots that were made in the same pass, for others to host."""

    def line(self) -> str:
        """For the log."""
        return REPAIRED + json.dumps(asdict(self))

    @classmethod
    def parse(cls, line: str) -> Self | None:
        """From a line of a log; None for another line."""
        _, found, text = line.partition(REPAIRED + "{")
        if not found:
            return None
        told = json.loads("{" + text)
        return cls(told["slot"], told["fetched"], told["source"], tuple(told["spares"]))
