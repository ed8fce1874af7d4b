"""What things cost and pay, rounded as the contracts round. All in base units."""

from agents.core.market.types import BPS, MarketConfig

MAX_BOND_DOUBLINGS = 6


def slashed(collateral: int, misses: int, config: MarketConfig) -> int:
    """What ``misses`` misses cost: a share of the original collateral, never of what is left of it."""
    return collateral * config.slash_bps // BPS * misses


def reward(slash: int, config: MarketConfig) -> int:
    """What marking a miss earns."""
    return slash * config.validator_bps // BPS


def bond(collateral: int, expired: int, config: MarketConfig) -> int:
    """What a reservation forfeits if it expires after ``expired`` others of the same sale."""
    return min(collateral, (collateral * config.bond_bps << min(expired, MAX_BOND_DOUBLINGS)) // BPS)


def bounty(pot: int, collateral: int, reserved_after: int, config: MarketConfig) -> int:
    """What the repair of a lost slot earns that was reserved ``reserved_after`` seconds into its sale."""
    return min(pot, _offer(collateral, reserved_after, config))


def departed_bounty(rate: int, collateral: int, reserved_after: int, departed_before: int, config: MarketConfig) -> int:
    """What the repair of a slot earns whose host left ``departed_before`` seconds before it was reserved.

    It is pay of that time, which nobody else earned, in whole seconds.
    """
    seconds = min(_offer(collateral, reserved_after, config) // rate, departed_before) if rate else 0
    return seconds * rate


def _offer(collateral: int, reserved_after: int, config: MarketConfig) -> int:
    # It stops rising at the reservation: whoever holds a slot exclusively gains nothing by stalling.
    elapsed = min(reserved_after, config.repair_window)
    return collateral * config.bounty_bps * elapsed // (BPS * config.repair_window)


def earned(rate: int, since: int, until: int, misses: int, claimed: int, config: MarketConfig) -> int:
    """A host's pay from ``since`` until ``until`` less a period's pay a miss, less what it claimed; never negative."""
    return max(0, rate * (until - since) - claimed - misses * rate * config.period_seconds)


def minimal_term(proof_probability: int, config: MarketConfig) -> int:
    """Seconds that must remain for a repair to open, be reserved or filled."""
    return max(config.repair_window, config.min_term_periods * proof_probability * config.period_seconds)
