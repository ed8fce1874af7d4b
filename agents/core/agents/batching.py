"""When proofs that are ready are sent: all of a period's together, unless waiting for the last puts the others at risk."""

from agents.core.market.periods import first_block
from agents.core.market.types import MarketConfig

MOST_PROOFS = 32
"""Proofs in one transaction at most: some three million gas."""

LATE_BLOCKS = 3
LATE_SHARE = 4
"""A period is late in its last blocks, so many or this part of it: a transaction may have to wait for its block."""


def is_late(period: int, block: int, config: MarketConfig) -> bool:
    """Whether, after ``block``, a proof of ``period`` should be sent as soon as it is ready."""
    left = first_block(period + 1, config) - 1 - block
    return left <= max(LATE_BLOCKS, config.period_blocks // LATE_SHARE)


def to_send(ready: int, making: int, period: int, block: int, config: MarketConfig) -> int:
    """How many of ``ready`` proofs of ``period`` go out now, when ``making`` more are on their way."""
    if making == 0 or ready >= MOST_PROOFS or is_late(period, block, config):
        return min(ready, MOST_PROOFS)
    return 0
