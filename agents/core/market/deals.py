"""A request and its slots as the events tell them, and what time answers about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agents.core.market.economics import earned, minimal_term, slashed
from agents.core.market.extensions import Extensions
from agents.core.market.placement import Sale, steepness
from agents.core.market.types import Ask, Content, MarketConfig, RequestState, SlotState, slot_id

SlotKey = tuple[bytes, int]

REMEMBERED = 56
"""Periods of which a slot's proofs are kept, as in ProofRecord.sol; at most 32 can be markable at once."""


@dataclass(frozen=True)
class SlotView:
    """One slot."""

    state: SlotState = SlotState.FREE
    host: str | None = None
    """The host when filled, the reserver when reserved."""
    reserved_at: int = 0
    """When it was last reserved."""
    held_until: int = 0
    """End of the reservation or, once filled, of the time the host agreed to serve."""
    serves_until: int = 0
    """While reserved, the end that the reserver agreed to: the request's at the reservation."""
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
    departed_at: int = 0
    """Until when the host that left had agreed to serve; 0 unless the slot was left."""
    left_by: str | None = None
    """Who that was: it may have the data still."""
    reservations: int = 0
    expired: int = 0
    pot: int = 0
    former_hosts: frozenset[str] = frozenset()
    """Everybody who ever filled it: lazy repair is for others."""

    @property
    def vacant_state(self) -> SlotState:
        """What it is while nobody holds it."""
        if not self.vacated_at:
            return SlotState.FREE
        return SlotState.DEPARTED if self.departed_at else SlotState.LOST


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
    """What the client paid for it at first."""
    slots: tuple[SlotView, ...]
    paid: int = 0
    """What was credited to hosts of all that was paid for it."""
    funded: Mapping[str, int] = field(default_factory=dict)
    """What each funder paid for its extensions."""
    extensions: Extensions = ()
    refunded: int = 0
    """How many of them were refunded."""
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

    def slot_end(self, index: int, now: int) -> int:
        """When duty and pay of the host of a filled slot end: with the time it agreed to, or with the request."""
        return min(self.slots[index].held_until, self.end(now))

    def settles_at(self, index: int, now: int, config: MarketConfig) -> int:
        """From when on a filled slot can be settled."""
        return self.slot_end(index, now) + config.settle_seconds

    @property
    def unspent(self) -> int:
        """What was paid for it and not credited to hosts."""
        return self.deposit + sum(self.funded.values()) - self.paid

    @property
    def refund(self) -> int:
        """What of that the client is credited at the end, as things are: funders get what nobody serves of what they paid."""
        return self.unspent - sum(extension.idle for extension in self.extensions)

    @property
    def vacant(self) -> int:
        """Slots lost or left and not filled again, reserved ones included."""
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
        if slot.state is SlotState.RESERVED and now < slot.held_until:
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
        until = min(slot.proven_at, self.slot_end(index, now))
        return earned(self.ask.rate, slot.filled_at, until, slot.misses_before_proof, slot.claimed, config)

    def settlement(self, index: int, now: int, config: MarketConfig) -> int:
        """What the host of slot ``index`` is paid at its settlement: all misses count, and time until the end."""
        slot = self.slots[index]
        if slot.state is not SlotState.FILLED:
            return 0
        return earned(self.ask.rate, slot.filled_at, self.slot_end(index, now), len(slot.missed), slot.claimed, config)


def locked_for(request: RequestView, index: int, config: MarketConfig) -> int:
    """Collateral still locked for a slot."""
    slot = request.slots[index]
    return request.ask.collateral - slashed(request.ask.collateral, len(slot.missed), config) if slot.host else 0


def slot_ids(request: RequestView) -> list[bytes]:
    """Ids of its slots."""
    return [slot_id(request.id, index) for index in range(len(request.slots))]
