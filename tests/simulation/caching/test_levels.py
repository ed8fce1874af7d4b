"""A simulated cache does what the live one's own classes do, request by request."""

from collections.abc import Hashable
from dataclasses import replace

import numpy as np
import pytest

from agents.core.admission.eviction import Eviction, Lru
from agents.core.admission.experts import EXPERTS, Expert
from agents.core.admission.objectives import Tally
from agents.core.admission.policy import Admission, Everything, Found, Static
from agents.core.errors import Misuse
from agents.simulation.caching.levels import (
    DISK,
    HOT,
    ORIGIN,
    WRITTEN,
    Cache,
    Setting,
    expert_admits,
    hot_hits,
    tallies,
    tally,
)
from agents.simulation.caching.mixes import synthetic
from agents.simulation.caching.traces import Trace

SMALL = Setting(2_000_000, 40_000_000)


class Store:
    """Objects within a budget."""

    def __init__(self, budget: int) -> None:
        self.budget, self.order, self.sizes = budget, Lru(), dict[Hashable, int]()
        checked: Eviction = self.order
        assert checked

    def get(self, key: Hashable) -> bool:
        if key in self.sizes:
            self.order.used(key)
        return key in self.sizes

    def put(self, key: Hashable, size: int) -> bool:
        if key in self.sizes or size > self.budget:
            return False
        while sum(self.sizes.values()) + size > self.budget:
            del self.sizes[self.order.evict()]
        self.sizes[key] = size
        self.order.added(key, size)
        return True


def lived(trace: Trace, setting: Setting, policy: Admission) -> list[int]:
    """Outcomes by the live cache's admission and eviction."""
    hot, disk, seen, outcomes = Store(setting.memory), Store(setting.disk), set[int](), []
    for thing, size in zip(trace.objects.tolist(), trace.lengths.tolist(), strict=True):
        found = Found.HOT if hot.get(thing) else Found.DISK if disk.get(thing) else Found.ORIGIN
        decision = policy.request(thing, size, found)
        outcome = {Found.HOT: HOT, Found.DISK: DISK, Found.ORIGIN: ORIGIN}[found]
        if found is Found.ORIGIN and thing in seen and decision.disk and disk.put(thing, size):
            outcome = WRITTEN
        if decision.hot:
            hot.put(thing, size)
        seen.add(thing)
        outcomes.append(outcome)
    return outcomes


@pytest.mark.parametrize("expert", [Expert(2, 20_000), Expert(4, 100_000), EXPERTS[-1], None])
def test_outcomes_are_those_of_the_live_classes(expert: Expert | None) -> None:
    trace = synthetic(11, 6000, 2)
    policy = Static(expert.frequency, expert.size) if expert else Everything()
    cache = Cache(trace, SMALL)
    found = [cache.with_expert(last, expert) if expert else cache.replay(last) for last in (1000, 1001, 6000)]
    outcomes = np.concatenate(found)
    expected = np.array(lived(trace, SMALL, policy))
    assert (outcomes != expected).mean() < 0.002  # the filter's mistakes, which a set does not make
    assert set(outcomes.tolist()) == {ORIGIN, WRITTEN, DISK, HOT}


def test_an_expert_can_change_at_any_request() -> None:
    trace = synthetic(11, 6000, 2)
    first, second = Expert(2, 50_000), Expert(5, 500_000)
    cache = Cache(trace, SMALL)
    outcomes = np.concatenate([cache.with_expert(2500, first), cache.with_expert(6000, second)])
    one = Cache(trace, SMALL)
    admitted = np.concatenate([expert_admits(trace, 0, 2500, first), expert_admits(trace, 2500, 6000, second)])
    assert outcomes.tolist() == one.replay(6000, admitted).tolist()
    assert outcomes.tolist() != Cache(trace, SMALL).with_expert(6000, first).tolist()


def test_budgets_are_kept_and_a_copy_goes_its_own_way() -> None:
    trace = synthetic(12, 6000, 2)
    cache = Cache(trace, SMALL, "s3fifo")
    cache.replay(3000)
    other = cache.copy()
    assert cache.replay(6000).tolist() == other.replay(6000).tolist()
    assert 0.9 * SMALL.memory < cache.hot.used <= SMALL.memory
    assert 0.9 * SMALL.disk < cache.disk.used <= SMALL.disk


def test_hits_of_all_experts_are_those_of_each_alone() -> None:
    trace = synthetic(13, 6000, 2)
    experts = [EXPERTS[0], EXPERTS[20]]
    for row, expert in zip(hot_hits(trace, SMALL, experts), experts, strict=True):
        assert row.tolist() == (Cache(trace, SMALL).with_expert(6000, expert) == HOT).tolist()


def test_a_tally_counts_requests_and_bytes() -> None:
    outcomes = np.array([ORIGIN, WRITTEN, DISK, HOT, HOT], dtype=np.uint8)
    lengths = np.array([1, 10, 100, 1000, 10_000])
    assert tally(outcomes, lengths) == Tally(5, 11_111, 2, 11_000, 11, 10)
    parts = tallies(outcomes, lengths, [0, 2, 5])
    assert parts == [Tally(2, 11, 0, 0, 11, 10), Tally(3, 11_100, 2, 11_000, 0, 0)]
    assert sum(parts, Tally()) == tally(outcomes, lengths)


@pytest.mark.parametrize(("memory", "disk"), [(0, 1), (1, 0), (-1, 5)])
def test_a_cache_of_nothing_is_refused(memory: int, disk: int) -> None:
    with pytest.raises(Misuse):
        Setting(memory, disk)


def test_experts_admit_to_whatever_evicts() -> None:
    trace = synthetic(14, 6000, 2)
    sieve = replace(SMALL, order="sieve")
    outcomes = Cache(trace, sieve).with_expert(6000, EXPERTS[5])
    assert outcomes.tolist() != Cache(trace, SMALL).with_expert(6000, EXPERTS[5]).tolist()
    admitted = expert_admits(trace, 0, 6000, EXPERTS[5])
    assert outcomes.tolist() == Cache(trace, SMALL, "sieve").replay(6000, admitted).tolist()
    with pytest.raises(Misuse, match="'mru' is no order"):
        replace(SMALL, order="mru")
