"""Where a cache is paid: the counter (agents/net/shelf.py) over lanes (agents/core/channels).

A reader shows a lane and is served one interval ahead of what it signed for. Every request bears its signature under a voucher
of 0, which no chain ever shows: whoever names somebody else's lane is served nothing. What a reader or a payer owes in other
lanes, also in those that ended, is served less ahead (agents/core/channels/credit.py).
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
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.segments import SEGMENT_BYTES
from agents.core.errors import HoldfastError
from agents.net.limits import Buckets
from agents.net.shelf import PaymentRequired, Reading
from agents.roles.caching.books import Books, books_of
from agents.roles.caching.debts import Debts
from agents.roles.caching.lanes import Account, LaneBook
from agents.roles.caching.papers import Papers

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds a response waits for a voucher."""
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


class Selling:
    """The counter. ``offer`` is what is asked of everybody; ``clock`` gives UNIX seconds."""

    def __init__(
        self,
        offer: Offer,
        chain: Chain,
        book: LaneBook,
        debts: Debts,
        clock: Callable[[], float],
        patience: float = PATIENCE,
    ) -> None:
        self._offer = offer
        self._papers = Papers(offer.domain)
        self._chain = chain
        self._book = book
        self._debts = debts
        self._clock = clock
        self._patience = patience
        self._credit = Credit(offer.terms)
        for lane, risk in debts:
            self._credit.note(lane, risk)
        for account in book:
            self._credit.note(account.lane.id, account.till.risk)
        self._looks = Buckets(NEW_LANES, BURST, clock=clock)

    async def close(self) -> None:
        """Save what there is, and stop."""
        for account in self._book:
            if account.work is not None:
                account.work.cancel()
        await self._book.close()
        self._debts.close()

    # ---- Counter

    async def admit(self, reading: Reading) -> "PaidTicket":
        """As Counter."""
        account, shown = await self._taken(reading.host, reading.headers, late=True)
        if account is None:
            raise PaymentRequired(offer_json(self._offer), "no lane is named")
        if not shown:
            raise self._required(account, 1, shown=False)
        ticket = PaidTicket(self, account, reading.size)
        try:
            await self._wait(account, lambda: min(ticket.step, reading.size), self._others_pay)
        except BaseException:  # the reader may leave meanwhile
            ticket.close()
            raise
        return ticket

    async def vouch(self, host: str, headers: Mapping[str, str]) -> Mapping[str, Any]:
        """As Counter."""
        account, shown = await self._taken(host, headers)
        return self._told(account, 1, shown) if account is not None else offer_json(self._offer)

    # ---- lanes

    async def _taken(
        self, host: str, headers: Mapping[str, str], late: bool = False
    ) -> tuple[Account, bool] | tuple[None, bool]:
        """The account of the lane in the headers, what came with it taken in, and whether it is the reader that sent it.

        Raises VoucherInvalid, PaymentRequired.

        ``late``: a voucher lower than one that overtook it on the way is no error.
        """
        text = headers.get(PAYMENT_HEADER)
        if text is None:
            return None, False
        payment = parse_payment(text)
        account = self._book.get(payment.lane) or await self._met(host, payment.lane)
        shown = self._papers.shown(account, payment)
        if not (late and shown and payment.voucher and payment.voucher.voucher.amount < account.till.paid):
            self._take_voucher(account, payment)
        self._take_opening(account, payment)
        return account, shown

    async def _met(self, host: str, lane: Lane) -> Account:
        if lane.cache != self._offer.cache:
            raise invalid("the lane is another cache's", f"Name {self._offer.cache} as its cache.")
        if lane.expiry <= self._clock():
            raise invalid("the lane has ended", "Begin another.")  # what it brought is in the books
        if self._looks.try_take(host) > 0:
            raise PaymentRequired(offer_json(self._offer), "too many new lanes come from your address; wait a second")
        account = Account(Till(lane, self._offer.terms))
        await self._look(account)
        self._tidy()
        known = self._book.get(lane)  # by another request of the same reader
        if known is None:
            self._book.add(account)
        return known or account

    def _tidy(self) -> None:
        """Forget lanes in which nothing ever happened, the oldest first."""
        if len(self._book) > IDLE:
            idle = [each for each in self._book if each.idle]
            for account in idle[: len(self._book) - IDLE]:
                self._book.forget(account)

    def _take_voucher(self, account: Account, payment: Payment) -> None:
        signed = payment.voucher
        if signed is None or signed == account.till.voucher:
            return
        before = account.till.paid
        self._set(account, self._papers.paid(account.till, signed))
        if account.till.paid > before and not account.idle:
            self._book.save_soon(account)
        self._changed(account)

    def _take_opening(self, account: Account, payment: Payment) -> None:
        opening = payment.opening
        if opening is not None and (account.opening is None or opening.opening.amount > account.opening.opening.amount):
            self._set(account, self._papers.opened(account.till, opening, payment.grant))
            account.opening, account.grant = opening, payment.grant
            self._changed(account)
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
            self._changed(account)

    async def look(self, accounts: Sequence[Account]) -> None:
        """See how lanes stand on the chain. Raises ChainError."""
        for account in accounts:
            account.seen_at = self._clock()
        covers = await self._chain.covers([account.lane for account in accounts])
        for account, cover in zip(accounts, covers, strict=True):
            self._set(account, account.till.seen(cover))
            self._changed(account)

    async def _look(self, account: Account) -> None:
        """The same, not too often; what cannot be seen is as it was."""
        if self._clock() < account.seen_at + LOOK_EVERY:
            return
        try:
            await self.look([account])
        except HoldfastError as error:
            log.warning("lane %s cannot be looked up: %s", account.lane.id.hex(), error)

    # ---- what may be served

    def till(self, account: Account) -> Till:
        """The lane's till, with what may be owed in it now."""
        return replace(account.till, credit=self._credit.left(account.lane))

    def _set(self, account: Account, till: Till) -> None:
        account.till = till
        if self._book.get(account.lane) is account:  # it may have ended meanwhile, and left a debt
            self._credit.note(account.lane.id, till.risk)

    def _told(self, account: Account, size: int, shown: bool) -> dict[str, Any]:
        """The offer, and how the lane stands: what its reader signed is shown to its reader."""
        standing = standing_of(self.till(account), int(self._clock()), size)
        if not shown:
            standing = replace(standing, room=0, halt=standing.halt or Halt.VOUCHER, signature=None)
        return offer_json(replace(self._offer, standing=standing))

    def _required(self, account: Account, size: int, shown: bool = True) -> PaymentRequired:
        told = self._told(account, size, shown)
        return PaymentRequired(told, f"the lane stands at {told['lane']['halt']}")

    def _changed(self, account: Account) -> None:
        account.changed.set()

    async def take(self, account: Account, size: int, most: int) -> int:
        """``size`` bytes are served now, or when they are paid for; with them the rest of a step, up to ``most``, if it may be.

        Raises PaymentRequired when that takes too long, and at once where no voucher would help.
        """
        while True:
            till = await self._wait(account, lambda: size, self._may_go_on)
            now = int(self._clock())
            taken = min(max(size, min(most, _step(till))), till.room(now))
            if not self._book.risks(account, taken):
                break
            await self._book.save(account)
        self._set(account, till.take(taken, now))
        return taken

    async def _wait(
        self, account: Account, size: Callable[[], int], worth: Callable[[Account, Halt | None], bool]
    ) -> Till:
        """The till when ``size`` bytes may be served. Raises PaymentRequired once it is not ``worth`` waiting for."""
        if (till := self.till(account)).room(int(self._clock())) >= size():
            return till
        deadline = self._clock() + self._patience
        await self._look(account)
        while (till := self.till(account)).room(now := int(self._clock())) < size():
            left = deadline - self._clock()
            if left <= 0 or not worth(account, till.halt(now, size())):
                raise self._required(account, size())
            account.changed.clear()
            try:
                async with asyncio.timeout(min(left, LOOK_EVERY)):
                    await account.changed.wait()
            except TimeoutError:
                await self._look(account)
        return till

    def _may_go_on(self, account: Account, halt: Halt | None) -> bool:
        """Whether a voucher would do, or the lane is being opened or will be once one comes, or others are about to pay."""
        if halt is Halt.OPENING:
            return account.work is not None or _opens(account)
        return halt is Halt.VOUCHER or self._others_pay(account, halt)

    def _others_pay(self, account: Account, halt: Halt | None) -> bool:
        """Whether lanes are being read or opened just now whose debts are in the way of this one."""
        others = self._book.others(account.lane) if halt is Halt.DEBT else ()
        return any(other.till.exposed and (other.active or other.work) for other in others)

    def ended(self, account: Account, unsent: int) -> None:
        """A response ended, ``unsent`` bytes before those it took: what was served and not signed for is remembered."""
        self._set(account, account.till.give_back(unsent))
        if account.till.unpaid:
            self._book.save_soon(account)

    async def close_lane(self, account: Account) -> None:
        """The lane is over: its sums are kept, and for a while what it leaves unpaid. Raises StorageTrouble."""
        lane, lapsed = account.lane.id, account.till.lapsed
        if lapsed.exposed:
            await asyncio.to_thread(self._debts.remember, lane, lapsed, int(self._clock()))
        await self._book.close_lane(account)
        if lapsed.exposed:
            self._credit.note(lane, lapsed)
        else:
            self._credit.drop(lane)

    async def forget_debts(self) -> None:
        """Those that are too old. Raises StorageTrouble."""
        for lane in await asyncio.to_thread(self._debts.forget_old, int(self._clock())):
            self._credit.drop(lane)

    # ---- books

    def books(self) -> Books:
        """What was earned so far."""
        return books_of(self._book.past, [account.till for account in self._book])


