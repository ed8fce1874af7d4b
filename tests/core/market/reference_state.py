"""What the reference of the two contracts remembers: histories where the contracts have counters and packed words."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from agents.core.market.types import HASHED_BLOCKS, Ask, SlotState

UINT128 = 2**128 - 1

NOBODY = "0x" + "0" * 40


class Refused(Exception):
    """A call reverts with the error called ``name``."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True)
class Tx:
    """Who calls, and the block the call is in."""

    caller: str
    block: int
    now: int
    """Timestamp of ``block``."""
    hashes: Mapping[int, bytes]
    """Hashes of the blocks before ``block``."""
    block_hash: bytes = b""
    """Of ``block``: for the events' places, as no call can know it."""
    tx_hash: bytes = b""

    def hash_of(self, number: int) -> bytes | None:
        """What the contracts can know of a block's hash."""
        return self.hashes[number] if 0 < self.block - number <= HASHED_BLOCKS else None


@dataclass
class Stake:
    """One provider."""

    id: bytes
    registered: int
    endpoint: str
    since: int = 0
    free: int = 0
    locked: int = 0
    unbonding: int = 0
    release_at: int = 0


@dataclass(frozen=True)
class Extension:
    """Time that somebody added to a request: [start, until)."""

    funder: str
    start: int
    until: int


@dataclass
class Deal:
    """One request."""

    client: str
    ask: Ask
    root: int
    created_at: int
    created_block: int
    expires_at: int
    ends_at: int
    """With all extensions."""
    paid_in: int
    paid_out: int = 0
    """Of ``paid_in``: to hosts, as bounties for slots that were left and, when it is closed, to funders and client."""
    extensions: tuple[Extension, ...] = ()
    """Every one, in order."""
    started: bool = False
    failed_at: int | None = None
    closed: bool = False
    repair: tuple[int, int] | None = None
    """Time and block of its opening, until no slot is vacant."""

    @property
    def unspent(self) -> int:
        """What of its price nobody has got yet."""
        return self.paid_in - self.paid_out


@dataclass(frozen=True)
class Reservation:
    """Who may fill a slot, until when, and the end it agreed to serve to: the request's at the reservation."""

    provider: str
    at: int
    deadline: int
    agreed: int


@dataclass(frozen=True)
class Tenure:
    """A host's time with a slot."""

    host: str
    filled_at: int
    period: int
    """Of the fill: duty begins with the next one."""
    paid_from: int
    """The fill or, by the bounty for a slot that was left, seconds of pay before it."""
    agreed: int
    """Until when the host agreed to serve."""
    proofs: tuple[tuple[int, int], ...] = ()
    """Period and time of each that was accepted."""
    missed: frozenset[int] = frozenset()
    claimed: int = 0
    paid_until: int | None = None
    """When the tenure is over: the end of the time that its pay was for."""

    @property
    def proven(self) -> frozenset[int]:
        """Periods."""
        return frozenset(period for period, _ in self.proofs)

    @property
    def proven_at(self) -> int:
        """When the last proof was accepted: the fill's is the first."""
        return self.proofs[-1][1] if self.proofs else self.filled_at

    @property
    def missed_before_proof(self) -> int:
        """Misses of periods that were over at the last proof."""
        return sum(period < max(self.proven, default=0) for period in self.missed)


@dataclass
class Slot:
    """One slot; whoever has ``tenure`` hosts it, whoever has ``reservation`` reserved it."""

    reservation: Reservation | None = None
    tenure: Tenure | None = None
    past: tuple[Tenure, ...] = ()
    settled: bool = False
    vacated: tuple[int, int] | None = None
    """Time and block of the loss, or of the settlement of a host that left, since which it is vacant."""
    departed_at: int | None = None
    """Of a slot that its host left: until when that host had agreed to serve."""
    reservations: int = 0
    expired: int = 0
    pot: int = 0

    @property
    def host(self) -> str | None:
        """Who holds it."""
        if self.tenure is not None:
            return self.tenure.host
        return self.reservation.provider if self.reservation is not None else None

    @property
    def state(self) -> SlotState:
        """As in Types.sol."""
        if self.tenure is not None:
            return SlotState.FILLED
        if self.reservation is not None:
            return SlotState.RESERVED
        if self.settled:
            return SlotState.SETTLED
        if self.vacated is None:
            return SlotState.FREE
        return SlotState.LOST if self.departed_at is None else SlotState.DEPARTED

    @property
    def paid_spans(self) -> list[tuple[int, int]]:
        """The spans of time that some host was paid for, or is going to be, in order: no second twice."""
        spans = [(one.paid_from, one.paid_until or 0) for one in self.past]
        if self.tenure is not None:
            spans.append((self.tenure.paid_from, self.tenure.agreed))
        ends = [end for span in spans for end in span]
        assert ends == sorted(ends), spans
        return spans


Value = TypeVar("Value")


@dataclass
class State:
    """Everything that a call can change."""

    wallets: dict[str, int] = field(default_factory=dict)
    allowed: dict[str, int] = field(default_factory=dict)
    balance: int = 0
    """Tokens in the vault."""
    stakes: dict[str, Stake] = field(default_factory=dict)
    credits: dict[str, int] = field(default_factory=dict)
    pool: int = 0
    liabilities: int = 0
    deals: dict[bytes, Deal] = field(default_factory=dict)
    slots: dict[tuple[bytes, int], Slot] = field(default_factory=dict)

    def copied(self) -> "State":
        """A state of its own."""
        return replace(
            self, wallets=dict(self.wallets), allowed=dict(self.allowed), stakes=_copies(self.stakes),
            credits=dict(self.credits), deals=_copies(self.deals), slots=_copies(self.slots),
        )  # fmt: skip


def _copies(values: dict[Any, Value]) -> dict[Any, Value]:
    return {key: copy(value) for key, value in values.items()}
