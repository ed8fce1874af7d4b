"""Intervals against scipy's quantiles, and how often they hold the truth."""

import math

import numpy as np
import pytest
from scipy import special, stats

from agents.simulation import intervals


@pytest.mark.parametrize(
    ("hits", "trials"),
    [(0, 10), (3, 10), (10, 10), (1, 100_000), (31, 50_000), (5_000, 1_000_000), (999_999, 1_000_000)],
)
def test_a_share_is_clopper_and_pearsons(hits: int, trials: int) -> None:
    found = intervals.share(hits, trials)
    low = stats.beta.ppf(0.025, hits, trials - hits + 1) if hits else 0.0
    high = stats.beta.ppf(0.975, hits + 1, trials - hits) if hits < trials else 1.0
    assert found.value == hits / trials
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-8)


def test_a_mean_is_normal_and_one_draw_says_nothing() -> None:
    found = intervals.mean([1.0, 2.0, 3.0, 6.0], 0.9)
    width = stats.norm.ppf(0.95) * np.std([1, 2, 3, 6], ddof=1) / 2
    assert (found.value, found.low, found.high) == pytest.approx((3.0, 3 - width, 3 + width))
    assert intervals.mean([2.0]) == intervals.Interval(2.0, -math.inf, math.inf)


def test_an_interval_holds_its_ends_and_moves_with_its_unit() -> None:
    found = intervals.Interval(2.0, 1.0, 3.0)
    assert found.holds(1.0) and found.holds(3.0) and not found.holds(0.99) and not found.holds(3.01)
    assert found.scaled(2.0) == intervals.Interval(4.0, 2.0, 6.0)


def test_the_incomplete_function_is_scipys() -> None:
    chance = np.random.default_rng(3)
    for a, b, x in zip(
        10 ** chance.uniform(-1, 4, 300), 10 ** chance.uniform(-1, 4, 300), chance.random(300), strict=True
    ):
        assert intervals.beta_below(x, a, b) == pytest.approx(special.betainc(a, b, x), rel=1e-8, abs=1e-13)
    assert (intervals.beta_below(0.0, 2, 3), intervals.beta_below(1.0, 2, 3)) == (0, 1)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    chance = np.random.default_rng(5)
    hits = chance.binomial(400, 0.03, 500)
    held = [intervals.share(int(hit), 400).holds(0.03) for hit in hits]
    assert 0.95 <= np.mean(held) < 1
