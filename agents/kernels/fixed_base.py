"""Many multiples of one point of BN254, for the development proving key: windows of the scalar and a table of them.

Each of a scalar's 32 bytes picks one of a table of 32 x 256 multiples; the sums of what is picked are worked out together.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from agents.core.proofs.curve import multiples_table_g1, multiples_table_g2
from agents.kernels.forms import best_form
from agents.kernels.group import group, words_g1, words_g2
from agents.kernels.memory import Words
from agents.kernels.sums import Sums
from agents.kernels.threads import pool

WINDOWS, DIGITS = 32, 256
TOGETHER = 1 << 11
"""Scalars that a thread works on at once: their sums stay in a core's own cache."""


class FixedBase:
    """The multiples of one group's generator, in one form."""

    def __init__(self, form: str, extension: bool) -> None:
        self._group = group(form, extension)
        if extension:
            table = words_g2(point for row in multiples_table_g2() for point in row)
        else:
            table = words_g1(point for row in multiples_table_g1() for point in row)
        self._table = self._group.rows(table)

    def multiples(self, scalars: Words) -> Words:
        """(n, 4) canonical scalars -> (n, 8 or 16) affine points as a .zkey holds them, infinity all zero."""
        out = np.zeros((len(scalars), self._group.stride // 8), dtype=np.uint64)
        digits = np.ascontiguousarray(scalars, dtype=np.uint64).view(np.uint8)
        starts = range(0, len(scalars), TOGETHER)
        list(pool().map(lambda at: self._some(digits[at : at + TOGETHER], out[at : at + TOGETHER]), starts))
        return out

    def _some(self, digits: NDArray[np.uint8], out: Words) -> None:
        used = digits != 0
        places = self._table.ctypes.data + (np.arange(WINDOWS) * DIGITS + digits) * self._group.stride
        entries = places[used].astype(np.uint64)
        starts = np.zeros(len(digits) + 1, dtype=np.int64)
        np.cumsum(used.sum(axis=1), out=starts[1:])
        Sums(self._group, len(entries)).reduce(entries, starts)

        some = starts[1:] > starts[:-1]
        out[some] = self._group.words(entries[starts[:-1][some]])


@cache
def _base(form: str, extension: bool) -> FixedBase:
    return FixedBase(form, extension)


def multiples_g1(scalars: Words, form: str | None = None) -> Words:
    """Multiples of G1's generator: (n, 4) canonical scalars -> (n, 8)."""
    return _base(form or best_form(), False).multiples(scalars)


def multiples_g2(scalars: Words, form: str | None = None) -> Words:
    """Multiples of G2's generator: (n, 4) canonical scalars -> (n, 16): x real, x imaginary, y real, y imaginary."""
    return _base(form or best_form(), True).multiples(scalars)
