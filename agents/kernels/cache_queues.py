"""Queues of a cache's objects, as double links between numbered objects: what every kernel of a cache is made of.

An object stands in one queue at most, so one pair of links an object is enough; ``place`` says in which it stands, 0 for none.
Each queue has a root, a row of the links past the last object's: its OLDER is the object that came last, its NEWER the one that
goes next.
"""

from typing import Any

import numpy as np
from numba import config, njit, types

from agents.kernels.cache import numba_folder

# Numba reads this when it meets each function below.
config.CACHE_DIR = str(numba_folder())

OLDER, NEWER = 0, 1
"""Columns of the links."""

PASSED, ASKED, OFFERED = np.uint8(0), np.uint8(1), np.uint8(2)
"""What a request means to a level: nothing, whether the object is there, or also that it may be kept from now on."""

MISSED, HIT, KEPT = np.uint8(0), np.uint8(1), np.uint8(2)
"""What comes of it; KEPT: it was not there and is now. A request that was passed is MISSED."""

CAPACITY, USED = 0, 1
"""The first of a level's numbers, in bytes; the others are each kernel's own."""

LINKS = types.Array(types.int32, 2, "C")
BYTES = types.Array(types.uint8, 1, "C")
NUMBERS = types.Array(types.int64, 1, "C")
OBJECTS = types.Array(types.int32, 1, "C", readonly=True)
SIZES = types.Array(types.int64, 1, "C", readonly=True)
GIVEN = types.Array(types.uint8, 1, "C", readonly=True)

LEVEL = types.void(LINKS, BYTES, BYTES, NUMBERS, BYTES, OBJECTS, SIZES, GIVEN, BYTES)
"""Of a level's kernel: links, place, marks, numbers, sketch; objects requested, all sizes, what is asked; what was found."""


@njit(inline="always")
def push(links: Any, root: Any, thing: Any) -> None:
    """Put ``thing`` last."""
    last = links[root, OLDER]
    links[thing, OLDER] = last
    links[thing, NEWER] = root
    links[last, NEWER] = thing
    links[root, OLDER] = thing


@njit(inline="always")
def drop(links: Any, thing: Any) -> None:
    """Take ``thing`` out of whatever queue it is in."""
    older, newer = links[thing, OLDER], links[thing, NEWER]
    links[newer, OLDER] = older
    links[older, NEWER] = newer


@njit(inline="always")
def next_to_go(links: Any, root: Any) -> Any:
    """The object that has been there longest; the root itself where there is none."""
    return links[root, NEWER]
