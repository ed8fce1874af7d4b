"""Synthetic traces have what they say they have."""

from itertools import pairwise

import numpy as np
import pytest

from agents.core.dataset.segments import SEGMENT_BYTES
from agents.core.errors import Misuse
from agents.simulation.caching.mixes import KINDS, WONDERS, drawn, phases_of, synthetic


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_seven_tenths_of_all_objects_are_requested_once(seed: int) -> None:
    trace = synthetic(seed, 200_000)
    assert trace.synthetic and "synthetic" in trace.source
    assert abs(trace.lone - WONDERS) < 0.01
    assert trace.sizes.min() >= 100 and trace.sizes.max() <= SEGMENT_BYTES
    assert np.bincount(trace.objects).min() >= 1
    assert (np.diff(trace.times) >= 0).all()
    assert len(trace.phases) == 5 and trace.phases[0] == 0


def test_a_seed_is_a_trace() -> None:
    one, same, other = synthetic(7, 20_000), synthetic(7, 20_000), synthetic(8, 20_000)
    assert one.objects.tolist() == same.objects.tolist() and one.sizes.tolist() == same.sizes.tolist()
    assert one.objects.tolist() != other.objects.tolist()


def test_phases_ask_for_other_sizes() -> None:
    trace = synthetic(3, 300_000)
    edges = [*trace.phases, len(trace)]
    means = [trace.lengths[first:last].mean() for first, last in pairwise(edges)]
    assert max(means) > 3 * min(means)


def test_popularity_is_zipfs_and_drifts() -> None:
    trace = synthetic(8, 300_000, 1)
    tenths = np.array_split(trace.objects, 10)
    counts = np.sort(np.bincount(tenths[0]))[::-1]
    assert counts[:100].sum() > 0.15 * counts.sum()

    def favourites(part: object) -> set[int]:
        return set(np.argsort(-np.bincount(part, minlength=len(trace.sizes)))[:500].tolist())  # type: ignore[call-overload]

    near, far = (len(favourites(tenths[0]) & favourites(tenths[at])) for at in (1, 9))
    assert far < 0.9 * near < 0.9 * 500


def test_a_crowd_comes_at_once_and_goes() -> None:
    trace = synthetic(5, 300_000)
    counts = np.bincount(trace.objects)
    first, last = np.full(len(counts), len(trace)), np.zeros(len(counts), dtype=np.int64)
    np.minimum.at(first, trace.objects, np.arange(len(trace)))
    np.maximum.at(last, trace.objects, np.arange(len(trace)))
    assert ((counts > 200) & (last - first < 0.03 * len(trace))).any()


def test_a_kind_leads_each_phase_and_another_the_next() -> None:
    rng = np.random.default_rng(0)
    plan = phases_of(rng, 10_000, 6)
    assert all(abs(sum(phase.shares) - 1) < 1e-9 for phase in plan)
    leaders = [int(np.argmax(phase.shares)) for phase in plan]
    assert all(one != following for one, following in pairwise(leaders))
    assert [kind.name for kind in drawn(rng)] == [kind.name for kind in KINDS]


def test_parts_of_a_file_are_asked_for_in_their_order() -> None:
    trace = synthetic(1, 100_000)
    large = np.flatnonzero(trace.lengths == SEGMENT_BYTES)
    soon = 100
    follows = [trace.objects[at] + 1 in trace.objects[at + 1 : at + soon] for at in large]
    assert np.mean(follows) > 0.7


@pytest.mark.parametrize(("seed", "requests", "phases"), [(-1, 10_000, 5), (0, 999, 1), (0, 4000, 5), (0, 4000, 0)])
def test_nonsense_is_refused(seed: int, requests: int, phases: int) -> None:
    with pytest.raises(Misuse):
        synthetic(seed, requests, phases)
