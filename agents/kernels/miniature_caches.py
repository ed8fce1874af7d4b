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


@njit(inline="always")
def _keep(links: Any, here: Any, held: Any, used: Any, capacity: Any, thing: Any) -> Any:
    """Keep ``thing``, and give up the oldest for it: bytes used then, and whether any had to go."""
    root, evicted = held.shape[0], False
    push(links, root, thing)
    here[thing] = True
    used += held[thing]
    while used > capacity:
        oldest = next_to_go(links, root)
        drop(links, oldest)
        here[oldest] = False
        used -= held[oldest]
        evicted = True
    return used, evicted


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

    ``objects`` are numbered from 0; ``ordinals`` say which of its object's requests each is. Before the ``branch``, which is
    not after the ``first``, every request is offered to memory that really was, as ``admitted`` says; from there on what the
    expert admits. A cache of ``capacity`` bytes starts empty; until it was full once, whatever must have been admitted
    earlier counts as being there. Once it was full it holds what the real one does: both are LRU.
    """
    things = np.int64(0)
    for at in range(objects.shape[0]):
        things = max(things, objects[at] + 1)
    held = np.zeros(things, np.int64)  # bytes of each object
    real, really = np.zeros((things + 1, 2), np.int32), np.zeros(things, np.bool_)
    real[things, 0] = things
    real[things, 1] = things
    used, full = np.int64(0), False
    for at in range(objects.shape[0]):
        thing, size = objects[at], sizes[at]
        held[thing] = size
        if at >= branch:
            continue
        if really[thing]:
            drop(real, thing)
            push(real, things, thing)
        elif admitted[at] != 0 and size <= capacity:
            used, evicted = _keep(real, really, held, used, capacity, thing)
            full = full or evicted
    for expert in range(hits.shape[0]):
        links, here = real.copy(), really.copy()
        using, filled = used, full
        hits[expert] = 0
        hit_bytes[expert] = 0
        for at in range(branch, objects.shape[0]):
            thing, size = objects[at], sizes[at]
            hit = here[thing]
            if hit:
                drop(links, thing)
                push(links, things, thing)
            elif ordinals[at] >= frequencies[expert] and size < bounds[expert] and size <= capacity:
                hit = not filled and ordinals[at] > frequencies[expert]
                using, evicted = _keep(links, here, held, using, capacity, thing)
                filled = filled or evicted
            if hit and at >= first:
                hits[expert] += 1
                hit_bytes[expert] += size
