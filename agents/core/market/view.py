"""The market as its events tell it: every request, slot and provider, without asking the chain.

A view is immutable. `MarketView.after` gives the view after one more event, sharing all that did not change, so an agent can
keep the views of recent blocks and go back to one when the chain reorganises. Events must come in the chain's order; one that
cannot follow raises ChainLies: then the events are not those of the contracts, or some are missing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agents.core.errors import ChainLies
from agents.core.market import events as e
from agents.core.market.deals import REMEMBERED, RequestView, SlotKey, SlotView, locked_for, slot_ids
from agents.core.market.extensions import Extensions, added, committed, released
from agents.core.market.periods import period_of
from agents.core.market.types import MarketConfig, SlotState, StakeConfig, request_id_of, slot_index_of

__all__ = ["MarketView", "ProviderView", "RequestView", "SlotKey", "SlotView", "locked_for", "slot_ids"]


@dataclass(frozen=True)
class ProviderView:
    """One registered provider."""

    address: str
    id: bytes
    registered_block: int
    endpoint: str
    free: int = 0
    locked: int = 0
    unbonding: int = 0
    release_at: int = 0
    staked_since: int = 0
    """Block in which free + locked last rose to the minimum; 0 while below."""


@dataclass(frozen=True)
class MarketView:
    """Everything the events tell."""

    config: MarketConfig
    stake: StakeConfig
    requests: Mapping[bytes, RequestView] = field(default_factory=dict)
    providers: Mapping[str, ProviderView] = field(default_factory=dict)
    credits: Mapping[str, int] = field(default_factory=dict)
    last: e.EventPlace | None = None

    def after_all(self, events: Iterable[e.Event]) -> "MarketView":
        """The view after ``events``."""
        view = self
        for event in events:
            view = view.after(event)
        return view

    def after(self, event: e.Event) -> "MarketView":
        """The view after ``event``. Raises ChainLies for one that cannot follow."""
        if self.last is not None and event.at <= self.last:
            raise _impossible(event, "it comes before one that was seen")
        view = self
        if isinstance(event, e.MARKET_EVENTS):
            view = self._market(event)
        elif isinstance(event, e.REGISTRY_EVENTS):
            view = self._registry(event)
        return replace(view, last=event.at)

    def slot(self, key: SlotKey) -> SlotView:
        """A slot by request and index."""
        return self.requests[key[0]].slots[key[1]]

    # --- the marketplace ---

    def _market(self, event: Any) -> "MarketView":
        if isinstance(event, e.StorageRequested):
            if event.request_id in self.requests:
                raise _impossible(event, "the request exists")
            request = RequestView(
                event.request_id, event.client, event.ask, event.content, event.at.timestamp, event.at.block_number,
                event.expires_at, event.ends_at, event.deposit, (SlotView(),) * event.ask.slots,
            )  # fmt: skip
            return self._with(request)
        by_slot = hasattr(event, "slot_id")
        id = request_id_of(event.slot_id) if by_slot else event.request_id
        found = self.requests.get(id)
        if found is None:
            raise _impossible(event, "its request was never posted")
        if isinstance(event, e.RequestStarted):
            return self._with(replace(found, started=True))
        if isinstance(event, e.RequestFailed):
            return self._with(replace(found, failed_at=event.at.timestamp))
        if isinstance(event, e.RequestClosed):
            if found.refunded != len(found.extensions):
                raise _impossible(event, "not every funder was refunded")
            return self._with(replace(found, closed=True))
        if isinstance(event, e.RequestExtended):
            return self._with(_extended(found, event))
        if isinstance(event, e.FunderRefunded):
            if event.funder not in [one.funder for one in found.extensions[found.refunded :][:1]]:
                raise _impossible(event, "it is not this funder's turn")
            return self._with(replace(found, refunded=found.refunded + 1))
        if isinstance(event, e.RepairOpened):
            at = event.at
            return self._with(replace(found, repair_opened_at=at.timestamp, repair_opened_block=at.block_number))
        index = slot_index_of(event.slot_id) if by_slot else event.slot_index
        if index >= len(found.slots):
            raise _impossible(event, "its request has no such slot")
        slot = self._slot(found, found.slots[index], event)
        slots = (*found.slots[:index], slot, *found.slots[index + 1 :])
        extensions = _commitments(found, found.slots[index], event)
        changed = replace(found, slots=slots, paid=found.paid + _pay(found.slots[index], event), extensions=extensions)
        if isinstance(event, e.SlotFilled) and changed.vacant == 0:
            changed = replace(changed, repair_opened_at=0, repair_opened_block=0)
        return self._with(changed)

    def _with(self, request: RequestView) -> "MarketView":
        return replace(self, requests={**self.requests, request.id: request})

    def _slot(self, request: RequestView, slot: SlotView, event: Any) -> SlotView:
        config, at = self.config, event.at
        if isinstance(event, e.SlotReserved):
            _expect(event, slot, slot.vacant_state)
            return replace(
                slot, state=SlotState.RESERVED, host=event.provider, reserved_at=at.timestamp,
                held_until=event.deadline, serves_until=request.ends_at, reservations=event.reservation_index + 1,
            )  # fmt: skip
        if isinstance(event, e.ReservationForfeited):
            _expect(event, slot, SlotState.RESERVED, host=event.provider)
            return replace(slot, state=slot.vacant_state, host=None, held_until=0, expired=slot.expired + 1)
        if isinstance(event, e.ReservationReleased):
            _expect(event, slot, SlotState.RESERVED, host=event.provider)
            return replace(slot, state=slot.vacant_state, host=None, held_until=0)
        if isinstance(event, e.SlotFilled):
            _expect(event, slot, SlotState.RESERVED, host=event.host)
            return SlotView(
                SlotState.FILLED, event.host, held_until=slot.serves_until, filled_at=at.timestamp,
                proven_at=at.timestamp, fill_period=period_of(at.block_number, config), reservations=slot.reservations,
                expired=slot.expired, former_hosts=slot.former_hosts | {event.host},
            )  # fmt: skip
        if isinstance(event, e.ProofSubmitted):
            _expect(event, slot, SlotState.FILLED)
            proven = {period for period in slot.proven if period > event.period - REMEMBERED} | {event.period}
            return replace(
                slot, proven=frozenset(proven), proven_at=at.timestamp, misses_before_proof=len(slot.missed)
            )  # fmt: skip
        if isinstance(event, e.ProofMissed):
            _expect(event, slot, SlotState.FILLED)
            late = any(period > event.period for period in slot.proven)
            return replace(
                slot, missed=slot.missed | {event.period}, pot=slot.pot + event.slashed - event.reward,
                misses_before_proof=slot.misses_before_proof + late,
            )  # fmt: skip
        if isinstance(event, e.SlotLost):
            return self._lost(request, slot, event)
        if isinstance(event, e.PayClaimed):
            _expect(event, slot, SlotState.FILLED, host=event.host)
            return replace(slot, claimed=slot.claimed + event.amount)
        if isinstance(event, e.SlotSettled):
            _expect(event, slot, SlotState.FILLED, host=event.host)
            return replace(slot, state=SlotState.SETTLED, host=None, held_until=0)
        if isinstance(event, e.ExtensionAccepted):
            _expect(event, slot, SlotState.FILLED, host=event.host)
            return replace(slot, held_until=event.held_until)
        if isinstance(event, e.SlotDeparted):
            _expect(event, slot, SlotState.FILLED, host=event.host)
            return replace(
                _on_sale(slot, event), departed_at=slot.held_until, left_by=event.host, state=SlotState.DEPARTED
            )
        raise _impossible(event, "nobody knows it")

    def _lost(self, request: RequestView, slot: SlotView, event: e.SlotLost) -> SlotView:
        _expect(event, slot, SlotState.FILLED, host=event.host)
        gone = replace(slot, host=None, held_until=0, pot=slot.pot + event.slashed)
        if request.state(event.at.timestamp).terminal:
            return replace(gone, state=SlotState.SETTLED)
        if not request.started:
            return replace(gone, state=SlotState.FREE)
        return replace(_on_sale(gone, event), state=SlotState.LOST)

    # --- the registry ---

    def _registry(self, event: Any) -> "MarketView":
        if isinstance(event, e.Credited):
            return self._credit(event.account, event.amount)
        if isinstance(event, e.Withdrawn):
            return self._credit(event.account, -event.amount)
        if isinstance(event, e.Pulled):
            return self
        provider = self.providers.get(event.provider)
        if isinstance(event, e.Registered):
            provider = ProviderView(event.provider, event.id, event.at.block_number, event.endpoint)
        elif provider is None:
            raise _impossible(event, "its provider never registered")
        elif isinstance(event, e.EndpointChanged):
            provider = replace(provider, endpoint=event.endpoint)
        elif isinstance(event, e.UnstakeStarted):
            provider = _moved(provider, free=-event.amount, unbonding=event.amount)
            provider = replace(provider, release_at=event.release_at)
        elif isinstance(event, e.Unbonded):
            provider = _moved(provider, unbonding=-event.amount)
        else:
            provider = _moved(provider, **_MOVES[type(event)](event.amount))
        view = self._provider(provider, event.at.block_number)
        return view._credit(event.provider, event.amount) if isinstance(event, e.Unbonded) else view

    def _provider(self, provider: ProviderView, block: int) -> "MarketView":
        if min(provider.free, provider.locked, provider.unbonding) < 0:
            raise ChainLies("The registry's events do not add up", f"{provider.address} would hold less than nothing")
        enough = provider.free + provider.locked >= self.stake.min_stake
        since = (provider.staked_since or block) if enough else 0
        found = replace(provider, staked_since=since)
        return replace(self, providers={**self.providers, found.address: found})

    def _credit(self, account: str, amount: int) -> "MarketView":
        return replace(self, credits={**self.credits, account: self.credits.get(account, 0) + amount})


_MOVES: dict[type[e.Event], Callable[[int], dict[str, int]]] = {
    e.Deposited: lambda amount: {"free": amount},
    e.Locked: lambda amount: {"free": -amount, "locked": amount},
    e.Unlocked: lambda amount: {"free": amount, "locked": -amount},
    e.Slashed: lambda amount: {"locked": -amount},
}
"""What an event moves between a provider's stakes."""


