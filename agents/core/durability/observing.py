"""One slot by itself: when it is lost, and when proofs have shown that it is.

A slot lost at rate L misses proofs at rate B; after so many misses it is observed lost. Everything is an integral of numbers
above zero, taken by Gauss-Legendre where the integrand is: exact to rounding, however fast or slow one is beside the other.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NODES = 64
LAYER = 100.0
"""Beyond so many time constants nothing of an exponential is left."""
TERMS = 40
"""Of a Poisson distribution's tail."""
PIECE = 1024
"""Times treated at once: what they need stays in the processor's cache."""


@dataclass(frozen=True)
class Fate:
    """Probabilities of one slot at each of some times; arrays of one shape."""

    lost: Floats
    """It is lost, observed or not."""

    seen: Floats
    """It is lost and observed lost."""

    unseen: Floats
    """It is lost, and that is not yet observed."""

    seeing: Floats
    """Density of the moment at which it is observed, per second."""


def fate(times: Floats, failing: float, proving: float, misses: int) -> Fate:
    """A slot that was there at time 0, under those rates per second, at times in seconds."""
    unseen, seeing = unobserved(times, failing, proving, misses)
    lost = -np.expm1(-failing * times)
    seen = np.maximum(lost - unseen, 0.0)
    # Early on nearly every loss is unseen and the difference cancels: there, sum over the misses.
    early = proving * times < misses + 1
    means, term = _poisson(times[early], failing, proving, misses)
    tail = np.ones_like(term)
    for missed in range(misses + TERMS, misses, -1):
        tail = 1.0 + tail * means / missed
    seen[early] = (term * means / misses * tail).sum(axis=0)
    return Fate(lost, seen, unseen, seeing)


def unobserved(times: Floats, failing: float, proving: float, misses: int) -> tuple[Floats, Floats]:
    """(probability that the slot is lost and not yet observed, density of its observation), at times of any shape."""
    flat = times.ravel()
    unseen, latest = np.empty_like(flat), np.empty_like(flat)
    for start in range(0, len(flat), PIECE):
        piece = slice(start, start + PIECE)
        means, term = _poisson(flat[piece], failing, proving, 1)
        unseen[piece] = term.sum(axis=0)
        for missed in range(1, misses):
            term *= means
            term /= missed
            unseen[piece] += term.sum(axis=0)
        latest[piece] = term.sum(axis=0)
    return unseen.reshape(times.shape), proving * latest.reshape(times.shape)


def erlang(times: Floats, rate: float, events: int) -> tuple[Floats, Floats]:
    """(probability that so many events have not all happened yet, density of the last one of them)."""
    means = rate * times
    term = np.exp(-means)
    pending = term.copy()
    for event in range(1, events):
        term = term * means / event
        pending += term
    return pending, rate * term


def _poisson(times: Floats, failing: float, proving: float, misses: int) -> tuple[Floats, Floats]:
    """(nodes, times): means B t v, and what sums to the probability that the slot is lost with ``misses`` - 1 misses.

    That is L t times the integral over v in 0..1 of a Poisson probability of that mean times exp(-L t (1 - v)): the slot was
    lost at t (1 - v).
    """
    nodes, weights = _legendre()
    layer = np.minimum(1.0, LAYER / np.maximum(abs(proving - failing) * times, LAYER))
    inner = layer * nodes[:, None]
    since, before = (inner, 1.0 - inner) if proving >= failing else (1.0 - inner, inner)
    means = proving * times * since
    term = np.exp(-means - failing * times * before)
    term *= weights[:, None] * (layer * failing * times)
    for missed in range(1, misses):
        term *= means / missed
    return means, term


@cache
def _legendre() -> tuple[Floats, Floats]:
    """Nodes and weights on 0..1."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)  # type: ignore[no-untyped-call]
    return (nodes + 1) / 2, weights / 2