def _opens(account: Account) -> bool:
    """Whether its reader signed that the lane keeps more than it does."""
    return account.opening is not None and account.opening.opening.amount > account.till.cover.secured


def _step(till: Till) -> int:
    """A quarter of what is served ahead, in whole blocks: the reader signs for the half while the rest arrives."""
    quarter = till.ahead // 4 // BLOCK_BYTES * BLOCK_BYTES
    return max(BLOCK_BYTES, min(quarter, SEGMENT_BYTES))


class PaidTicket:
    """One response paid for in a lane."""

    def __init__(self, selling: Selling, account: Account, size: int) -> None:
        self._selling = selling
        self._account = account
        self._left = size
        self._taken = 0
        """Bytes taken from the lane and not sent yet."""
        account.active += 1
        self._open = True

    @property
    def step(self) -> int:
        """As Ticket."""
        return _step(self._selling.till(self._account))

    async def take(self, size: int) -> None:
        """As Ticket. The lane is asked for a step at a time, for asking it costs more than sending a piece."""
        if self._taken < size:
            self._taken += await self._selling.take(self._account, size - self._taken, self._left - self._taken)
        self._taken -= size
        self._left -= size

    def close(self) -> None:
        """As Ticket."""
        if self._open:
            self._open = False
            self._account.active -= 1
            self._selling.ended(self._account, self._taken)
