"""Models of admission that tests make up."""

from typing import Any

import numpy as np

from agents.core.admission.experts import EXPERTS
from agents.core.admission.features import INPUTS, LAGS, Features
from agents.core.admission.model import PAIRS, Model, model_of
from agents.core.admission.predictors import HIDDEN


def features(near: float, size: float = 50_000.0, small: float = 0.5) -> Features:
    """Of traffic whose repeats are ``near`` fillings apart, a share ``small`` of it in the least class of sizes."""
    spans = tuple(near * (lag + 1) for lag in range(LAGS))
    return Features(spans, spans, size, (small, 0, 0, 1 - small, 0, 0, 0, 0))


def arrays(kinds: list[Features], rewards: Any, seed: int = 0, error: float = 1e-6) -> dict[str, Any]:
    """A cluster for each of ``kinds``, where experts have ``rewards`` (kinds, experts) in hits; networks at random."""
    draws = np.random.default_rng(seed)
    rewards = np.asarray(rewards, float)
    shares = np.stack([rewards, rewards / 2, 0.5 - rewards / 4, 0.2 - rewards / 8], axis=2)
    return {
        "clusters.mean": np.zeros(INPUTS),
        "clusters.deviation": np.ones(INPUTS),
        "clusters.centroids": np.stack([kind.inputs for kind in kinds]),
        "clusters.shares": shares,
        "clusters.near": np.repeat((rewards >= 0.99 * rewards.max(axis=1, keepdims=True))[:, None], 4, axis=1),
        "clusters.noise": np.full(INPUTS, 0.1),
        "predictors.mean": np.zeros(INPUTS),
        "predictors.deviation": np.ones(INPUTS),
        "predictors.weights": draws.normal(0, 0.1, (*PAIRS, INPUTS, HIDDEN)).astype(np.float16),
        "predictors.biases": draws.normal(0, 1, (*PAIRS, HIDDEN)),
        "predictors.out_weights": draws.normal(0, 1, (*PAIRS, HIDDEN, 2)),
        "predictors.out_biases": draws.normal(0, 1, (*PAIRS, 2)),
        "predictors.errors": np.full(PAIRS, 1.0),
        "predictors.miniature_errors": np.full((len(EXPERTS), 2), error),
    }


def knowing(kinds: list[Features], best: list[list[int]]) -> Model:
    """A model in which the experts ``best[kind]`` do equally well on a kind of traffic, and all others much worse."""
    rewards = np.full((len(kinds), len(EXPERTS)), 0.2)
    for kind, experts in enumerate(best):
        rewards[kind, experts] = 0.4
    return model_of(arrays(kinds, rewards))
