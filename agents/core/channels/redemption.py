"""Which vouchers a cache redeems, and when: together once they are worth a transaction, else before it is too late.

Gas is paid in the chain's coin and vouchers in the token, and nothing here knows what one costs in the other: the cache's
operator says what a transaction has to bring. In a batch a voucher takes less than half the gas it takes alone
(docs/payments.md), and so has to bring half of it.
"""

from collections.abc import Sequence
from dataclasses import replace

from agents.core.channels.till import Till


def claims(tills: Sequence[Till]) -> list[tuple[Till, int]]:
    """What redeeming all of them in this order pays for each: readers' lanes draw on one pool, which pays once."""
    pools: dict[str, int] = {}
    found = []
    for till in tills:
        payer, cover = till.lane.payer, till.cover
        pool = pools.get(payer, cover.pool)
        claim = till.seen(replace(cover, pool=pool)).claim()
        pools[payer] = pool - max(0, claim - cover.reserved)
        found.append((till, claim))
    return found


def claimable(tills: Sequence[Till]) -> int:
    """What redeeming all of them pays now."""
    return sum(claim for _, claim in claims(tills))


def due(tills: Sequence[Till], now: int, worth: int, least: int) -> list[Till]:
    """Those to redeem at ``now``: all once they bring ``worth``, those that end soon if they bring ``least``.

    What brings less is left to lapse: it is not redeemed at a loss, and nobody can make a cache spend its gas on dust.
    """
    alive = [till for till in tills if till.claim() and now < till.lane.expiry]
    alive.sort(key=lambda till: (not till.pressing(now), -till.claim()))
    for some, enough in ((alive, worth), ([till for till in alive if till.pressing(now)], least)):
        chosen = [(till, claim) for till, claim in claims(some) if claim and 2 * claim >= least]
        if sum(claim for _, claim in chosen) >= enough:
            return [till for till, _ in chosen]
    return []
