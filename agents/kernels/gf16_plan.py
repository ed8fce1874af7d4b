"""What the coding kernels are handed: rows in memory, and which of them to mend from which."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.kernels.gf16_field import UNITS, Layout, Symbols
from agents.kernels.gf16_locator import locator, powers

Octets = NDArray[np.uint8]


def direct(array: Octets) -> bool:
    """Whether the rows of ``array`` can be used where they are: each without gaps, and in ascending order."""
    count, size = array.shape
    return array.dtype == np.uint8 and (size < 2 or array.strides[1] == 1) and (count < 2 or array.strides[0] >= size)


def stride(array: Octets) -> int:
    """Bytes from one row of a ``direct`` array to the next."""
    return int(array.strides[0]) if len(array) > 1 else array.shape[1]


@dataclass(frozen=True)
class Mending:
    """Some rows of a code word (data first) to be made anew from the others; N and P are its layout's."""

    rows: NDArray[np.int64]
    """(N,): the row that stands at each point, -1 where none does."""
    live: int
    """Points from here on are zero."""
    scales: Symbols
    """(live,): the erasure locator at each point, the point itself left out."""
    lost: NDArray[np.int64]
    """(e,): points of the missing rows."""
    targets: NDArray[np.int64]
    """(e,): these rows."""
    unscales: Symbols
    """(e,): one over the locator at each of them."""


def mending(layout: Layout, present: NDArray[np.bool_]) -> Mending:
    """What it takes to mend the missing rows, at most m of them."""
    place = layout.points()
    missing = np.flatnonzero(~present)
    erased = np.zeros(layout.length, dtype=np.bool_)
    erased[: layout.space] = True
    erased[place[present]] = False
    erased[place[missing]] = True
    rows = np.full(layout.length, -1, dtype=np.int64)
    rows[place[present]] = np.flatnonzero(present)
    exponents = locator(erased)
    lost = place[missing]
    return Mending(rows, layout.live, powers(exponents[: layout.live]), lost, missing, powers(UNITS - exponents[lost]))
