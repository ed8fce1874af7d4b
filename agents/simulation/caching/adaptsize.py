"""AdaptSize (Berger, Sitaraman and Harchol-Balter, NSDI 2017): an object is admitted with probability e^(-size / c).

After every window a Markov model of the cache says which c would have had the most hits, and that is used next.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.simulation.caching.levels import Cache, Setting
from agents.simulation.caching.policies import Log, Replayed, windows
from agents.simulation.caching.traces import Trace

KEPT_OF_OLD = 0.3
"""Of what was counted before, after each window (the authors' smoothing)."""

SCALES = 2.0 ** np.arange(6, 31)
"""Values of c that are tried, in bytes."""

STEPS = 40
"""Of the search for the time an object stays."""

PER_OCTAVE = 4
"""Objects whose rates and whose sizes are within such a part of a doubling are taken together."""


@dataclass(frozen=True)
class AdaptSize:
    """Admission by size and chance, tuned window by window."""

    window: int
    """Requests."""
    fills: bool = False
    """Try no c by which less than all of memory is expected to be admitted in a window.

    The authors try any. Their model is of the far future, when all wanted objects were admitted in the end, however small
    the chance: it prefers small c, and traffic changes before they pay.
    """
    seed: int = 0

    @property
    def name(self) -> str:
        """As Policy."""
        return "adaptsize-fill" if self.fills else "adaptsize"

    def replay(self, trace: Trace, setting: Setting) -> Replayed:
        """As Policy."""
        rng = np.random.default_rng(self.seed)
        cache, log, rates = Cache(trace, setting), Log(), np.zeros(len(trace.sizes))
        scale = setting.memory / 100
        for first, last in windows(trace, self.window):
            admitted = rng.random(last - first) < np.exp(-trace.lengths[first:last] / scale)
            log.add(first, f"c = {scale:.0f}", cache.replay(last, admitted))
            rates *= KEPT_OF_OLD
            rates += (1.0 - KEPT_OF_OLD) * np.bincount(trace.objects[first:last], minlength=len(rates))
            scale = best_scale(rates, trace.sizes, setting.memory, self.fills)
        return log.replayed()


def best_scale(rates: Any, sizes: Any, capacity: int, fills: bool) -> float:
    """The c of SCALES with the most hits in the model, of objects requested at ``rates`` a window and of ``sizes`` bytes."""
    counts, rate, size = _grouped(rates, sizes)
    asked = counts * rate * size
    enough = [scale for scale in SCALES if not fills or (asked * np.exp(-size / scale)).sum() >= capacity]
    return float(max(enough or SCALES[-1:], key=lambda scale: hit_rate(counts, rate, size, capacity, scale)))


def _grouped(rates: Any, sizes: Any) -> tuple[Any, Any, Any]:
    """How many objects there are of each rate and size, their mean rate and mean size."""
    asked = rates > 1e-3
    rate, size = rates[asked], sizes[asked].astype(np.float64)
    keys = np.floor(PER_OCTAVE * np.log2(rate)) * 4096 + np.floor(PER_OCTAVE * np.log2(size))
    _, group, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return counts, np.bincount(group, weights=rate) / counts, np.bincount(group, weights=size) / counts


def hit_rate(counts: Any, rates: Any, sizes: Any, capacity: int, scale: float) -> float:
    """The model's share of requests that hit when c is ``scale``; ``counts`` objects each have such a rate and size."""
    admitted = np.exp(-sizes / scale)

    def there(stay: float) -> Any:
        """The probability of finding an object, where one not requested for ``stay`` is evicted."""
        again = np.expm1(np.minimum(rates * stay, 500.0)) * admitted
        return again / (1.0 + again)

    def used(stay: float) -> float:
        return float((counts * sizes * there(stay)).sum())

    low, high = 0.0, 500.0 / float(rates.min())
    if used(high) <= capacity:
        low = high
    for _ in range(STEPS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if used(middle) < capacity else (low, middle)
    return float((counts * rates * there(low)).sum() / (counts * rates).sum())
