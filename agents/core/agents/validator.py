"""A validator's duties: mark what was missed, and bring to an end what nobody else does."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agents.core.market.periods import challenge, first_block, markable_blocks, over_before, period_of, required
from agents.core.market.types import SlotState, slot_id
from agents.core.market.view import MarketView, RequestView


@dataclass(frozen=True)
class MarkMissing:
    """Mark a period's proof as missing."""

    request: bytes
    index: int
    period: int

    @property
    def key(self) -> str:
        """Once a period."""
        return f"mark:{self.request.hex()}:{self.index}:{self.period}"


@dataclass(frozen=True)
class CloseReservation:
    """Close a reservation that expired or became pointless."""

    request: bytes
    index: int
    deadline: int

    @property
    def key(self) -> str:
        """Once a reservation."""
        return f"close:{self.request.hex()}:{self.index}:{self.deadline}"


@dataclass(frozen=True)
class SettleSlot:
    """Settle a slot that is over, with its request or before it."""

    request: bytes
    index: int
    filled_at: int

    @property
    def key(self) -> str:
        """Once a tenure."""
        return f"settle:{self.request.hex()}:{self.index}:{self.filled_at}"


@dataclass(frozen=True)
class CloseRequest:
    """Give the client back what is left."""

    request: bytes

    @property
    def key(self) -> str:
        """Once."""
        return f"finish:{self.request.hex()}"


def together(marks: Sequence[MarkMissing], most: int) -> list[tuple[MarkMissing, ...]]:
    """``marks`` by period, in their order, at most so many at once: a call marks misses of one period."""
    found: dict[int, list[MarkMissing]] = {}
    for mark in marks:
        found.setdefault(mark.period, []).append(mark)
    return [tuple(all_[at : at + most]) for all_ in found.values() for at in range(0, len(all_), most)]


Duty = MarkMissing | CloseReservation | SettleSlot | CloseRequest


def markable_periods(view: MarketView, block: int) -> range:
    """Periods whose misses can be marked in the block after ``block``."""
    config = view.config
    current = period_of(block + 1, config)
    oldest = max(0, current - 1 - config.mark_blocks // config.period_blocks)
    return range(oldest, current)


def blocks_needed(view: MarketView, block: int) -> set[int]:
    """Blocks whose hashes `duties` needs."""
    return {first_block(period, view.config) for period in markable_periods(view, block)}


def duties(view: MarketView, block: int, now: int, hashes: Mapping[int, bytes]) -> list[Duty]:
    """Everything that anybody may do about ended and missed things after ``block``; misses first, oldest first."""
    found: list[Duty] = []
    for request in view.requests.values():
        if not request.closed:
            found.extend(_misses(view, request, block, now, hashes))
    found.sort(key=lambda duty: duty.period if isinstance(duty, MarkMissing) else 0)
    for request in view.requests.values():
        if not request.closed:
            found.extend(_endings(view, request, now))
    return found


def _misses(
    view: MarketView, request: RequestView, block: int, now: int, hashes: Mapping[int, bytes]
) -> Iterator[MarkMissing]:
    config = view.config
    for index, slot in enumerate(request.slots):
        if slot.state is not SlotState.FILLED:
            continue
        end = request.slot_end(index, now)
        for period in markable_periods(view, block):
            seed = hashes.get(first_block(period, config))
            if seed is None or period <= slot.fill_period or period in slot.proven or period in slot.missed:
                continue
            timely = block + 1 in markable_blocks(period, config) and over_before(period, end, block, now, config)
            if timely and required(challenge(seed, slot_id(request.id, index)), request.ask.proof_probability):
                yield MarkMissing(request.id, index, period)


def _endings(view: MarketView, request: RequestView, now: int) -> Iterator[Duty]:
    terminal = request.state(now).terminal
    active = False
    for index, slot in enumerate(request.slots):
        if slot.state is SlotState.RESERVED:
            active = True
            if terminal or now >= slot.held_until:
                yield CloseReservation(request.id, index, slot.held_until)
        elif slot.state is SlotState.FILLED:
            active = True
            if now >= request.settles_at(index, now, view.config):
                yield SettleSlot(request.id, index, slot.filled_at)
    if terminal and not active:
        yield CloseRequest(request.id)
