"""Vault's choice of the nodes that store a chunk's fragments (its Algorithm 2), by the rule as printed and by a sound one.

Nodes and chunks are points of one ring of hashes. A node at distance d of a chunk, in mean distances between neighbours, is
selected if its verifiable random number falls below P(d). The paper prints r < R * 2^(hashlen - d) with d counted from 1: that
is P = min(1, R / 2^(d+1)), which selects 2 (log2 R - 1 + 1 / ln 2) nodes, whatever it is meant to select. With
P = exp(-2 d / R) the expectation is R.
"""

from collections.abc import Callable

import numpy as np

from agents.repro.figures import Floats

Rule = Callable[[Floats, int], Floats]
"""(distances in mean spacings, R) -> probabilities of being selected."""

REACH = 14
"""Distances are looked at up to this many times R: beyond, exp(-2 d / R) selects one node in 10^12 chunks."""


def printed(distances: Floats, fragments: int) -> Floats:
    """The paper's rule. The distance is in its exponent, with one added to it."""
    found: Floats = np.minimum(1.0, fragments * np.exp2(-(distances + 1.0)))
    return found


def sound(distances: Floats, fragments: int) -> Floats:
    """A rule of the same shape whose expectation is ``fragments``."""
    found: Floats = np.exp(-2.0 * distances / fragments)
    return found


def selected(
    rule: Rule, fragments: int, nodes: int, chunks: int, seed: np.random.SeedSequence
) -> "np.ndarray[int, np.dtype[np.int64]]":
    """How many of ``nodes``, anywhere on the ring, are selected for each of ``chunks``: int64 (chunks,)."""
    random = np.random.default_rng(seed)
    reach = min(float(REACH * fragments), nodes / 2.0)
    near = random.binomial(nodes, 2.0 * reach / nodes, chunks)
    distances = random.random(int(near.sum())) * reach
    chosen = random.random(len(distances)) < rule(distances, fragments)
    return np.bincount(np.repeat(np.arange(chunks), near), chosen, chunks).astype(np.int64)
