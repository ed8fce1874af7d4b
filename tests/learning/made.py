"""Lessons and recipes that take no time."""

import numpy as np

from agents.core.admission.experts import EXPERTS
from agents.core.admission.features import INPUTS
from agents.core.admission.objectives import EVENTS
from agents.learning.lessons import Lessons, Looks
from agents.learning.recipe import Recipe

TINY = Recipe(seeds=range(31, 33), requests=6_000, phases=2, clusters=2, looks=Looks(500, 1_000, 2))


def lessons(count: int = 120, seed: int = 1) -> Lessons:
    """Two kinds of traffic, told apart by the first input; on each kind the experts of another half are the better ones."""
    draws = np.random.default_rng(seed)
    inputs = np.zeros((count, INPUTS), np.float32)
    kind = np.arange(count) % 2
    inputs[:, 0] = kind + draws.normal(0, 0.05, count)
    experts = len(EXPERTS)
    good = (np.arange(experts) < experts // 2)[None, :] == (kind == 0)[:, None]
    share = np.where(good, 0.4, 0.2) - np.arange(experts)[None] * 1e-3
    # What two experts have in common is what the worse of them has: its hits are the other's too.
    both = np.minimum(share[:, :, None], share[:, None, :])
    together = np.repeat(both[:, None], len(EVENTS), axis=1).astype(np.float32)
    shares = np.repeat(share[:, :, None], len(EVENTS), axis=2).astype(np.float32)
    noise = draws.normal(0, 0.01, shares.shape).astype(np.float32)
    later = inputs + draws.normal(0, 0.01, inputs.shape).astype(np.float32)
    return Lessons(
        inputs, later, together, shares + noise,
        shares[:, :, :2] + 0.002, shares, np.arange(count) // 5,
    )  # fmt: skip
