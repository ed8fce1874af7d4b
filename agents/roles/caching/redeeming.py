"""Vouchers into money: in batches when they are worth a transaction, and else before it is too late."""

import logging
from collections.abc import Callable, Sequence

from agents.core.channels.redemption import due
from agents.core.errors import HoldfastError
from agents.roles.caching.cashier import Cashier, Chain
from agents.roles.caching.lanes import Account, LaneBook

log = logging.getLogger(__name__)

BATCH = 32
"""Vouchers of one transaction, at most."""
LOOKS = 200
"""Lanes looked up on the chain in one request."""


class Redeemer:
    """Redeems the vouchers of one cache.

    ``worth``: base units for which a transaction is sent when nothing presses; ``least``: those for which one is sent
    before it is too late.
    """

    def __init__(
        self, cashier: Cashier, chain: Chain, book: LaneBook, worth: int, least: int, clock: Callable[[], float]
    ) -> None:
        self._cashier = cashier
        self._chain = chain
        self._book = book
        self._worth = worth
        self._least = min(least, worth)
        self._clock = clock
        self.amount = 0
        """Base units that were paid out so far."""

    async def step(self) -> int:
        """See how all lanes stand, redeem what is due, forget what is over; how many vouchers were redeemed.

        Raises ChainError, Refused; what was not redeemed is due the next time.
        """
        accounts = [account for account in self._book if account.till.voucher is not None or account.till.unpaid]
        await self._look(accounts)
        now = int(self._clock())
        chosen = {till.lane.id for till in due([account.till for account in accounts], now, self._worth, self._least)}
        redeemed = [account for account in accounts if account.lane.id in chosen]
        failed: HoldfastError | None = None
        count = -(-len(redeemed) // BATCH)
        for first in range(count):
            try:
                await self._redeem(redeemed[first::count])  # of one size: a small rest would take more gas for each
            except HoldfastError as error:  # one batch that is refused keeps no other from its money
                failed = failed or error
        for account in accounts:
            if not account.active and now >= account.lane.expiry:
                await self._cashier.close_lane(account)
        await self._cashier.forget_debts()
        if failed is not None:
            raise failed
        return len(redeemed)

    async def _redeem(self, batch: Sequence[Account]) -> None:
        await self._book.flush()  # what was redeemed is known after a crash
        await self._chain.redeem([account.till.voucher for account in batch if account.till.voucher is not None])
        before = sum(account.till.cover.redeemed for account in batch)
        await self._look(batch)
        paid = sum(account.till.cover.redeemed for account in batch) - before
        log.info("redeemed %d vouchers for %d base units", len(batch), paid)
        self.amount += paid

    async def _look(self, accounts: Sequence[Account]) -> None:
        for first in range(0, len(accounts), LOOKS):
            await self._cashier.look(accounts[first : first + LOOKS])
