"""What a provider may have to do, what it takes, and what it knows when it is told: plain values."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

from agents.core.market.types import MarketConfig
from agents.core.market.view import SlotKey

SLOW_BLOCKS = 5
"""Seconds between the blocks of a chain that goes back now and then and whose next block is worth waiting for."""
MANY_BLOCKS = 16
"""Blocks of a period in which two can be waited for."""
PROVING_SHARE = 2
"""A period, divided by this, may go into proofs: a slot's turn comes by chance, and often for several at once."""


@dataclass(frozen=True)
class Policy:
    """Which requests a provider takes."""

    quota: int
    """Bytes of slots at most."""
    min_price: int = 0
    """Base units per byte per second at least."""
    max_duration: int | None = None
    """Seconds left at most; None: any."""
    confirmations: int | None = None
    """Blocks on top of a period's first before a proof is made for it; None: as many as suit the chain."""
    proofs_per_period: float | None = None
    """Proofs that all slots may ask for in an average period; None: any."""

    def depth(self, config: MarketConfig) -> int:
        """Blocks a period's challenge must be below the newest one: a challenge that is reorganised away costs a proof."""
        if self.confirmations is not None:
            return self.confirmations
        slow = config.block_seconds >= SLOW_BLOCKS and config.period_blocks >= MANY_BLOCKS
        return 2 if slow else 1


def provable(seconds: float, config: MarketConfig) -> float:
    """Proofs of ``seconds`` each, one after the other, to promise a period; one at least, or nothing could ever be sold."""
    return max(1.0, config.period_seconds / PROVING_SHARE / seconds)


@dataclass(frozen=True)
class Clock:
    """Where the chain is."""

    block: int
    now: int
    """Timestamp of ``block``."""
    hashes: Mapping[int, bytes]
    """Hashes of the blocks whose hashes matter, as far as they are known: see `blocks_needed`."""


@dataclass(frozen=True)
class UnderWay:
    """What a provider has begun and the view does not show, or not yet."""

    reserving: Set[SlotKey] = frozenset()
    """Reservations that were sent and are not seen yet."""
    rebuilding: Set[SlotKey] = frozenset()
    """Lost slots that are being rebuilt."""
    spares: Set[SlotKey] = frozenset()
    """Lost slots that are made on the side, for others to host."""
    arriving: Set[SlotKey] = frozenset()
    """Slots of which a part is on disk."""
    resting: Set[SlotKey] = frozenset()
    """Lost slots whose rebuilding failed a while ago: others first."""
    refused: Set[bytes] = frozenset()
    """Requests that cost a bond, or would: what they name cannot be proven, or their client uploads nothing."""
    lapsed: Set[SlotKey] = frozenset()
    """Slots of which a reservation of one's own lapsed in the sale they are in."""


NOTHING = UnderWay()


@dataclass(frozen=True)
class Reserve:
    """Reserve a slot."""

    request: bytes
    index: int
    turn: int
    """Which reservation of the slot it would be, over all its sales."""

    @property
    def key(self) -> str:
        """Once a turn."""
        return f"reserve:{self.request.hex()}:{self.index}:{self.turn}"


def reserved_by(key: str) -> SlotKey | None:
    """The slot that the effect named ``key`` reserves, or None for another effect."""
    kind, _, rest = key.partition(":")
    if kind != "reserve":
        return None
    request, index, _ = rest.split(":")
    return bytes.fromhex(request), int(index)


@dataclass(frozen=True)
class Rebuild:
    """Get a lost slot back, and check its root, before it is reserved."""

    request: bytes
    index: int
    spares: tuple[int, ...] = ()
    """Other lost slots to make in the same pass, for those who come to host them."""
    ahead: tuple[str, ...] = ()
    """Who may be rebuilding already and is to be asked first, in this order."""

    @property
    def key(self) -> str:
        """One rebuilding of a slot at a time."""
        return f"rebuild:{self.request.hex()}:{self.index}"


@dataclass(frozen=True)
class Fill:
    """Prove a reserved slot for the current period and fill it."""

    request: bytes
    index: int
    deadline: int

    @property
    def key(self) -> str:
        """Once a reservation."""
        return f"fill:{self.request.hex()}:{self.index}:{self.deadline}"


@dataclass(frozen=True)
class Prove:
    """Prove a filled slot for ``period``."""

    request: bytes
    index: int
    period: int

    @property
    def key(self) -> str:
        """Once a period."""
        return f"prove:{self.request.hex()}:{self.index}:{self.period}"


@dataclass(frozen=True)
class Accept:
    """Agree to serve a hosted slot until ``until``, its request's present end."""

    request: bytes
    index: int
    until: int

    @property
    def key(self) -> str:
        """Once an end."""
        return f"accept:{self.request.hex()}:{self.index}:{self.until}"


@dataclass(frozen=True)
class Claim:
    """Be paid for what is proven so far."""

    request: bytes
    index: int
    filled_at: int
    claimed: int
    """What was claimed before in this tenure."""

    @property
    def key(self) -> str:
        """Once a claim."""
        return f"claim:{self.request.hex()}:{self.index}:{self.filled_at}:{self.claimed}"


@dataclass(frozen=True)
class Settle:
    """Have the host of a slot that ended paid and released: oneself, or one who left the slot to others."""

    request: bytes
    index: int
    filled_at: int

    @property
    def key(self) -> str:
        """Once a tenure."""
        return f"settle:{self.request.hex()}:{self.index}:{self.filled_at}"


@dataclass(frozen=True)
class Release:
    """Close one's own reservation that expired or became pointless."""

    request: bytes
    index: int
    deadline: int

    @property
    def key(self) -> str:
        """Once a reservation."""
        return f"release:{self.request.hex()}:{self.index}:{self.deadline}"


@dataclass(frozen=True)
class Forget:
    """Delete a slot that nobody pays for any more."""

    request: bytes
    index: int

    @property
    def key(self) -> str:
        """Once a slot."""
        return f"forget:{self.request.hex()}:{self.index}"


Duty = Reserve | Rebuild | Fill | Prove | Accept | Claim | Settle | Release | Forget
