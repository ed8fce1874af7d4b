"""What the contracts say: one frozen dataclass an event, fields as in IMarketplace.sol and IStakeRegistry.sol.

The ledger and every agent's view are rebuilt from these alone.
"""

from dataclasses import dataclass

from agents.core.market.types import Ask, Content


@dataclass(frozen=True, order=True)
class EventPlace:
    """Where an event stands on the chain; the order of places is the order of events."""

    block_number: int
    log_index: int
    block_hash: bytes = b""
    tx_hash: bytes = b""
    timestamp: int = 0
    """Of its block."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Any event of ours."""

    at: EventPlace


# --- StakeRegistry ---


@dataclass(frozen=True, kw_only=True)
class Registered(Event):
    provider: str
    id: bytes
    endpoint: str


@dataclass(frozen=True, kw_only=True)
class EndpointChanged(Event):
    provider: str
    endpoint: str


@dataclass(frozen=True, kw_only=True)
class Deposited(Event):
    provider: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class UnstakeStarted(Event):
    provider: str
    amount: int
    release_at: int


@dataclass(frozen=True, kw_only=True)
class Unbonded(Event):
    provider: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class Locked(Event):
    provider: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class Unlocked(Event):
    provider: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class Slashed(Event):
    provider: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class Credited(Event):
    account: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class Withdrawn(Event):
    account: str
    to: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class Pulled(Event):
    from_: str
    amount: int


# --- Marketplace ---


@dataclass(frozen=True, kw_only=True)
class StorageRequested(Event):
    request_id: bytes
    client: str
    ask: Ask
    content: Content
    expires_at: int
    ends_at: int
    deposit: int


@dataclass(frozen=True, kw_only=True)
class SlotReserved(Event):
    request_id: bytes
    slot_index: int
    provider: str
    deadline: int
    bond: int
    reservation_index: int


@dataclass(frozen=True, kw_only=True)
class ReservationForfeited(Event):
    request_id: bytes
    slot_index: int
    provider: str
    bond: int


@dataclass(frozen=True, kw_only=True)
class ReservationReleased(Event):
    request_id: bytes
    slot_index: int
    provider: str


@dataclass(frozen=True, kw_only=True)
class SlotFilled(Event):
    request_id: bytes
    slot_index: int
    host: str
    bounty: int
    to_client: int


@dataclass(frozen=True, kw_only=True)
class RequestStarted(Event):
    request_id: bytes


@dataclass(frozen=True, kw_only=True)
class ProofSubmitted(Event):
    slot_id: bytes
    period: int


@dataclass(frozen=True, kw_only=True)
class ProofMissed(Event):
    slot_id: bytes
    period: int
    validator: str
    slashed: int
    reward: int


@dataclass(frozen=True, kw_only=True)
class SlotLost(Event):
    request_id: bytes
    slot_index: int
    host: str
    paid: int
    slashed: int


@dataclass(frozen=True, kw_only=True)
class RepairOpened(Event):
    request_id: bytes


@dataclass(frozen=True, kw_only=True)
class RequestFailed(Event):
    request_id: bytes


@dataclass(frozen=True, kw_only=True)
class PayClaimed(Event):
    slot_id: bytes
    host: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class SlotSettled(Event):
    request_id: bytes
    slot_index: int
    host: str
    paid: int


@dataclass(frozen=True, kw_only=True)
class SlotDeparted(Event):
    request_id: bytes
    slot_index: int
    host: str
    paid: int


@dataclass(frozen=True, kw_only=True)
class RequestExtended(Event):
    request_id: bytes
    funder: str
    from_: int
    until: int
    price: int


@dataclass(frozen=True, kw_only=True)
class ExtensionAccepted(Event):
    request_id: bytes
    slot_index: int
    host: str
    held_until: int


@dataclass(frozen=True, kw_only=True)
class FunderRefunded(Event):
    request_id: bytes
    funder: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class RequestClosed(Event):
    request_id: bytes
    client: str
    refund: int
    pots: int


REGISTRY_EVENTS: tuple[type[Event], ...] = (
    Registered, EndpointChanged, Deposited, UnstakeStarted, Unbonded, Locked, Unlocked, Slashed, Credited, Withdrawn,
    Pulled,
)  # fmt: skip
"""Every event of the StakeRegistry; a class has its event's name."""

MARKET_EVENTS: tuple[type[Event], ...] = (
    StorageRequested, SlotReserved, ReservationForfeited, ReservationReleased, SlotFilled, RequestStarted, ProofSubmitted,
    ProofMissed, SlotLost, RepairOpened, RequestFailed, PayClaimed, SlotSettled, SlotDeparted,
    RequestExtended, ExtensionAccepted, FunderRefunded, RequestClosed,
)  # fmt: skip
"""Every event of the Marketplace."""
