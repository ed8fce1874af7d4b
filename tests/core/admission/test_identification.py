"""Track-and-stop against scipy's roots and optima, and its promise against seeded draws."""

import math

import numpy as np
import pytest
from scipy import optimize, special

from agents.core.admission.identification import Identification, proportions, tail, threshold


@pytest.mark.parametrize("arms", [1, 2, 5, 12, 36])
@pytest.mark.parametrize("delta", [0.5, 0.01, 1e-9])
def test_the_tail_is_the_root_above(arms: int, delta: float) -> None:
    def g(x: float) -> float:
        return math.exp(arms - x) * (x / arms) ** arms

    root = optimize.brentq(lambda x: g(x) - delta, arms, 60 * arms + 100, xtol=1e-12)
    assert tail(arms, delta) == pytest.approx(root, rel=1e-9)
    lambert = -arms * special.lambertw(-(delta ** (1 / arms)) / math.e, -1).real
    assert tail(arms, delta) == pytest.approx(lambert, rel=1e-9)


def test_the_threshold_adds_what_rounds_cost() -> None:
    assert threshold(10, 4, 0.01) == pytest.approx(4 * math.log(110) + tail(4, 0.01))


def rate(shares: np.ndarray, rewards: np.ndarray, variances: np.ndarray) -> float:
    """The evidence a round against the strongest rival: its definition, one rival at a time."""
    precision = [sum(share / variances[i, j] for i, share in enumerate(shares)) for j in range(len(rewards))]
    best = int(np.argmax(rewards))
    return min(
        (rewards[best] - rewards[rival]) ** 2 / 2 / (1 / precision[best] + 1 / precision[rival])
        for rival in range(len(rewards))
        if rival != best
    )


@pytest.mark.parametrize("seed", range(6))
def test_proportions_are_close_to_the_best_there_are(seed: int) -> None:
    draws = np.random.default_rng(seed)
    arms = int(draws.integers(2, 6))
    rewards, variances = draws.uniform(0.2, 0.6, arms), draws.uniform(0.5, 4.0, (arms, arms))
    found = rate(proportions(rewards, variances), rewards, variances)
    tried = draws.dirichlet(np.full(arms, 0.5), 4_000)
    best = max(
        optimize.minimize(
            lambda x: -rate(np.abs(x) / np.abs(x).sum(), rewards, variances) * 1e3, start, method="Nelder-Mead",
            options={"maxiter": 2_000},
        ).fun / -1e3
        for start in sorted(tried, key=lambda shares: -rate(shares, rewards, variances))[:2]
    )  # fmt: skip
    assert proportions(rewards, variances).sum() == pytest.approx(1.0)
    assert found >= 0.97 * best


def test_without_side_information_two_experts_share_the_rounds() -> None:
    alone = np.array([[1.0, 1e12], [1e12, 1.0]])
    assert proportions(np.array([0.5, 0.4]), alone) == pytest.approx([0.5, 0.5], abs=0.01)


def found(seed: int, rewards: np.ndarray, deviations: np.ndarray) -> Identification:
    draws = np.random.default_rng(seed)
    search = Identification(len(rewards), most_rounds=1_000)
    while not search.settled:
        arm = search.next()
        search.observe(arm, draws.normal(rewards, deviations[arm]), deviations[arm] ** 2)
    return search


def test_the_best_expert_is_found_as_often_as_promised() -> None:
    rewards = np.array([0.40, 0.43, 0.41, 0.37])
    deviations = np.where(np.eye(4) > 0, 0.004, 0.006)
    assert sum(found(seed, rewards, deviations).best != 1 for seed in range(200)) <= 2


def test_side_information_saves_rounds() -> None:
    rewards = np.array([0.40, 0.43, 0.41, 0.37])
    blind = np.where(np.eye(4) > 0, 0.004, 1e6)
    seeing = np.where(np.eye(4) > 0, 0.004, 0.005)
    rounds = [np.mean([found(seed, rewards, kind).rounds for seed in range(5)]) for kind in (blind, seeing)]
    assert rounds[1] < 0.6 * rounds[0]


def test_a_precise_estimate_outweighs_rough_ones() -> None:
    search = Identification(2)
    search.observe(0, np.array([0.5, 0.9]), np.array([1e-4, 1.0]))
    search.observe(1, np.array([0.9, 0.4]), np.array([1.0, 1e-4]))
    assert search.rewards == pytest.approx([0.5, 0.4], abs=1e-3)
    assert search.best == 0


def test_each_has_a_round_first_and_equals_are_given_up_on() -> None:
    search = Identification(6)
    first = []
    while not search.settled:
        first.append(search.next())
        search.observe(first[-1], np.full(6, 0.5), np.full(6, 1e-4))
    assert sorted(first[:6]) == list(range(6))
    assert len(first) == search.rounds == 30 and min(search.deployed) >= 1


def test_one_expert_needs_no_rounds() -> None:
    assert Identification(1).settled and Identification(1).best == 0
