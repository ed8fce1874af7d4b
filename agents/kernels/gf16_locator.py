"""The erasure locator at every point of a code word, by Walsh-Hadamard transforms of logarithms."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.kernels.gf16_field import UNITS, exponentials, logarithms, points

Exponents = NDArray[np.int64]


def walsh(values: Exponents) -> Exponents:
    """The Walsh-Hadamard transform, a power of two of values; twice it is their number times the values."""
    found, half = values.copy(), 1
    while half < len(values):
        pairs = found.reshape(-1, 2, half)
        upper = pairs[:, 0] - pairs[:, 1]
        pairs[:, 0] += pairs[:, 1]
        pairs[:, 1] = upper
        half *= 2
    return found


@cache
def _walsh_of_logarithms(length: int) -> Exponents:
    return walsh(logarithms()[points()[:length]])


def locator(erased: NDArray[np.bool_]) -> Exponents:
    """(N,) logarithms of the products of (point - e) over the erased points e, leaving out the point itself.

    A point's number is linear in the point, so this is a convolution over exclusive or of the erased and the logarithms.
    N is a power of two; what wraps at 2^64 on the way comes out right, as N times a sum of at most N logarithms is below it.
    """
    length = len(erased)
    summed = walsh(walsh(erased.astype(np.int64)) * _walsh_of_logarithms(length)) >> (length.bit_length() - 1)
    return np.asarray(summed % UNITS, dtype=np.int64)


def powers(exponents: Exponents) -> Any:
    """x to each of ``exponents``, 0 <= each < 2 * 65,535."""
    return exponentials()[exponents]
