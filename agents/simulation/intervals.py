"""What a simulation says, with how sure it is: exact intervals for shares and rates, the normal one for means."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

CONFIDENCE = 0.95
HALVINGS = 200
"""Of an interval in which a quantile is looked for; it ends earlier, where doubles do."""
TERMS = 100_000
"""Of a continued fraction or series; it ends earlier, where they have converged."""
TINY = 1e-300


@dataclass(frozen=True)
class Interval:
    """An estimate, and the confidence interval around it."""

    value: float
    low: float
    high: float

    def holds(self, truth: float) -> bool:
        """Whether ``truth`` lies within."""
        return self.low <= truth <= self.high

    def scaled(self, factor: float) -> "Interval":
        """In another unit; ``factor`` is positive."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)


def share(hits: int, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """Of ``trials`` that came to be hits (Clopper and Pearson: at least ``confidence``, whatever the truth)."""
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if hits == 0 else _root(lambda p: beta_below(p, hits, trials - hits + 1), tail, 0.0, 1.0)
    high = 1.0 if hits == trials else _root(lambda p: beta_below(p, hits + 1, trials - hits), 1.0 - tail, 0.0, 1.0)
    return Interval(hits / trials, low, high)


def mean(values: Any, confidence: float = CONFIDENCE) -> Interval:
    """Of independent draws; normal, so there should be some tens of them."""
    values = np.asarray(values, np.float64)
    centre = float(values.mean())
    if len(values) < 2:
        return Interval(centre, -math.inf, math.inf)
    width = NormalDist().inv_cdf((1.0 + confidence) / 2.0) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Interval(centre, centre - width, centre + width)


def beta_below(x: float, a: float, b: float) -> float:
    """P(Beta(a, b) <= x), the regularised incomplete beta function, by its continued fraction (Lentz's method)."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - beta_below(1.0 - x, b, a)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)

    def term(n: int) -> float:
        half = n // 2
        if n % 2:
            return -(a + half) * (a + b + half) * x / ((a + n - 1) * (a + n))
        return half * (b - half) * x / ((a + n - 1) * (a + n))

    return math.exp(scale) / (a * _fraction(term))


def _fraction(term: Callable[[int], float]) -> float:
    """1 + t1 / (1 + t2 / (1 + ...))."""
    value = ratio = 1.0
    other = 0.0
    for n in range(1, TERMS):
        other = 1.0 / ((1.0 + term(n) * other) or TINY)
        ratio = (1.0 + term(n) / ratio) or TINY
        value *= ratio * other
        if abs(ratio * other - 1.0) < 1e-16:
            break
    return value


def _root(rising: Callable[[float], float], level: float, low: float, high: float) -> float:
    """Where the rising function reaches ``level``."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        if rising(middle) < level:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0
