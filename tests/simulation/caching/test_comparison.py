"""Comparisons count every request once, and hindsight is the best there is."""

import numpy as np
import pytest

from agents.core.admission.experts import EXPERTS
from agents.core.admission.objectives import OBJECTIVES, Tally
from agents.simulation.caching.comparison import BEST, HINDSIGHT, POINTS, Comparison, compare
from agents.simulation.caching.levels import Cache, Setting, tally
from agents.simulation.caching.mixes import synthetic
from agents.simulation.caching.policies import Eviction, Percentile

SMALL = Setting(5_000_000, 100_000_000)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(synthetic(31, 40_000, 3), SMALL, [Eviction("lru"), Percentile(2000)], OBJECTIVES["objects"])


def test_every_row_counts_the_whole_trace(comparison: Comparison) -> None:
    trace = comparison.trace
    assert [row.name for row in comparison.rows] == ["lru", "percentile", BEST, HINDSIGHT]
    assert len(comparison.points) == POINTS + 1 and comparison.edges == (*trace.phases, len(trace))
    for row in comparison.rows:
        assert (row.total.requests, row.total.size) == (len(trace), int(trace.lengths.sum()))
        assert sum(row.phases, Tally()) == row.total
        if row.name != HINDSIGHT:
            assert sum(row.curve, Tally()) == row.total
        assert (row.seconds > 0) == (row.name not in (BEST, HINDSIGHT))
    lru = tally(Cache(trace, SMALL).replay(len(trace)), trace.lengths)
    assert comparison.rows[0].total == lru


def test_hindsight_is_the_best_expert_of_every_phase(comparison: Comparison) -> None:
    trace, (best, hindsight) = comparison.trace, comparison.rows[-2:]
    outcomes = [Cache(trace, SMALL).with_expert(len(trace), expert) for expert in EXPERTS]
    totals = [tally(each, trace.lengths) for each in outcomes]
    chosen = int(np.argmax([total.hot for total in totals]))
    assert (best.total, best.choices) == (totals[chosen], ((0, EXPERTS[chosen].name),))
    for phase, (first, last) in enumerate(zip(comparison.edges, comparison.edges[1:], strict=False)):
        hits = [tally(each[first:last], trace.lengths[first:last]).hot for each in outcomes]
        assert hindsight.phases[phase].hot == max(hits)
        assert hindsight.choices[phase] == (first, EXPERTS[int(np.argmax(hits))].name)
    assert hindsight.total.hot > best.total.hot


def test_statics_are_run_once_for_all_objectives(comparison: Comparison) -> None:
    trace, bytes_ = comparison.trace, OBJECTIVES["bytes"]
    heard: list[tuple[str, int, int]] = []
    again = compare(trace, SMALL, [], bytes_, known=comparison.statics, told=lambda *said: heard.append(said))
    assert again.rows == compare(trace, SMALL, [], bytes_).rows
    assert heard == [("replaying", 0, 0)]
    assert [row.name for row in again.statics] == [expert.name for expert in EXPERTS]


def test_an_objective_chooses_another_best() -> None:
    trace = synthetic(32, 30_000, 3)
    found = {}
    for name in ("objects", "bytes"):
        comparison = compare(trace, SMALL, [], OBJECTIVES[name], phase=7000)
        assert comparison.edges == (0, 7000, 14_000, 21_000, 28_000, 30_000)
        found[name] = comparison.rows[0].total
    assert found["objects"].hot > found["bytes"].hot
    assert found["bytes"].hot_bytes > found["objects"].hot_bytes


def test_without_hindsight_only_what_was_named_is_run() -> None:
    heard: list[tuple[str, int, int]] = []
    comparison = compare(
        synthetic(33, 20_000, 2), SMALL, [Eviction("sieve")], OBJECTIVES["writes"], hindsight=False,
        told=lambda *said: heard.append(said),
    )  # fmt: skip
    assert [row.name for row in comparison.rows] == ["sieve"]
    assert heard == [("replaying", 0, 1), ("replaying", 1, 1)]
