"""The chain of a rotating group: against groups counted out state by state, and against the simulation."""

import math
from dataclasses import replace

import numpy as np
import pytest

from agents.core.durability.group_setting import GroupSetting, safe_rotation
from agents.core.durability.groups import chunk_loss, life
from agents.core.durability.hazards import YEAR_SECONDS
from agents.core.durability.rotation import rotates_in_order
from agents.simulation.groups import simulate_groups
from agents.simulation.intervals import Interval, share


def safe(members: int, needed: int, byzantine: float, nodes: int = 2_000) -> GroupSetting:
    return GroupSetting(
        nodes=nodes, members=members, needed=needed, byzantine=byzantine, rotation=safe_rotation(4, members, byzantine)
    )


def counted_out(members: int, needed: int, byzantine: float, turns: int) -> float:
    """The loss of a group from which nobody departs: over every order of Byzantine and honest fragments, the due one first."""
    orders = np.arange(1 << members)
    hits = np.array([bin(order).count("1") for order in orders])
    chances = np.where(hits <= members - needed, byzantine**hits * (1 - byzantine) ** (members - hits), 0.0)
    lives = (orders & 1 == 1) | (hits < members - needed)
    for _ in range(turns):
        left = np.bincount(orders >> 1, chances * lives, len(orders))
        chances = left * (1 - byzantine) + np.roll(left * byzantine, 1 << (members - 1))
    return 1 - float(chances.sum())


def rate(loss: float) -> float:
    return -math.log1p(-loss)


@pytest.mark.parametrize(("members", "needed", "byzantine"), [(10, 4, 0.3), (12, 5, 0.3), (12, 6, 0.3), (14, 7, 0.25)])
def test_without_departures_every_order_can_be_counted_out(members: int, needed: int, byzantine: float) -> None:
    setting = GroupSetting(10**8, members, needed, byzantine=byzantine, churn=0.0, rotation=1.0)
    for turns in (1, members, 10 * members):
        exact = counted_out(members, needed, byzantine, turns)
        assert rate(chunk_loss(setting, turns + 0.5)) == pytest.approx(rate(exact), rel=0.01)
        forgetful = life(setting, turns + 0.5).lost_within(turns + 0.5)
        assert abs(rate(chunk_loss(setting, turns + 0.5)) / rate(exact) - 1) < abs(rate(forgetful) / rate(exact) - 1)


ROTATED = (
    (safe(6, 2, 0.3), 1.0, 5_000),
    (safe(12, 6, 0.2), 1.0, 10_000),
    (safe(16, 8, 0.15), 1.0, 20_000),
    (safe(20, 8, 0.25), 2.0, 20_000),
    (safe(20, 8, 0.25), 0.05, 20_000),
    (safe(30, 10, 0.35), 3.0, 10_000),
    (safe(40, 16, 0.3), 3.0, 10_000),
    (replace(safe(20, 8, 0.25), churn=1.0), 2.0, 20_000),
    (replace(safe(20, 8, 0.2), rotation=1.6 * safe_rotation(4, 20, 0.2)), 1.0, 10_000),
    (safe(80, 32, 0.36, 100_000), 10.0, 2_000),
)
"""Settings, the years that they are watched, and how many groups of them."""


def test_the_simulations_intervals_hold_the_chains_losses() -> None:
    """Of ten intervals of 95 % one may miss, of 99.9 % none; `life`, which forgets the order, is outside of nearly all."""
    held = forgetful = 0
    for seed, (setting, years, groups) in enumerate(ROTATED, 1):
        duration = years * YEAR_SECONDS
        found, loss = simulate_groups(setting, duration, groups, seed), chunk_loss(setting, duration)
        assert found.losses > 50
        assert share(found.losses, groups, 0.999).holds(loss), setting
        held += found.loss.holds(loss)
        forgetful += found.loss.holds(life(setting, duration).lost_within(duration))
    assert held >= len(ROTATED) - 1
    assert forgetful <= 2


def test_rates_of_loss_are_within_two_percent() -> None:
    """With so many groups that the interval is narrower than the chain's own error may be."""
    setting, duration = safe(20, 8, 0.25), 2.0 * YEAR_SECONDS
    simulated = simulate_groups(setting, duration, 100_000, seed=2)
    close: Interval = share(simulated.losses, simulated.groups, 0.99)
    assert rate(close.high) / rate(close.low) < 1.04
    assert rate(close.low) * 0.99 < rate(chunk_loss(setting, duration)) < rate(close.high) * 1.01


def test_which_groups_are_the_chains() -> None:
    setting = safe(20, 8, 0.25)
    assert rotates_in_order(setting) and rotates_in_order(replace(setting, rotation=2 * setting.rotation))
    assert not rotates_in_order(replace(setting, rotation=2.1 * setting.rotation))
    assert not rotates_in_order(replace(setting, byzantine=0.0, rotation=1.0))
    assert not rotates_in_order(replace(setting, rotation=math.inf))


def test_at_the_ends() -> None:
    setting = safe(20, 8, 0.25)
    assert chunk_loss(setting, 1.0) == pytest.approx(simulate_groups(setting, 1.0, 200_000, 1).loss.value, abs=1e-4)
    # More time loses more, in whole turns and within one.
    times = [part * setting.rotation for part in (0.1, 0.5, 1.0, 1.5, 2.0, 60.0, 100.0, 1e4, 1e6)]
    losses = [chunk_loss(setting, time) for time in times]
    assert losses == sorted(losses) and losses[-1] > 1 - 1e-12
    assert chunk_loss(safe(20, 20, 0.9), YEAR_SECONDS) > 1 - 1e-12
    assert chunk_loss(safe(20, 1, 0.001), YEAR_SECONDS) < 1e-30
