"""The cache's account of one lane: what was served, what is paid and secured, and what may be served next.

A cache is never more than one interval ahead of what it can be sure of: the lower of what the reader signed and what
the chain keeps for the lane. Whether a signature is the reader's is found out by whoever calls (agents/net/signing.py).
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from agents.core.channels.credit import Risk
from agents.core.channels.lanes import MAX_AMOUNT, Lane, SignedGrant, SignedVoucher, invalid
from agents.core.channels.terms import Terms
from agents.core.errors import PaymentDue


class Halt(StrEnum):
    """Why a lane is served no further, and so what the reader has to do."""

    DEPOSIT = "deposit"
    """The payer's deposit is below what a first interval takes: deposit."""
    OPENING = "opening"
    """The chain keeps no more for the lane: open it, or keep more for it."""
    VOUCHER = "voucher"
    """What was served is not paid: sign."""
    DEBT = "debt"
    """The reader or its payer owes so much in other lanes that no more is served ahead in this one: pay there."""
    CLOSING = "closing"
    """The payer is taking its deposit out: use another payer's lane."""
    EXPIRED = "expired"
    """The lane has ended or ends before a voucher could be redeemed: begin another."""


@dataclass(frozen=True)
class Cover:
    """What the chain shows of a lane and of its payer's account."""

    epoch: int = 0
    """Of the payer's account now."""
    pool: int = 0
    """The payer's deposit that no lane keeps."""
    closes_at: int = 0
    """UNIX seconds at which the payer may take everything out; 0 while it does not want to."""
    reserved: int = 0
    """Kept for the lane and not yet redeemed."""
    redeemed: int = 0
    """Paid in the lane."""

    @property
    def secured(self) -> int:
        """The cumulative amount up to which a voucher on the lane is sure to be paid."""
        return self.redeemed + self.reserved


