"""Lessons against replays that are counted one request at a time."""

import numpy as np
import pytest

from agents.core.admission.experts import EXPERTS
from agents.learning.lessons import Looks, lessons_of
from agents.simulation.caching.levels import HOT, ORIGIN, WRITTEN, Cache, Setting
from agents.simulation.caching.mixes import synthetic

SETTING = Setting(5_000_000, 200_000_000)
LOOKS = Looks(window=500, history=2_000, each=3)


def test_lessons_are_what_experts_made_of_the_windows() -> None:
    trace = synthetic(5, 12_000, 3)
    found = lessons_of(trace, SETTING, LOOKS, 9)
    assert found.phase.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert (found.inputs == lessons_of(trace, SETTING, LOOKS, 9).inputs).all()
    outcomes = [Cache(trace, SETTING).with_expert(len(trace), EXPERTS[at]) for at in (3, 17)]
    sizes = trace.lengths
    for number, start in enumerate(trace.phases):
        here = range(start, start + LOOKS.window)
        lesson = 3 * number  # the first look of a phase is at its beginning
        hits = [[outcome[at] == HOT for at in here] for outcome in outcomes]
        both = [one and other for one, other in zip(*hits, strict=True)]
        assert found.together[lesson, 0, 3, 17] == pytest.approx(np.mean(both), abs=1e-6)
        total = sum(int(sizes[at]) for at in here)
        shared = sum(int(sizes[at]) for at, hit in zip(here, both, strict=True) if hit)
        assert found.together[lesson, 1, 17, 3] == pytest.approx(shared / total, abs=1e-5)
        fetched = sum(int(sizes[at]) for at in here if outcomes[0][at] in (ORIGIN, WRITTEN))
        assert found.shares[lesson, 3, 2] == pytest.approx(fetched / total, abs=1e-5)
        end = [*trace.phases[1:], len(trace)][number]
        settled = outcomes[1][start + int((end - start) * 0.1) : end]
        assert found.coming[lesson, 17, 0] == pytest.approx(np.mean(settled == HOT), abs=1e-6)
        assert found.half[lesson, 3, 0] == pytest.approx(np.mean(hits[0][LOOKS.window // 2 :]), abs=1e-6)


def test_miniatures_of_lessons_are_close_to_what_happened() -> None:
    found = lessons_of(synthetic(6, 20_000, 2), SETTING, Looks(1_000, 8_000, 4), 1)
    later = found.phase >= 0
    later[:1] = False  # the very first window has no requests before it
    assert np.abs(found.miniature[later] - found.shares[later][:, :, :2]).mean() < 0.02
