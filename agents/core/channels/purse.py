"""The reader's account of one lane: what it verified, what it signed, and what it signs next.

A reader signs for bytes it verified and for nothing else, but for what broken connections lost on the way: that it may
concede, up to one interval in the whole life of a lane and a hundredth of what was earned in it. So a cache that lies takes no
more than that, and one that is read from for long outlives many a broken connection.
"""

from dataclasses import dataclass, replace

from agents.core.channels.lanes import Lane, Voucher
from agents.core.channels.terms import Terms
from agents.core.errors import NotEnough, PeerError

SPARE = 1 << 20
"""Bytes the cache may still send when a voucher is signed, so that they do not stop while it travels: of short intervals
half, of long ones a quarter."""
LOST = 100
"""One byte in so many that were verified may be lost on the way, beyond an interval."""


@dataclass(frozen=True)
class Purse:
    """One lane at its reader. Amounts are cumulative base units."""

    lane: Lane
    terms: Terms
    limit: int
    """The most it signs: what the lane keeps, or what the user said to pay at most."""
    verified: int = 0
    """Bytes of block content that matched their digests."""
    earned: int = 0
    """For them, at the prices of the time."""
    conceded: int = 0
    """Beyond them: for bytes that were lost on the way."""
    signed: int = 0
    """The highest voucher's amount."""

    @property
    def owed(self) -> int:
        """What the reader holds to be due."""
        return self.earned + self.conceded

    @property
    def short(self) -> int:
        """By how much the limit is too low for what is owed."""
        return max(0, self.owed - self.limit)

    @property
    def due(self) -> bool:
        """Whether to sign now, so that the voucher is there while the cache may still send: see SPARE."""
        window = self.terms.window(self.signed)
        spare = max(window // 4, min(window // 2, SPARE))
        return self.owed - self.signed >= self.terms.cost(window - spare)

    def verify(self, size: int) -> "Purse":
        """The purse after ``size`` more bytes matched."""
        return replace(self, verified=self.verified + size, earned=self.earned + self.terms.cost(size))

    def next(self, *, last: bool = False) -> tuple["Purse", Voucher | None]:
        """The voucher to sign now, if one is due or this was the ``last`` block, and the purse once it is signed.

        Raises NotEnough when the limit is reached.
        """
        if self.owed <= self.signed or not (last or self.due):
            return self, None
        amount = min(self.owed, self.limit)
        if amount <= self.signed:
            raise NotEnough(
                "The lane is used up",
                f"{self.owed} base units are due, and it keeps {self.limit}",
                "Keep more of the deposit for it, or deposit more.",
            )
        return replace(self, signed=amount), Voucher(self.lane, amount)

    def concede(self, owed: int) -> "Purse":
        """The purse of a reader that grants the cache's word for what is owed. Raises PeerError when it claims too much."""
        lost = owed - self.owed
        if lost <= 0:
            return self
        # What was conceded before bought nothing: it makes no interval longer.
        bought = max(0, self.signed - self.conceded)
        allowed = self.terms.cost(self.terms.window(bought)) + bought // LOST
        if self.conceded + lost > allowed:
            raise PeerError(
                "The cache claims more than it sent",
                f"{owed} base units where {self.owed} are due; {allowed - self.conceded} may be lost on the way",
                "Read from another one.",
            )
        return replace(self, conceded=self.conceded + lost)


def resumed(lane: Lane, terms: Terms, limit: int, signed: int, conceded: int = 0) -> Purse:
    """The purse of a lane used before, whose highest voucher was for ``signed``: but for what was conceded, it counts as
    verified."""
    earned = signed - conceded
    return Purse(lane, terms, limit, earned // max(terms.price, 1), earned, conceded, signed)
