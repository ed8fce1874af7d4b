"""Traffic that was seen in training, in clusters, and how well each expert did on each (Darwin, section 4.1).

The paper clusters by the fifteen features. Here the shares of sizes, which its predictors have beside them, count as well: with
them traffic is told apart better.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.core.admission.features import Features
from agents.core.admission.objectives import Objective

TOLERANCE = 0.01
"""Experts whose reward is so close to a cluster's best are candidates for its traffic."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """Centroids of standardised features, and what experts made of the traffic around each."""

    mean: Any
    """Of the features in training, (INPUTS,)."""
    deviation: Any
    """Their standard deviations, (INPUTS,), above 0."""
    centroids: Any
    """(clusters, INPUTS), standardised."""
    shares: Any
    """Mean shares of EVENTS, (clusters, experts, 4)."""
    noise: Any
    """Deviations, standardised, between windows of unchanged traffic, (INPUTS,)."""

    def standardised(self, features: Features) -> Any:
        """(INPUTS,)"""
        return (features.inputs - self.mean) / self.deviation

    def nearest(self, features: Features) -> int:
        """The cluster whose centroid is nearest."""
        return int(np.argmin(((self.centroids - self.standardised(features)) ** 2).sum(axis=1)))

    def candidates(self, cluster: int, objective: Objective, tolerance: float = TOLERANCE) -> Any:
        """Experts within ``tolerance`` of the cluster's best, the best first, by their positions."""
        rewards = objective.reward(self.shares[cluster])
        best = rewards.max()
        order = np.argsort(-rewards, kind="stable")
        return order[rewards[order] >= best - tolerance * abs(best)]

    def distance(self, before: Features, after: Features) -> float:
        """How much further apart two windows are than windows of unchanged traffic: about 1 if it did not change."""
        apart = (self.standardised(after) - self.standardised(before)) / self.noise
        return float(np.sqrt((apart**2).mean()))
