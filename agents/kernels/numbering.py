"""Objects numbered from 0, whatever they were called: in time that grows with the requests alone."""

from typing import Any

import numpy as np
from numba import njit, types

from agents.kernels.cache_tinylfu import mixed

KEYS = types.Array(types.int64, 1, "C", readonly=True)
NUMBERS = types.Array(types.int64, 1, "C")


@njit(types.int64(KEYS, NUMBERS), cache=True, nogil=True)
def number(keys: Any, numbers: Any) -> Any:
    """Fill ``numbers`` with one for each of ``keys``, in the order in which they first come. Gives how many there are."""
    slots = np.int64(16)
    while slots < 2 * keys.shape[0]:
        slots *= 2
    table = np.full(slots, -1, np.int64)  # the first request of a key, in a slot from its hash on that was free
    count = np.int64(0)
    for at in range(keys.shape[0]):
        slot = np.int64(mixed(keys[at]) & np.uint64(slots - 1))
        while table[slot] >= 0 and keys[table[slot]] != keys[at]:
            slot = (slot + 1) & (slots - 1)
        if table[slot] < 0:
            table[slot] = at
            numbers[at] = count
            count += 1
        else:
            numbers[at] = numbers[table[slot]]
    return count
