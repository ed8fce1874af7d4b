"""Where a cache is paid: the counter (agents/net/shelf.py) over the lanes that its cashier keeps.

A reader shows a lane and is served one interval ahead of what it signed for.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from agents.core.channels.offers import offer_json
from agents.core.channels.till import Halt, Till
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.segments import SEGMENT_BYTES
from agents.net.shelf import PaymentRequired, Reading
from agents.roles.caching.cashier import LOOK_EVERY, Cashier
from agents.roles.caching.lanes import Account

PATIENCE = 10.0
"""Seconds a response waits for a voucher."""


class Selling:
    """The counter. ``patience``: seconds a response waits for a voucher."""

    def __init__(self, cashier: Cashier, patience: float = PATIENCE) -> None:
        self._cashier = cashier
        self._book = cashier.book
        self._clock = cashier.clock
        self._patience = patience

    async def admit(self, reading: Reading) -> "PaidTicket":
        """As Counter."""
        account, shown = await self._cashier.taken(reading.host, reading.headers, late=True)
        if account is None:
            raise PaymentRequired(offer_json(self._cashier.offer), "no lane is named")
        if not shown:
            raise self._cashier.required(account, 1, shown=False)
        ticket = PaidTicket(self, account, reading.size)
        try:
            await self._wait(account, lambda: min(ticket.step, reading.size), self._others_pay)
        except BaseException:  # the reader may leave meanwhile
            ticket.close()
            raise
        return ticket

    async def vouch(self, host: str, headers: Mapping[str, str]) -> Mapping[str, Any]:
        """As Counter."""
        account, shown = await self._cashier.taken(host, headers)
        return self._cashier.told(account, 1, shown) if account is not None else offer_json(self._cashier.offer)

    def step(self, account: Account) -> int:
        """The most bytes to take from the lane at a time."""
        return _step(self._cashier.till(account))

    async def take(self, account: Account, size: int, most: int) -> int:
        """``size`` bytes are served now, or when they are paid for; with them the rest of a step, up to ``most``, if it may be.

        Raises PaymentRequired when that takes too long, and at once where no voucher would help.
        """
        while True:
            till = await self._wait(account, lambda: size, self._may_go_on)
            now = int(self._clock())
            taken = min(max(size, min(most, _step(till))), till.room(now))
            if taken < size:
                continue  # the lane ended since the last look at the clock
            if not self._book.risks(account, taken):
                break
            await self._book.save(account)
        self._cashier.put(account, till.take(taken, now))
        return taken

    async def _wait(
        self, account: Account, size: Callable[[], int], worth: Callable[[Account, Halt | None], bool]
    ) -> Till:
        """The till when ``size`` bytes may be served. Raises PaymentRequired once it is not ``worth`` waiting for."""
        if (till := self._cashier.till(account)).room(int(self._clock())) >= size():
            return till
        deadline = self._clock() + self._patience
        await self._cashier.glance(account)
        while (till := self._cashier.till(account)).room(now := int(self._clock())) < size():
            left = deadline - self._clock()
            if left <= 0 or not worth(account, till.halt(now, size())):
                raise self._cashier.required(account, size())
            account.changed.clear()
            try:
                async with asyncio.timeout(min(left, LOOK_EVERY)):
                    await account.changed.wait()
            except TimeoutError:
                await self._cashier.glance(account)
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
        self._cashier.put(account, account.till.give_back(unsent))
        if account.till.unpaid:
            self._book.save_soon(account)


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
        return self._selling.step(self._account)

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
