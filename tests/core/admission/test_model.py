"""Clusters and predictors against loops over their definitions; models that are damaged."""

import math

import numpy as np
import pytest

from agents.core.admission.experts import EXPERTS
from agents.core.admission.model import model_of
from agents.core.admission.objectives import BYTE_HITS, DISK_WRITES, EVENTS, OBJECT_HITS
from agents.core.errors import Malformed
from tests.core.admission.models import arrays, features, knowing

KINDS = [features(0.1), features(2.0), features(2.0, size=500_000.0)]


def test_the_nearest_cluster_is_that_of_the_smallest_distance() -> None:
    clusters = model_of(arrays(KINDS, np.zeros((3, 36)))).clusters
    assert [clusters.nearest(kind) for kind in KINDS] == [0, 1, 2]
    assert clusters.nearest(features(0.15)) == 0 and clusters.nearest(features(2.0, size=400_000.0)) == 2


def test_candidates_are_within_one_percent_of_the_best() -> None:
    rewards = np.full((1, 36), 0.1)
    rewards[0, [4, 9, 20, 21]] = 0.4, 0.3961, 0.3959, 0.2
    clusters = model_of(arrays(KINDS[:1], rewards)).clusters
    assert clusters.candidates(0, OBJECT_HITS).tolist() == [4, 9]
    assert clusters.candidates(0, OBJECT_HITS, 0.02).tolist() == [4, 9, 20]
    assert clusters.candidates(0, BYTE_HITS).tolist() == [4, 9]
    assert set(clusters.candidates(0, DISK_WRITES).tolist()) >= {4, 9, 20}


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