def _pay(slot: SlotView, event: Any) -> int:
    """What an event credits to a host out of what was paid for the request; ``slot`` is as it was before."""
    if isinstance(event, e.PayClaimed):
        return event.amount
    if isinstance(event, e.SlotFilled) and slot.departed_at:
        return event.bounty
    return event.paid if isinstance(event, e.SlotLost | e.SlotSettled | e.SlotDeparted) else 0


def _extended(request: RequestView, event: e.RequestExtended) -> RequestView:
    if event.from_ != request.ends_at or not request.started:
        raise _impossible(event, f"the request ends at {request.ends_at}")
    extensions = added(request.extensions, event.funder, event.from_, event.until, event.price)
    funded = {**request.funded, event.funder: request.funded.get(event.funder, 0) + event.price}
    return replace(request, ends_at=event.until, funded=funded, extensions=extensions)


def _commitments(request: RequestView, slot: SlotView, event: Any) -> Extensions:
    """The extensions after an event of ``slot``, as it was before: whoever fills it or stays is committed to time of them."""
    extensions, rate, now = request.extensions, request.ask.rate, event.at.timestamp
    if not extensions:
        return extensions
    if isinstance(event, e.SlotFilled):
        # The bounty for a slot that was left is pay of the time since, which the repairer earns too.
        since = now - (event.bounty // rate if slot.departed_at and rate else 0)
        return committed(extensions, rate, since, slot.serves_until)
    if isinstance(event, e.ExtensionAccepted):
        return committed(extensions, rate, slot.held_until, event.held_until)
    end = min(slot.held_until, request.end(now))
    if isinstance(event, e.SlotLost):
        return released(extensions, rate, min(slot.proven_at, end), slot.held_until)
    if isinstance(event, e.SlotSettled):
        return released(extensions, rate, end, slot.held_until)
    return extensions


def _on_sale(slot: SlotView, event: e.Event) -> SlotView:
    """``slot`` in a new sale: its reservations are counted anew."""
    return replace(
        slot, host=None, held_until=0, reservations=0, expired=0, vacated_at=event.at.timestamp,
        vacated_block=event.at.block_number,
    )  # fmt: skip


def _moved(provider: ProviderView, free: int = 0, locked: int = 0, unbonding: int = 0) -> ProviderView:
    return replace(
        provider, free=provider.free + free, locked=provider.locked + locked, unbonding=provider.unbonding + unbonding
    )


def _expect(event: e.Event, slot: SlotView, *states: SlotState, host: str | None = None) -> None:
    if slot.state not in states or (host is not None and slot.host != host):
        raise _impossible(event, f"the slot is {slot.state.name.lower()} and its host {slot.host}")


def _impossible(event: e.Event, why: str) -> ChainLies:
    place = f"block {event.at.block_number}, log {event.at.log_index}"
    return ChainLies(
        f"{type(event).__name__} at {place} cannot be", why, "Use another RPC, or start from the first block."
    )
