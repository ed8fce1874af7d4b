"""Traffic that was seen in training, in clusters, and how well each expert did on each (Darwin, section 4.1).

The paper clusters by the fifteen features. Here the shares of sizes, which its predictors have beside them, count as well: with
them traffic is told apart better.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.core.admission.features import Features
from agents.core.admission.objectives import OBJECTIVES, Objective

TOLERANCE = 0.01
"""Experts whose reward is so close to the best of some traffic are candidates for all traffic of its cluster."""


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
    near: Any
    """Which experts are within TOLERANCE of the best on some traffic of the cluster, (clusters, OBJECTIVES, experts), bool."""
    noise: Any
    """Deviations, standardised, between windows of unchanged traffic, (INPUTS,)."""

    def standardised(self, features: Features) -> Any:
        """(INPUTS,)"""
        return (features.inputs - self.mean) / self.deviation

    def nearest(self, features: Features) -> int:
        """The cluster whose centroid is nearest."""
        return int(np.argmin(((self.centroids - self.standardised(features)) ** 2).sum(axis=1)))

    def candidates(self, cluster: int, objective: Objective) -> Any:
        """Experts that may be best on the cluster's traffic by their positions, first the one that is best on average.

        Objectives of one name have the same candidates.
        """
        rewards = objective.reward(self.shares[cluster])
        near = self.near[cluster, list(OBJECTIVES).index(objective.name)].copy()
        near[np.argmax(rewards)] = True
        order = np.argsort(-rewards, kind="stable")
        return order[near[order]]

    def distance(self, before: Features, after: Features) -> float:
        """How much further apart two windows are than windows of unchanged traffic: about 1 if it did not change."""
        apart = (self.standardised(after) - self.standardised(before)) / self.noise
        return float(np.sqrt((apart**2).mean()))
