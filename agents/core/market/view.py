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
from agents.core.market.economics import earned, minimal_term, slashed
from agents.core.market.periods import period_of
from agents.core.market.placement import Sale, steepness
from agents.core.market.types import (
    Ask,
    Content,
    MarketConfig,
    RequestState,
    SlotState,
    StakeConfig,
    request_id_of,
    slot_id,
    slot_index_of,
)  # fmt: skip

SlotKey = tuple[bytes, int]

REMEMBERED = 64
"""Periods of which a slot's proofs are kept, as in ProofHistory.sol; at most 32 can be markable at once."""


@dataclass(frozen=True)
class SlotView:
    """One slot."""

    state: SlotState = SlotState.FREE
    host: str | None = None
    """The host when filled, the reserver when reserved."""
    reserved_at: int = 0
    """When it was last reserved."""
    deadline: int = 0
    """End of the reservation."""
    filled_at: int = 0
    fill_period: int = 0
    proven_at: int = 0
    proven: frozenset[int] = frozenset()
    """Periods proven in this tenure, of the newest REMEMBERED ones: no miss of an older one can still be marked."""
    missed: frozenset[int] = frozenset()
    """Periods marked missed in this tenure."""
    misses_before_proof: int = 0
    claimed: int = 0
    vacated_at: int = 0
    vacated_block: int = 0
    reservations: int = 0
    expired: int = 0
    pot: int = 0
    former_hosts: frozenset[str] = frozenset()
    """Everybody who ever filled it: lazy repair is for others."""


