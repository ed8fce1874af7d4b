"""Random numbers within kernels: xoshiro256++ by Blackman and Vigna (prng.di.unimi.it), and what is drawn with it.

The state is four words that the caller seeds, not all zero, and that each draw moves on; whoever has the same seed has the
same numbers, whatever numpy's or numba's generators become.
"""

import math
from typing import Any

import numpy as np
from numba import config, njit, types

from agents.kernels.cache import numba_folder

# Numba reads this when it meets each function below.
config.CACHE_DIR = str(numba_folder())

STATE = types.Array(types.uint64, 1, "C")
"""Four words."""

DISCARDED = np.uint64(11)
STEP = 2.0**-53
"""Doubles have 53 bits."""


@njit(inline="always")
def _turned(word: Any, left: Any, right: Any) -> Any:
    return (word << left) | (word >> right)


@njit(types.uint64(STATE), cache=True, nogil=True)
def word(state: Any) -> Any:
    """The next 64 bits."""
    first, second, third, fourth = state[0], state[1], state[2], state[3]
    drawn = _turned(first + fourth, np.uint64(23), np.uint64(41)) + first
    third ^= first
    fourth ^= second
    state[0] = first ^ fourth
    state[1] = second ^ third
    state[2] = third ^ (second << np.uint64(17))
    state[3] = _turned(fourth, np.uint64(45), np.uint64(19))
    return drawn


@njit(types.float64(STATE), cache=True, nogil=True)
def uniform(state: Any) -> Any:
    """In [0, 1)."""
    return np.float64(word(state) >> DISCARDED) * STEP


@njit(types.int64(STATE, types.int64), cache=True, nogil=True)
def below(state: Any, limit: Any) -> Any:
    """A whole number in [0, limit), evenly to within limit / 2^53."""
    return np.int64(uniform(state) * limit)


@njit(types.float64(STATE), cache=True, nogil=True)
def exponential(state: Any) -> Any:
    """Exponential with mean 1."""
    return -math.log(1.0 - uniform(state))
