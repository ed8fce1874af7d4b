"""From lessons to a model: k-means for clusters, a small network for each ordered pair of experts."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from agents.core.admission.clusters import TOLERANCE, Clusters
from agents.core.admission.experts import EXPERTS
from agents.core.admission.model import PAIRS, Model
from agents.core.admission.objectives import OBJECTIVES
from agents.core.admission.predictors import HIDDEN, Predictors
from agents.core.errors import Misuse, ToolMissing
from agents.learning.lessons import Lessons

CLUSTERS = 48

MOST = 12
"""Candidates of a cluster: where an objective hardly depends on the expert, the best of them will do."""

CLEAR = 1e-3
"""Probabilities are learnt as logits, and none nearer to 0 or 1 than this."""

HARSHNESS = 0.1
"""Of the penalty on large weights."""

STEPS = 200
"""Of L-BFGS, at most."""

SURELY = 1e-6
"""The least error that is believed."""


def _library() -> tuple[Any, Any, Any, Any]:
    try:
        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise ToolMissing(
            "Training needs scikit-learn", "it is not installed", "Type: pip install 'holdfast[learning]'"
        ) from None
    return KMeans, MLPRegressor, ConvergenceWarning, threadpool_limits


def require_library() -> None:
    """Raises ToolMissing without scikit-learn."""
    _library()


Told = Callable[[int, int], None]
"""Hears how many networks are done, and of how many."""


def trained(lessons: Lessons, seed: int, clusters: int = CLUSTERS, told: Told = lambda done, total: None) -> Model:
    """A model; the same one for the same arguments and versions.

    Raises ToolMissing, Misuse.
    """
    k_means, network, unconverged, limits = _library()
    if len(lessons.phase) < 2 * clusters:
        raise Misuse(
            f"{len(lessons.phase)} windows do not make {clusters} clusters", "", "Train on more seeds or requests."
        )
    # Threads cost these small matrices more than they save, and their number would change the last digits.
    with limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", unconverged)
        found = _clusters(lessons, k_means(clusters, n_init=8, random_state=seed))
        return Model(found, _predictors(lessons, found, network, seed, told))


def _clusters(lessons: Lessons, k_means: Any) -> Clusters:
    mean, deviation = _scale(lessons.inputs)
    labels = k_means.fit((lessons.inputs - mean) / deviation).labels_
    shares = np.stack([lessons.coming[labels == label].mean(axis=0) for label in range(k_means.n_clusters)])
    close = np.stack([_near(one.reward(lessons.coming)) for one in OBJECTIVES.values()], axis=1)
    near = np.stack([close[labels == label].any(axis=0) for label in range(k_means.n_clusters)])
    for row, one in enumerate(OBJECTIVES.values()):
        rewards = np.sort(one.reward(shares), axis=1)
        near[:, row] &= one.reward(shares) >= rewards[:, -MOST:][:, :1]
    noise = np.sqrt((((lessons.later - lessons.inputs) / deviation) ** 2).mean(axis=0))
    return Clusters(mean, deviation, k_means.cluster_centers_.astype(np.float32), shares, near, np.maximum(noise, 1e-3))


def _scale(inputs: Any) -> tuple[Any, Any]:
    """Mean and deviation of each column; 1 where there is none."""
    deviation = inputs.std(axis=0)
    return inputs.mean(axis=0), np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32)


def _near(rewards: Any) -> Any:
    """Which experts are within TOLERANCE of the best, (n, experts)."""
    best = rewards.max(axis=1, keepdims=True)
    return rewards >= best - TOLERANCE * np.abs(best)


def _used(clusters: Clusters) -> Any:
    """For which pairs and events predictions are ever asked: candidates together where the objective heeds the event."""
    used = np.zeros(PAIRS, np.bool_)
    for row, one in enumerate(OBJECTIVES.values()):
        near = clusters.near[:, row]
        used |= (near[:, :, None] & near[:, None, :]).any(axis=0)[:, :, None] & (np.array(one.weights) != 0.0)
    used[np.arange(len(EXPERTS)), np.arange(len(EXPERTS))] = False
    return used


def _predictors(lessons: Lessons, clusters: Clusters, network: Any, seed: int, told: Told) -> Predictors:
    mean, deviation = _scale(lessons.inputs)
    scaled = (lessons.inputs - mean) / deviation
    shares, inputs = lessons.shares, scaled.shape[1]
    weights, biases = np.zeros((*PAIRS, inputs, HIDDEN), np.float16), np.zeros((*PAIRS, HIDDEN), np.float16)
    out_weights, out_biases = np.zeros((*PAIRS, HIDDEN, 2), np.float16), np.zeros((*PAIRS, 2), np.float16)
    wanted_pairs = np.argwhere(_used(clusters)).tolist()
    for done, (i, j, event) in enumerate(wanted_pairs, 1):
        both = lessons.together[:, event, i, j]
        given = np.stack(
            [both / _some(shares[:, i, event]), (shares[:, j, event] - both) / _some(1.0 - shares[:, i, event])]
        )
        wanted = np.clip(given.T, CLEAR, 1.0 - CLEAR)
        fitted = network(
            hidden_layer_sizes=(HIDDEN,),
            activation="tanh",
            solver="lbfgs",
            alpha=HARSHNESS,
            max_iter=STEPS,
            random_state=seed,
        ).fit(scaled, np.log(wanted / (1.0 - wanted)))
        weights[i, j, event], out_weights[i, j, event] = fitted.coefs_
        biases[i, j, event], out_biases[i, j, event] = fitted.intercepts_
        told(done, len(wanted_pairs))
    miniature = ((lessons.miniature - shares[:, :, :2]) ** 2).mean(axis=0) + SURELY
    found = Predictors(mean, deviation, weights, biases, out_weights, out_biases, np.ones(PAIRS, np.float32), miniature)
    return Predictors(mean, deviation, weights, biases, out_weights, out_biases, _errors(lessons, found), miniature)


def _some(shares: Any) -> Any:
    return np.maximum(shares, 1e-6)


def _errors(lessons: Lessons, predictors: Predictors) -> Any:
    """Mean squares of what is wrong with predictions, (i, j, events), float32."""
    everyone = range(len(EXPERTS))
    total = np.zeros(PAIRS)
    for inputs, half, true in zip(lessons.inputs, lessons.half, lessons.shares, strict=True):
        chances = predictors.chances(inputs, everyone)
        estimates = chances[..., 0] * half[:, None, :] + chances[..., 1] * (1.0 - half[:, None, :])
        total += (estimates - true[None]) ** 2
    return (total / len(lessons.inputs) + SURELY).astype(np.float32)
