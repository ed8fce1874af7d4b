"""Policies: what each decides, and that none looks ahead."""

from itertools import pairwise

import numpy as np
import pytest

from agents.core.admission.experts import EXPERTS, SIZES, Expert
from agents.core.admission.objectives import OBJECT_HITS
from agents.simulation.caching.adaptsize import AdaptSize, best_scale, hit_rate
from agents.simulation.caching.levels import HOT, Cache, Setting
from agents.simulation.caching.mixes import synthetic
from agents.simulation.caching.policies import (
    FIRST,
    Eviction,
    HillClimbing,
    Percentile,
    Policy,
    Static,
    nearest,
    statics,
)
from agents.simulation.caching.traces import Trace

SMALL = Setting(10_000_000, 100_000_000)
WINDOW = 2000

POLICIES: list[Policy] = [
    Eviction("lru"),
    Eviction("sieve"),
    Static(Expert(3, 100_000)),
    Percentile(WINDOW),
    HillClimbing(WINDOW, OBJECT_HITS),
    AdaptSize(WINDOW),
    AdaptSize(WINDOW, fills=True),
]


@pytest.mark.parametrize("policy", POLICIES, ids=[policy.name for policy in POLICIES])
def test_no_policy_looks_ahead(policy: Policy) -> None:
    trace = synthetic(21, 30_000, 3)
    whole, part = policy.replay(trace, SMALL), policy.replay(trace.cut(15_000), SMALL)
    # A shorter trace numbers its objects anew: the filter's few mistakes are others.
    assert (whole.outcomes[:15_000] != part.outcomes).mean() < 0.001
    assert [choice for choice in whole.choices if choice[0] < 15_000] == list(part.choices)
    assert policy.replay(trace, SMALL).outcomes.tolist() == whole.outcomes.tolist()


def test_every_expert_is_a_static() -> None:
    assert [policy.expert for policy in statics()] == list(EXPERTS)


def uniform(sizes: list[int], requests: int, seed: int = 0) -> Trace:
    """Requests for objects of ``sizes``, each as likely."""
    objects = np.random.default_rng(seed).integers(0, len(sizes), requests).astype(np.int32)
    return Trace(np.arange(requests, dtype=np.float64), objects, np.array(sizes, dtype=np.int64), "uniform")


def test_percentiles_are_of_the_last_window() -> None:
    trace = uniform([9_000] * 185 + [400_000] * 15, 4000)
    found = Percentile(1000).replay(trace, SMALL).choices
    assert found[0] == (0, FIRST.name)
    assert found[1][1] == "f5s10"  # five requests an object, and nine in ten are of 9 KB
    assert nearest(1, 1) == EXPERTS[0] and nearest(99, 1 << 30) == EXPERTS[-1]
    assert nearest(3.4, 30_000) == Expert(3, 20_000)


def test_hills_are_climbed() -> None:
    trace = uniform([300_000] * 30 + [5_000] * 3000, 60_000)
    choices = HillClimbing(1000, OBJECT_HITS).replay(trace, SMALL).choices
    steps = [choice for _, choice in choices]
    assert steps[0] == FIRST.name and len(steps) > 3
    known = {expert.name: expert for expert in EXPERTS}
    for one, following in pairwise(steps):
        before, after = known[one], known[following]
        moved = abs(before.frequency - after.frequency) + abs(SIZES.index(before.size) - SIZES.index(after.size))
        assert moved == 1
    best = max(statics(), key=lambda each: int((each.replay(trace, SMALL).outcomes == HOT).sum()))
    late = HillClimbing(1000, OBJECT_HITS).replay(trace, SMALL).outcomes[-20_000:] == HOT
    assert late.mean() > 0.95 * (best.replay(trace, SMALL).outcomes[-20_000:] == HOT).mean()


def test_the_model_of_adaptsize_is_true_of_what_it_assumes() -> None:
    rng = np.random.default_rng(2)
    sizes = rng.integers(1_000, 40_000, 2000)
    popularity = rng.permutation(1.0 / np.arange(1, 2001) ** 0.8)
    objects = rng.choice(2000, 400_000, p=popularity / popularity.sum()).astype(np.int32)
    trace = Trace(np.arange(400_000.0), objects, sizes.astype(np.int64), "as assumed")
    counts = np.bincount(objects, minlength=2000)
    for scale in (15_000.0, 40_000.0, 1e9):
        admitted = rng.random(400_000) < np.exp(-trace.lengths / scale)
        late = Cache(trace, SMALL).replay(400_000, admitted)[200_000:] == HOT
        modelled = hit_rate(np.ones(2000), counts.astype(float), sizes.astype(float), SMALL.memory, scale)
        assert abs(late.mean() - modelled) < 0.02


def test_adaptsize_prefers_small_objects_and_fills_memory_if_it_must() -> None:
    sizes = np.array([1_000] * 1000 + [1_000_000] * 100, dtype=np.int64)
    rates = np.full(1100, 5.0)
    assert best_scale(rates, sizes, 2_000_000, fills=False) < 200_000
    assert best_scale(rates, sizes, 10**12, fills=True) == 2.0**30
    small, filling = (best_scale(rates, sizes, 6_000_000, fills) for fills in (False, True))
    assert (5 * sizes * np.exp(-sizes / filling)).sum() >= 6_000_000
    assert small <= filling
