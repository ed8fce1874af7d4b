"""What is learnt from lessons whose answers are known."""

import sys

import numpy as np
import pytest

from agents.core.admission.features import Features
from agents.core.admission.objectives import OBJECT_HITS
from agents.core.errors import Misuse, ToolMissing
from agents.learning import training
from agents.learning.lessons import joined
from agents.learning.training import trained
from tests.learning.made import lessons


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network takes a hundredth of a second, and there are thousands of pairs."""
    monkeypatch.setattr(training, "MOST", 2)


def traffic(first: float) -> Features:
    """Whose inputs are those of a kind: all but the first are 0."""
    found = Features((1.0,) * 7, (1.0,) * 7, 1.0, (0.0,) * 8)
    object.__setattr__(found, "intervals", (float(np.exp(first)), *found.intervals[1:]))
    return found


def test_clusters_know_the_best_experts_of_each_kind() -> None:
    clusters = trained(lessons(), seed=1, clusters=2).clusters
    kinds = [clusters.nearest(traffic(0.0)), clusters.nearest(traffic(1.0))]
    assert sorted(kinds) == [0, 1]
    found = [clusters.candidates(kind, OBJECT_HITS).tolist() for kind in kinds]
    assert found == [[0, 1], [18, 19]]
    assert clusters.distance(traffic(0.0), traffic(1.0)) > 3 > clusters.distance(traffic(0.0), traffic(0.001))


def test_networks_know_what_one_expert_makes_of_anothers_hits() -> None:
    made = lessons()
    predictors = trained(made, seed=1, clusters=2).predictors
    for at in (0, 1):
        i, j = (0, 1) if at == 0 else (18, 19)
        given, otherwise = predictors.chances(made.inputs[at], [i, j])[0, 1, 0]
        share, other = made.shares[at, i, 0], made.shares[at, j, 0]
        assert given == pytest.approx(other / share, abs=0.02) and otherwise == pytest.approx(0.0, abs=0.02)
        estimates, _ = predictors.estimates(i, made.shares[at, i], made.inputs[at], [i, j])
        assert estimates[1, 0] == pytest.approx(other, abs=0.01)
    assert predictors.miniature_errors == pytest.approx(np.full((36, 2), 0.002**2 + training.SURELY), rel=1e-3)
    assert np.sqrt(predictors.errors[5, 5]) == pytest.approx(np.full(4, 0.01), rel=0.2)


def test_the_same_lessons_teach_the_same() -> None:
    first, second = (trained(lessons(), seed=3, clusters=2).arrays() for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)


def test_joined_lessons_keep_their_phases_apart() -> None:
    one = lessons(10)
    both = joined([one, one])
    assert both.phase.tolist() == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5 and len(both.inputs) == 20


def test_too_few_lessons_are_refused() -> None:
    with pytest.raises(Misuse, match="do not make 48 clusters"):
        trained(lessons(20), seed=1)


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(ToolMissing, match="holdfast"):
        trained(lessons(), seed=1, clusters=2)
