"""What hot caches under several experts would have made of a window of requests, from the requests alone."""

from typing import Any

import numpy as np
from numba import config, njit, types

from agents.kernels.cache import numba_folder
from agents.kernels.cache_queues import drop, next_to_go, push

# Numba reads this when it meets each function below.
config.CACHE_DIR = str(numba_folder())

WORDS = types.Array(types.int64, 1, "C", readonly=True)
FLAGS = types.Array(types.uint8, 1, "C", readonly=True)
TOTALS = types.Array(types.int64, 1, "C")


@njit(
    types.void(WORDS, WORDS, WORDS, FLAGS, types.int64, types.int64, WORDS, WORDS, types.int64, TOTALS, TOTALS),
    cache=True,
    nogil=True,
)  # fmt: skip
def replay(
    objects: Any,
    sizes: Any,
    ordinals: Any,
    admitted: Any,
    branch: Any,
    first: Any,
    frequencies: Any,
    bounds: Any,
    capacity: Any,
    hits: Any,
    hit_bytes: Any,
) -> None:
    """Fill ``hits`` and ``hit_bytes`` of the requests from the ``first`` on, one entry an expert.

    ``objects`` are numbered from 0; ``ordinals`` say which of its object's requests each is. Before the ``branch`` every
    request is offered to memory that really was, as ``admitted`` says; from there on what the expert admits. A cache of
    ``capacity`` bytes starts empty; until it was full once, whatever must have been admitted earlier counts as being
    there. Once it was full it holds what the real one does: both are LRU.
    """
    things = np.int64(0)
    for at in range(objects.shape[0]):
        things = max(things, objects[at] + 1)
    links = np.zeros((things + 1, 2), np.int32)
    held = np.zeros(things, np.int64)  # bytes of each object that is held
    here = np.zeros(things, np.bool_)
    for expert in range(hits.shape[0]):
        links[things, 0] = things
        links[things, 1] = things
        here[:] = False
        used = np.int64(0)
        full = False
        hits[expert] = 0
        hit_bytes[expert] = 0
        for at in range(objects.shape[0]):
            thing = objects[at]
            size = sizes[at]
            hit = here[thing]
            if hit:
                drop(links, thing)
                push(links, things, thing)
            elif size > capacity:
                hit = False
            elif (at < branch and admitted[at] != 0) or (
                at >= branch and ordinals[at] >= frequencies[expert] and size < bounds[expert]
            ):
                hit = not full and ordinals[at] > frequencies[expert]
                push(links, things, thing)
                here[thing] = True
                held[thing] = size
                used += size
                while used > capacity:
                    oldest = next_to_go(links, things)
                    drop(links, oldest)
                    here[oldest] = False
                    used -= held[oldest]
                    full = True
            if hit and at >= first:
                hits[expert] += 1
                hit_bytes[expert] += size