@dataclass(frozen=True)
class RequestView:
    """One request and its slots."""

    id: bytes
    client: str
    ask: Ask
    content: Content
    created_at: int
    created_block: int
    expires_at: int
    ends_at: int
    deposit: int
    slots: tuple[SlotView, ...]
    paid: int = 0
    """What of the deposit was credited to hosts."""
    started: bool = False
    failed_at: int = 0
    closed: bool = False
    repair_opened_at: int = 0
    repair_opened_block: int = 0

    def state(self, now: int) -> RequestState:
        """Its state at ``now``."""
        if self.failed_at:
            return RequestState.FAILED
        if self.started:
            return RequestState.STARTED if now < self.ends_at else RequestState.FINISHED
        return RequestState.NEW if now < self.expires_at else RequestState.CANCELLED

    def end(self, now: int) -> int:
        """When it ended or, while it lives, will end at the latest."""
        if self.failed_at:
            return self.failed_at
        return self.expires_at if self.state(now) is RequestState.CANCELLED else self.ends_at

    @property
    def vacant(self) -> int:
        """Slots lost and not filled again, reserved ones included."""
        return sum(bool(slot.vacated_at) for slot in self.slots)

    def sale(self, index: int, config: MarketConfig) -> Sale | None:
        """The sale slot ``index`` is in, or None while it waits for its repair to open."""
        slot, s = self.slots[index], steepness(self.ask.dispersal)
        if not slot.vacated_at:
            return Sale(self.created_at, self.created_block, (self.expires_at - self.created_at) // 2, s)
        if not self.repair_opened_at:
            return None
        late = slot.vacated_block > self.repair_opened_block
        start, seed = (
            (slot.vacated_at, slot.vacated_block) if late else (self.repair_opened_at, self.repair_opened_block)
        )
        return Sale(start, seed, config.repair_window, s)

    def for_sale(self, index: int, now: int, config: MarketConfig) -> bool:
        """Whether slot ``index`` can be reserved by somebody at ``now``, eligibility apart."""
        slot = self.slots[index]
        if self.state(now).terminal or slot.state in (SlotState.FILLED, SlotState.SETTLED):
            return False
        if slot.state is SlotState.RESERVED and now < slot.deadline:
            return False
        if self.sale(index, config) is None:
            return False
        return not slot.vacated_at or self.ends_at - now >= minimal_term(self.ask.proof_probability, config)

    def holds(self, account: str) -> bool:
        """Whether ``account`` hosts or has reserved one of its slots."""
        return any(slot.host == account for slot in self.slots)

    def claimable(self, index: int, now: int, config: MarketConfig) -> int:
        """What the host of slot ``index`` can claim now."""
        slot = self.slots[index]
        if slot.state is not SlotState.FILLED:
            return 0
        until = min(slot.proven_at, self.end(now))
        return earned(self.ask.rate, slot.filled_at, until, slot.misses_before_proof, slot.claimed, config)

    def settlement(self, index: int, now: int, config: MarketConfig) -> int:
        """What the host of slot ``index`` is paid at its settlement: all misses count, and time until the end."""
        slot = self.slots[index]
        if slot.state is not SlotState.FILLED:
            return 0
        return earned(self.ask.rate, slot.filled_at, self.end(now), len(slot.missed), slot.claimed, config)


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
            return self._with(replace(found, closed=True))
        if isinstance(event, e.RepairOpened):
            at = event.at
            return self._with(replace(found, repair_opened_at=at.timestamp, repair_opened_block=at.block_number))
        index = slot_index_of(event.slot_id) if by_slot else event.slot_index
        if index >= len(found.slots):
            raise _impossible(event, "its request has no such slot")
        slot = self._slot(found, found.slots[index], event)
        slots = (*found.slots[:index], slot, *found.slots[index + 1 :])
        changed = replace(found, slots=slots, paid=found.paid + _pay(event))
        if isinstance(event, e.SlotFilled) and changed.vacant == 0:
            changed = replace(changed, repair_opened_at=0, repair_opened_block=0)
        return self._with(changed)

    def _with(self, request: RequestView) -> "MarketView":
        return replace(self, requests={**self.requests, request.id: request})

    def _slot(self, request: RequestView, slot: SlotView, event: Any) -> SlotView:
        config, at = self.config, event.at
        vacant = SlotState.LOST if slot.vacated_at else SlotState.FREE
        if isinstance(event, e.SlotReserved):
            _expect(event, slot, SlotState.FREE, SlotState.LOST)
            return replace(
                slot, state=SlotState.RESERVED, host=event.provider, reserved_at=at.timestamp, deadline=event.deadline,
                reservations=event.reservation_index + 1,
            )  # fmt: skip
        if isinstance(event, e.ReservationForfeited):
            _expect(event, slot, SlotState.RESERVED, host=event.provider)
            return replace(slot, state=vacant, host=None, deadline=0, expired=slot.expired + 1)
        if isinstance(event, e.ReservationReleased):
            _expect(event, slot, SlotState.RESERVED, host=event.provider)
            return replace(slot, state=vacant, host=None, deadline=0)
        if isinstance(event, e.SlotFilled):
            _expect(event, slot, SlotState.RESERVED, host=event.host)
            return SlotView(
                SlotState.FILLED, event.host, filled_at=at.timestamp, proven_at=at.timestamp,
                fill_period=period_of(at.block_number, config), reservations=slot.reservations, expired=slot.expired,
                former_hosts=slot.former_hosts | {event.host},
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
            return replace(slot, state=SlotState.SETTLED, host=None)
        raise _impossible(event, "nobody knows it")

    def _lost(self, request: RequestView, slot: SlotView, event: e.SlotLost) -> SlotView:
        _expect(event, slot, SlotState.FILLED, host=event.host)
        now = event.at.timestamp
        gone = replace(slot, host=None, deadline=0, pot=slot.pot + event.slashed)
        if request.state(now).terminal:
            return replace(gone, state=SlotState.SETTLED)
        if not request.started:
            return replace(gone, state=SlotState.FREE)
        # A new sale: its reservations are counted anew.
        return replace(
            gone, state=SlotState.LOST, reservations=0, expired=0, vacated_at=now, vacated_block=event.at.block_number
        )

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


def _pay(event: Any) -> int:
    """What an event credits to a host out of the deposit."""
    if isinstance(event, e.PayClaimed):
        return event.amount
    return event.paid if isinstance(event, e.SlotLost | e.SlotSettled) else 0


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


def locked_for(request: RequestView, index: int, config: MarketConfig) -> int:
    """Collateral still locked for a slot."""
    slot = request.slots[index]
    return request.ask.collateral - slashed(request.ask.collateral, len(slot.missed), config) if slot.host else 0


def slot_ids(request: RequestView) -> list[bytes]:
    """Ids of its slots."""
    return [slot_id(request.id, index) for index in range(len(request.slots))]
