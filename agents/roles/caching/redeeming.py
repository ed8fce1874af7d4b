"""Vouchers into money: in batches when they are worth a transaction, and always before it is too late."""

import asyncio
import logging
from collections.abc import Callable

from agents.core.errors import HoldfastError
from agents.roles.caching.lanes import Account, LaneBook
from agents.roles.caching.selling import Chain, Selling

log = logging.getLogger(__name__)

BATCH = 32
"""Vouchers of one transaction."""
LOOKS = 8
"""Lanes looked up on the chain at a time."""


class Redeemer:
    """Redeems the vouchers of one cache. ``worth``: base units for which a transaction is sent when nothing presses."""

    def __init__(self, selling: Selling, chain: Chain, book: LaneBook, worth: int, clock: Callable[[], float]) -> None:
        self._selling = selling
        self._chain = chain
        self._book = book
        self._worth = worth
        self._clock = clock
        self._free = asyncio.Semaphore(LOOKS)

    async def step(self) -> int:
        """See how all lanes with a voucher stand, redeem what is due, forget what is over; how many were redeemed."""
        accounts = [account for account in self._book if account.till.voucher is not None or account.till.unpaid]
        await asyncio.gather(*(self._look(account) for account in accounts))
        now = int(self._clock())
        due = [account for account in accounts if account.till.redeemable(now, 1)]
        claims = sum(account.till.claim() for account in due)
        if claims < self._worth:
            due = [account for account in due if account.till.redeemable(now, self._worth)]
        for first in range(0, len(due), BATCH):
            await self._redeem(due[first : first + BATCH])
        for account in accounts:
            if self._over(account, now):
                await self._book.close_lane(account)
        return len(due)

    async def _redeem(self, accounts: list[Account]) -> None:
        vouchers = [account.till.voucher for account in accounts if account.till.voucher is not None]
        await self._chain.redeem(vouchers)
        await asyncio.gather(*(self._look(account) for account in accounts))
        log.info("redeemed %d vouchers", len(vouchers))

    async def _look(self, account: Account) -> None:
        async with self._free:
            try:
                await self._selling.look(account)
            except HoldfastError as error:
                log.warning("lane %s cannot be looked up: %s", account.lane.id.hex(), error)

    def _over(self, account: Account, now: int) -> bool:
        """Whether nothing can come of the lane any more; a debt is remembered until the lane would have ended."""
        return not account.active and now >= account.lane.expiry
