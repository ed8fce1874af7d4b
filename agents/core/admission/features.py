"""What a cache sees of its traffic: the fifteen features that clusters are made by, and eight shares of sizes (Darwin, 4.1)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.core.admission.experts import KB
from agents.kernels.repeats import repeats

LAGS = 7
"""A request is compared to so many before it of the same object."""

SIZE_BOUNDS = tuple(bound * KB for bound in (10, 20, 50, 100, 500, 1_000, 5_000))
"""Between the classes of sizes, in bytes."""

FEATURES = 2 * LAGS + 1
INPUTS = FEATURES + len(SIZE_BOUNDS) + 1
"""What the predictors are given: the features and the share of requests in each class of sizes."""

LONGEST = 32.0
"""Fillings after which an object might as well never have been requested: longer intervals and distances count as this."""

LEAST = 1e-3
"""Fillings; so that the logarithm of nothing is not asked for."""


@dataclass(frozen=True)
class Features:
    """Of one window of requests, in fillings of the memory: what is measured holds for caches of other sizes too.

    A filling is as many bytes as the hot cache holds, or as many requests as fetch that many.
    """

    intervals: tuple[float, ...]
    """Mean fillings since the k-th last request of the same object, k from 1 to LAGS, over requests of known objects."""
    distances: tuple[float, ...]
    """Mean fillings of other objects requested since (stack distances)."""
    size: float
    """Mean bytes of a request."""
    classes: tuple[float, ...]
    """The share of requests in each class of sizes."""

    @property
    def vector(self) -> Any:
        """The fifteen, (FEATURES,), in logarithms: what matters is how many times more."""
        spans = np.maximum(np.array(self.intervals + self.distances), LEAST)
        return np.append(np.log(spans), np.log(self.size))

    @property
    def inputs(self) -> Any:
        """What predictors are given, (INPUTS,)."""
        return np.concatenate((self.vector, self.classes))


def measure(objects: Any, sizes: Any, times: Any, capacity: int, first: int = 0, rate: float = 1.0) -> Features:
    """Features of the requests from the ``first`` on; those before only tell which objects are known.

    ``objects`` (n,) are numbered from 0, ``sizes`` (n,) bytes, ``times`` (n,) count requests; ``rate`` is the share of
    objects that these are the requests of. ``capacity``: bytes of the hot cache. ``first`` is below n.
    """
    count = len(objects) - first
    sizes = np.ascontiguousarray(sizes, np.int64)
    size = float(sizes[first:].mean())
    filling = capacity / size
    intervals, distances = np.zeros(LAGS), np.zeros(LAGS)
    seen = repeats()(
        np.ascontiguousarray(objects, np.int64), sizes, np.ascontiguousarray(times, np.int64), first,
        LONGEST * filling, LONGEST * capacity * rate, intervals, distances,
    )  # fmt: skip
    if seen == 0:
        intervals[:], distances[:], seen = LONGEST * filling, LONGEST * capacity * rate, 1
    classes = np.bincount(np.searchsorted(SIZE_BOUNDS, sizes[first:], side="right"), minlength=len(SIZE_BOUNDS) + 1)
    return Features(
        tuple((intervals / (seen * filling)).tolist()),
        tuple((distances / (seen * capacity * rate)).tolist()),
        size,
        tuple((classes / count).tolist()),
    )
