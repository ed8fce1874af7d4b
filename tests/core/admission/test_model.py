"""Clusters and predictors against loops over their definitions; models that are damaged."""

import math

import numpy as np
import pytest

from agents.core.admission.experts import EXPERTS
from agents.core.admission.model import model_of
from agents.core.admission.objectives import BYTE_HITS, DISK_WRITES, EVENTS, OBJECT_HITS
from agents.core.admission.predictors import combined
from agents.core.errors import Malformed
from tests.core.admission.models import arrays, features, knowing

KINDS = [features(0.1), features(2.0), features(2.0, size=500_000.0)]


def test_the_nearest_cluster_is_that_of_the_smallest_distance() -> None:
    clusters = model_of(arrays(KINDS, np.zeros((3, 36)))).clusters
    assert [clusters.nearest(kind) for kind in KINDS] == [0, 1, 2]
    assert clusters.nearest(features(0.15)) == 0 and clusters.nearest(features(2.0, size=400_000.0)) == 2


def test_candidates_are_those_near_the_best_of_some_traffic_the_best_on_average_first() -> None:
    given = arrays(KINDS[:1], np.linspace(0.1, 0.4, 36)[None])
    given["clusters.near"][:] = False
    given["clusters.near"][0, 0, [4, 20, 9]] = True
    clusters = model_of(given).clusters
    assert clusters.candidates(0, OBJECT_HITS).tolist() == [35, 20, 9, 4]
    assert clusters.candidates(0, BYTE_HITS).tolist() == [35]
    assert clusters.candidates(0, DISK_WRITES).tolist() == [35]


def test_unchanged_traffic_is_at_distance_nought_and_another_is_far() -> None:
    clusters = knowing(KINDS, [[0], [1], [2]]).clusters
    assert clusters.distance(KINDS[0], KINDS[0]) == 0.0
    apart = (KINDS[1].inputs - KINDS[0].inputs) / 0.1
    assert clusters.distance(KINDS[0], KINDS[1]) == pytest.approx(math.sqrt(sum(apart**2) / len(apart)))


def test_chances_are_those_of_each_network() -> None:
    given = arrays(KINDS, np.zeros((3, 36)), seed=3)
    predictors, inputs, experts = model_of(given).predictors, KINDS[1].inputs, [30, 2, 17]
    chances = predictors.chances(inputs, experts)
    assert chances.shape == (3, 3, len(EVENTS), 2)
    for row, i in enumerate(experts):
        for column, j in enumerate(experts):
            for event in range(len(EVENTS)):
                if i == j:
                    assert chances[row, column, event].tolist() == [1.0, 0.0]
                    continue
                at = i, j, event
                hidden = [
                    math.tanh(
                        sum(
                            float(one) * weight
                            for one, weight in zip(inputs, given["predictors.weights"][at][:, unit], strict=True)
                        )
                        + given["predictors.biases"][at][unit]
                    )
                    for unit in range(2)
                ]
                for answer in range(2):
                    logit = sum(
                        hidden[unit] * given["predictors.out_weights"][at][unit, answer] for unit in range(2)
                    ) + given["predictors.out_biases"][at][answer]  # fmt: skip
                    assert chances[row, column, event, answer] == pytest.approx(1 / (1 + math.exp(-logit)))


def test_estimates_are_the_law_of_total_probability() -> None:
    predictors, counted = (
        model_of(arrays(KINDS, np.zeros((3, 36)), seed=4)).predictors,
        np.array([0.5, 0.25, 0.5, 0.125]),
    )
    estimates, variances = predictors.estimates(2, counted, KINDS[0].inputs, [30, 2])
    chances = predictors.chances(KINDS[0].inputs, [30, 2])
    assert estimates[1] == pytest.approx(counted) and variances.tolist() == [[1.0] * 4] * 2
    for event, share in enumerate(counted):
        given, otherwise = chances[1, 0, event]
        assert estimates[0, event] == pytest.approx(given * share + otherwise * (1 - share))


def test_two_estimates_become_one_by_their_precisions() -> None:
    value, variance = combined(np.array([1.0]), np.array([0.25]), np.array([3.0]), np.array([1.0]))
    assert value == pytest.approx([(1 * 4 + 3 * 1) / 5]) and variance == pytest.approx([1 / 5])


def test_a_model_is_its_arrays() -> None:
    given = arrays(KINDS, np.zeros((3, len(EXPERTS))))
    again = model_of(model_of(given).arrays()).arrays()
    assert given.keys() == again.keys() and all((given[name] == again[name]).all() for name in given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clusters.mean", None),
        ("clusters.mean", np.zeros(3)),
        ("clusters.noise", np.zeros(23)),
        ("clusters.centroids", np.zeros((2, 23))),
        ("predictors.errors", np.full((36, 36, 4), np.nan)),
        ("predictors.weights", np.zeros((35, 35, 4, 23, 2))),
    ],
)
def test_damaged_models_are_refused(name: str, value: object) -> None:
    given = arrays(KINDS, np.zeros((3, 36)))
    del given[name]
    if value is not None:
        given[name] = value
    with pytest.raises(Malformed):
        model_of(given)
