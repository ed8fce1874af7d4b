"""What readers show and sign, and what the chain says of it: the lanes of a cache, and what may be owed in each.

Every request bears its reader's signature under a voucher of 0, which no chain ever shows: whoever names somebody else's lane
is served nothing. What a reader or a payer owes in other lanes, also in those that ended, is served less ahead
(agents/core/channels/credit.py).
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from agents.core.channels.credit import Credit
from agents.core.channels.lanes import Lane, SignedGrant, SignedOpening, SignedVoucher, invalid
from agents.core.channels.offers import Offer, offer_json, standing_of
from agents.core.channels.till import Cover, Halt, Till
from agents.core.channels.wire import PAYMENT_HEADER, Payment, parse_payment
from agents.core.errors import HoldfastError
from agents.net.host import Later
from agents.net.limits import Buckets
from agents.net.shelf import PaymentRequired
from agents.roles.caching.books import Books, books_of
from agents.roles.caching.debts import BRIEFLY, MEMORY, Debts
from agents.roles.caching.lanes import Account, LaneBook
from agents.roles.caching.papers import Papers

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks at the chain for one lane, while its reader waits."""
NEW_LANES = 2.0
"""Lanes a second that one host may have looked up on the chain."""
BURST = 64
IDLE = 4096
"""Lanes with nothing in them that are remembered."""


class Chain(Protocol):
    """The contract, as far as a cache needs it. Every method raises ChainError."""

    async def covers(self, lanes: Sequence[Lane]) -> Sequence[Cover]:
        """What the chain shows of each lane and its payer."""

    async def open(self, opening: SignedOpening, grant: SignedGrant | None) -> None:
        """Open a lane, or have it keep more. Raises Refused."""

    async def redeem(self, vouchers: Sequence[SignedVoucher]) -> None:
        """Have vouchers paid. Raises Refused."""