@dataclass(frozen=True)
class Till:
    """One lane at its cache. Amounts are cumulative base units."""

    lane: Lane
    terms: Terms
    cover: Cover = field(default_factory=Cover)
    served: int = 0
    """Bytes of block content sent."""
    owed: int = 0
    """For them, at the prices of the time."""
    voucher: SignedVoucher | None = None
    """The highest one: all that is kept of a lane when a cache stops."""
    credit: int = MAX_AMOUNT
    """What is served ahead at most, however long the interval: what its parties owe in other lanes shortens it."""
    granted: bool = False
    """Whether the payer of a sponsored lane was seen to have signed the reader a grant."""

    def __post_init__(self) -> None:
        if self.terms.price == 0:
            raise invalid("the price is zero", "Serve free reads without a till.")

    @property
    def paid(self) -> int:
        """What the reader signed for."""
        return self.voucher.voucher.amount if self.voucher else 0

    @property
    def sure(self) -> int:
        """What the cache can redeem whatever anybody does; of an epoch that is over, what it redeemed."""
        return min(self.paid, self.cover.secured if self._current else self.cover.redeemed)

    @property
    def earned(self) -> int:
        """Of what the reader signed, what was served for it or has money behind it: signing alone is free."""
        return max(min(self.paid, self.owed), self.cover.redeemed + self.claim())

    @property
    def unpaid(self) -> int:
        """What a reader that left now would have left unpaid."""
        return max(0, self.owed - self.paid)

    @property
    def exposed(self) -> int:
        """What would be lost if the payer's other lanes took all of its pool: one deposit is behind many signatures."""
        return max(0, self.owed - self.sure)

    @property
    def risk(self) -> Risk:
        """What it says of its reader and its payer."""
        return Risk(self.lane.reader, self.lane.payer, self.sure, self.exposed)

    @property
    def lapsed(self) -> Risk:
        """The same once the lane is over: what was not redeemed by then is lost, for whatever reason."""
        paid = self.cover.redeemed
        return Risk(self.lane.reader, self.lane.payer, paid, max(0, self.owed - paid))

    @property
    def ahead(self) -> int:
        """Bytes served ahead; before it is open, none rather than fewer than it takes to be opened."""
        if self.cover.closes_at or self.credit < (0 if self.cover.secured else self.terms.opening):
            return 0
        return min(self.terms.window(self.sure), self.credit // self.terms.price)

    def accept(self, signed: SignedVoucher, signer: str) -> "Till":
        """The till with a voucher that ``signer`` signed. The one it has already changes nothing.

        Raises VoucherInvalid for another lane's, another signer's (as a voucher for another chain or contract is, whose
        digest differs), or a lower one. One above what the lane keeps is taken; `room` counts what is kept.
        """
        if signed.voucher.lane != self.lane:
            raise invalid("the voucher is another lane's", "Sign for the lane the cache names.")
        if signer != self.lane.reader:
            raise invalid("the voucher is not signed by the lane's reader for this chain and contract", "Sign it anew.")
        if signed.voucher.amount == self.paid:
            return self
        if signed.voucher.amount < self.paid:
            raise invalid(
                f"the voucher is for {signed.voucher.amount}, less than the {self.paid} signed before",
                "Amounts are of the whole lane: add to the last one.",
            )
        return replace(self, voucher=signed)

    def shown(self, signed: SignedGrant, signer: str) -> "Till":
        """The till once a grant was shown that ``signer`` signed. Raises VoucherInvalid if it is for another lane.

        A contract's signature is nobody's here: its readers are served once the chain has taken it and the lane is open.
        """
        if not signed.grant.covers(self.lane):
            raise invalid("the grant does not cover the lane", "Name its sponsor, epoch and expiry in the lane.")
        return replace(self, granted=signer == self.lane.payer)

    def seen(self, cover: Cover) -> "Till":
        """The till with what the chain shows now."""
        return replace(self, cover=cover)

    def halt(self, now: int, size: int = 1) -> Halt | None:
        """Why ``size`` bytes more may not be served at ``now``; None if they may."""
        if self._ended(now):
            return Halt.EXPIRED
        if self.room(now) >= size:
            return None
        if self.cover.closes_at:
            return Halt.CLOSING
        if self.owed + self.terms.cost(size) > self._ceiling():
            return Halt.OPENING if self.cover.secured or self._deposited() else Halt.DEPOSIT
        return Halt.VOUCHER if size <= self.ahead else Halt.DEBT

    def room(self, now: int) -> int:
        """Bytes that may be served at ``now``."""
        if self._ended(now):
            return 0
        limit = min(self.sure + self.terms.cost(self.ahead), self._ceiling())
        return max(0, limit - self.owed) // self.terms.price

    def take(self, size: int, now: int) -> "Till":
        """The till after ``size`` bytes are served. Raises PaymentDue when that is more than may be served."""
        if size > self.room(now):
            raise PaymentDue(
                "The cache stops here",
                f"{self.unpaid} base units are unpaid ({self.halt(now) or 'voucher'})",
                "Pay as its offer says.",
            )
        return replace(self, served=self.served + size, owed=self.owed + self.terms.cost(size))

    def give_back(self, size: int) -> "Till":
        """The till after ``size`` bytes that were taken are not served after all."""
        return replace(self, served=self.served - size, owed=self.owed - self.terms.cost(size))

    def claim(self) -> int:
        """What redeeming the voucher pays now: from what the lane keeps, and a reader's own deposit."""
        if not self._current:
            return 0
        behind = 0 if self.lane.sponsored else self.cover.pool
        return max(0, min(self.paid, self.cover.secured + behind) - self.cover.redeemed)

    def pressing(self, now: int) -> bool:
        """Whether it will soon be too late to redeem."""
        return bool(self.cover.closes_at) or now + 2 * self.terms.margin >= self.lane.expiry

    @property
    def _current(self) -> bool:
        return self.lane.epoch == self.cover.epoch

    def _ended(self, now: int) -> bool:
        ends = min(self.lane.expiry, self.cover.closes_at or self.lane.expiry)
        return not self._current or now + self.terms.margin >= ends

    def _ceiling(self) -> int:
        """What the chain can be expected to pay: what the lane keeps, or a first interval on the strength of a deposit."""
        first = self.terms.cost(self.terms.interval) if self._deposited() else 0
        return max(self.cover.secured, first)

    def _deposited(self) -> bool:
        # Anybody can name a rich payer.
        own = self.granted or not self.lane.sponsored
        return own and self.cover.pool > 0 and self.cover.pool >= self.terms.minimal_deposit
