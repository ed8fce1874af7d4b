"""How far apart requests for the same object are, in requests and in bytes of other objects (stack distances)."""

from typing import Any

import numpy as np
from numba import config, njit, types

from agents.kernels.cache import numba_folder

# Numba reads this when it meets each function below.
config.CACHE_DIR = str(numba_folder())

OBJECTS = types.Array(types.int64, 1, "C", readonly=True)
SUMS = types.Array(types.float64, 1, "C")


@njit(inline="always")
def _add(tree: Any, at: Any, amount: Any) -> None:
    """Fenwick tree: ``amount`` more at ``at``, from 0."""
    at += 1
    while at < tree.shape[0]:
        tree[at] += amount
        at += at & -at


@njit(inline="always")
def _up_to(tree: Any, at: Any) -> Any:
    """The sum of all that is at 0 to ``at``, inclusively."""
    total = np.int64(0)
    at += 1
    while at > 0:
        total += tree[at]
        at -= at & -at
    return total


@njit(
    types.int64(OBJECTS, OBJECTS, OBJECTS, types.int64, types.float64, types.float64, SUMS, SUMS),
    cache=True,
    nogil=True,
)
def repeats(
    objects: Any, sizes: Any, times: Any, first: Any, longest: Any, farthest: Any, intervals: Any, distances: Any
) -> Any:
    """Add up, over repeated requests from the ``first`` on, what lies between each and its object's requests before.

    ``objects`` are numbered from 0 and each requested at ``times``, which rise; ``sizes`` are of the requests. Entry k of
    ``intervals`` gets times since the (k+1)-th request before, ``longest`` at most, and that where there was none; that of
    ``distances`` the bytes of all objects requested since, the object's own with them, ``farthest`` at most.
    Gives the number of repeated requests.
    """
    count = objects.shape[0]
    lags = intervals.shape[0]
    things = np.int64(0)
    for at in range(count):
        things = max(things, objects[at] + 1)
    before = np.full((things, lags), -1, np.int32)  # the requests of each object, the latest first
    tree = np.zeros(count + 1, np.int64)  # at the latest request of each object its size
    seen = np.int64(0)
    total = np.int64(0)
    for at in range(count):
        mine = before[objects[at]]
        if mine[0] >= 0 and at >= first:
            seen += 1
            for lag in range(lags):
                earlier = mine[lag]
                if earlier < 0:
                    intervals[lag] += longest
                    distances[lag] += farthest
                    continue
                intervals[lag] += min(np.float64(times[at] - times[earlier]), longest)
                between = total - (_up_to(tree, earlier - 1) if earlier > 0 else 0)
                distances[lag] += min(np.float64(between), farthest)
        if mine[0] >= 0:
            _add(tree, mine[0], -sizes[mine[0]])
            total -= sizes[mine[0]]
        _add(tree, at, sizes[at])
        total += sizes[at]
        for lag in range(lags - 1, 0, -1):
            mine[lag] = mine[lag - 1]
        mine[0] = at
    return seen