class Cashier:
    """Takes what readers sign. ``offer`` is what is asked of everybody; ``clock`` gives UNIX seconds."""

    def __init__(self, offer: Offer, chain: Chain, book: LaneBook, debts: Debts, clock: Callable[[], float]) -> None:
        self.offer = offer
        self.book = book
        self.clock = clock
        self._papers = Papers(offer.domain)
        self._chain = chain
        self._debts = debts
        self._credit = Credit(offer.terms)
        for lane, risk in debts:
            self._credit.note(lane, risk)
        for account in book:
            self._credit.note(account.lane.id, account.till.risk)
        self._missed = {each.lane.id for each in book if clock() + offer.terms.margin >= each.lane.expiry}
        """Lanes that were over, or as good as, when the cache came back."""
        self._looks = Buckets(NEW_LANES, BURST, clock=clock)

    async def close(self) -> None:
        """Save what there is, and stop."""
        for account in self.book:
            if account.work is not None:
                account.work.cancel()
        await self.book.close()
        self._debts.close()

    async def taken(
        self, host: str, headers: Mapping[str, str], late: bool = False
    ) -> tuple[Account, bool] | tuple[None, bool]:
        """The account of the lane in the headers, what came with it taken in, and whether it is the reader that sent it.

        Raises VoucherInvalid, PaymentRequired, and Later for a new lane while the chain cannot be seen.

        ``late``: a voucher lower than one that overtook it on the way is no error.
        """
        text = headers.get(PAYMENT_HEADER)
        if text is None:
            return None, False
        payment = parse_payment(text)
        account = self.book.get(payment.lane) or await self._met(host, payment.lane)
        shown = self._papers.shown(account, payment)
        if not (late and shown and payment.voucher and payment.voucher.voucher.amount < account.till.paid):
            self._take_voucher(account, payment)
        self._take_opening(account, payment)
        return account, shown

    async def _met(self, host: str, lane: Lane) -> Account:
        if lane.cache != self.offer.cache:
            raise invalid("the lane is another cache's", f"Name {self.offer.cache} as its cache.")
        if lane.expiry <= self.clock():
            raise invalid("the lane has ended", "Begin another.")  # what it brought is in the books
        if self._looks.try_take(host) > 0:
            raise PaymentRequired(offer_json(self.offer), "too many new lanes come from your address; wait a second")
        account = Account(Till(lane, self.offer.terms))
        try:
            await self.look([account])
        except HoldfastError as error:  # what was never seen is not what is not there: its payer may have deposited
            log.warning("new lane %s cannot be looked up: %s", lane.id.hex(), error)
            raise Later("This cache cannot see the chain now", "", "Read elsewhere, and ask again soon.") from error
        self._tidy()
        known = self.book.get(lane)  # by another request of the same reader
        if known is None:
            self.book.add(account)
        return known or account

    def _tidy(self) -> None:
        """Forget lanes in which nothing ever happened, the oldest first."""
        if len(self.book) > IDLE:
            idle = [each for each in self.book if each.idle]
            for account in idle[: len(self.book) - IDLE]:
                self.book.forget(account)

    def _take_voucher(self, account: Account, payment: Payment) -> None:
        signed = payment.voucher
        if signed is None or signed == account.till.voucher:
            return
        before = account.till.paid
        self.put(account, self._papers.paid(account.till, signed))
        if account.till.paid > before and not account.idle:
            self.book.save_soon(account)
        account.changed.set()

    def _take_opening(self, account: Account, payment: Payment) -> None:
        opening = payment.opening
        if opening is not None and (account.opening is None or opening.opening.amount > account.opening.opening.amount):
            self.put(account, self._papers.opened(account.till, opening, payment.grant))
            account.opening, account.grant = opening, payment.grant
            account.changed.set()
        self._begin_opening(account)

    def _begin_opening(self, account: Account) -> None:
        """Open the lane for a reader that has paid half of a first interval, and means to pay as much again.

        A transaction for strangers is too dear, and so is one for what no deposit is behind.
        """
        till = account.till
        backed = min(till.paid, till.cover.secured + till.cover.pool)
        wanted = account.opening.opening.amount - till.cover.secured if account.opening else 0
        if min(backed, wanted) >= till.terms.opening and account.work is None:
            account.work = asyncio.create_task(self._open(account))

    async def _open(self, account: Account) -> None:
        assert account.opening is not None
        try:
            await self._chain.open(account.opening, account.grant)
            await self.look([account])
        except HoldfastError as error:
            log.info("lane %s is not opened: %s", account.lane.id.hex(), error)
            account.opening = account.grant = None  # the reader may send another
        finally:
            account.work = None
            account.changed.set()

    async def look(self, accounts: Sequence[Account]) -> None:
        """See how lanes stand on the chain. Raises ChainError."""
        for account in accounts:
            account.seen_at = self.clock()
        covers = await self._chain.covers([account.lane for account in accounts])
        for account, cover in zip(accounts, covers, strict=True):
            self.put(account, account.till.seen(cover))
            account.changed.set()

    async def glance(self, account: Account) -> None:
        """The same, not too often; what cannot be seen is as it was."""
        if self.clock() < account.seen_at + LOOK_EVERY:
            return
        try:
            await self.look([account])
        except HoldfastError as error:
            log.warning("lane %s cannot be looked up: %s", account.lane.id.hex(), error)

    def till(self, account: Account) -> Till:
        """The lane's till, with what may be owed in it now."""
        return replace(account.till, credit=self._credit.left(account.lane))

    def put(self, account: Account, till: Till) -> None:
        """The lane's till from now on."""
        account.till = till
        if self.book.get(account.lane) is account:  # it may have ended meanwhile, and left a debt
            self._credit.note(account.lane.id, till.risk)

    def told(self, account: Account, size: int, shown: bool) -> dict[str, Any]:
        """The offer, and how the lane stands: what its reader signed is shown to its reader."""
        standing = standing_of(self.till(account), int(self.clock()), size)
        if not shown:
            standing = replace(standing, room=0, halt=standing.halt or Halt.VOUCHER, signature=None)
        return offer_json(replace(self.offer, standing=standing))

    def required(self, account: Account, size: int, shown: bool = True) -> PaymentRequired:
        """Why ``size`` bytes are not served."""
        told = self.told(account, size, shown)
        return PaymentRequired(told, f"the lane stands at {told['lane']['halt']}")

    async def close_lane(self, account: Account) -> None:
        """The lane is over: its sums are kept, and for a while what it leaves unpaid. Raises StorageTrouble."""
        lane, lapsed = account.lane.id, account.till.lapsed
        if lane in self._missed:  # that it was not there to redeem what was signed is nobody else's fault
            lapsed = replace(lapsed, exposed=account.till.unpaid)
        if lapsed.exposed:
            # There was money for it: it was not worth its gas.
            willing = not account.till.unpaid and account.till.claim() >= lapsed.exposed
            until = int(self.clock()) + (BRIEFLY if willing else MEMORY)
            await asyncio.to_thread(self._debts.remember, lane, lapsed, until)
        await self.book.close_lane(account)
        if lapsed.exposed:
            self._credit.note(lane, lapsed)
        else:
            self._credit.drop(lane)

    async def forget_debts(self) -> None:
        """Those that are too old. Raises StorageTrouble."""
        for lane in await asyncio.to_thread(self._debts.forget_old, int(self.clock())):
            self._credit.drop(lane)

    def books(self) -> Books:
        """What was earned so far."""
        return books_of(self.book.past, [account.till for account in self.book])
