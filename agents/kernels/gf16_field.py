"""GF(2^16), the points of the code within a slot, and what the coding kernels need to know of both. Format, version 1.

Symbols are the little-endian 16-bit words of a row, as polynomials over GF(2) modulo x^16 + x^5 + x^3 + x^2 + 1. Point t of
the field (0 <= t < 65,536) is the sum of the ``BASIS`` elements v_b over the bits b of t; v_0 = 1 and v_b^2 + v_b = v_(b-1).

A code word of k data and m parity symbols: let P be the least power of two that is m or more (m itself, where P + k would
pass 65,536), and N the least power of two that is P + k or more. It is the values at points 0 .. N-1 of a polynomial of degree
below N - P that is zero at the points from P + k on. Parity symbol i stands at point i (those from m to P - 1 are left out) and
data symbol j at point P + j. Any k of the k + m symbols give the others.

Lin, Chung, Han: Novel Polynomial Basis and Its Application to Reed-Solomon Erasure Codes (FOCS 2014); Cantor's basis makes the
basis' normalising constants and its derivative's 1.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.core.errors import CodeParameters

Symbols = NDArray[np.uint16]

BITS = 16
POINTS = 1 << BITS
"""How many points there are: no code word is longer."""
UNITS = POINTS - 1
"""The order of the field's units."""
POLYNOMIAL = 0x1002D
BASIS = (
    0x0001, 0xACCA, 0x3C0E, 0x163E, 0xC582, 0xED2E, 0x914C, 0x4012,
    0x6C98, 0x10D8, 0x6A72, 0xB900, 0xFDB8, 0xFB34, 0xFF38, 0x991E,
)  # fmt: skip
"""Cantor's basis: of each pair of roots the even one."""


@dataclass(frozen=True)
class Layout:
    """Where the symbols of a code word stand."""

    data: int
    """k."""
    parity: int
    """m."""
    space: int
    """P, the first point of the data."""
    length: int
    """N."""

    @property
    def aligned(self) -> bool:
        """Whether data begins at a power of two: parity is then a sum of transforms of length P."""
        return self.space & (self.space - 1) == 0

    @property
    def live(self) -> int:
        """How many points are not zero for good."""
        return self.space + self.data

    def points(self) -> NDArray[np.int64]:
        """The point of each row, data first."""
        return np.concatenate([np.arange(self.space, self.live), np.arange(self.parity)])


def layout(k: int, m: int) -> Layout:
    """Of k >= 1 data and m >= 1 parity symbols. Raises CodeParameters."""
    if k < 1 or m < 1 or k + m > POINTS:
        raise CodeParameters(
            f"{k} data and {m} parity symbols make no code word",
            f"at least one of each and {POINTS} in all are possible",
            "Interleave several code words for more.",
        )
    space = _power(m)
    if space + k > POINTS:
        space = m
    return Layout(k, m, space, _power(space + k))


def _power(number: int) -> int:
    """The least power of two that is not below ``number``."""
    return 1 << (number - 1).bit_length()


def times_x(symbols: Symbols) -> Symbols:
    """Each symbol times x."""
    over = (symbols >> np.uint16(BITS - 1)) * np.uint16(POLYNOMIAL & UNITS)
    return np.asarray((symbols << np.uint16(1)) ^ over, dtype=np.uint16)


def multiples(constants: Symbols) -> Symbols:
    """(n,) constants -> (n, 16): each times x^0 .. x^15. Their sums are all of a constant's products."""
    found = np.empty((len(constants), BITS), dtype=np.uint16)
    power = constants
    for bit in range(BITS):
        found[:, bit] = power
        power = times_x(power)
    return found


@cache
def exponentials() -> Symbols:
    """(2 * 65,535,) powers of x, which generates the units: twice around."""
    found = np.zeros(2 * UNITS, dtype=np.uint16)
    found[0], done = 1, 1
    while done < UNITS:
        # x^(done + i) = x^i times x^done, for all i at once.
        step = times_x(found[done - 1 : done])
        span = min(done, UNITS - done)
        columns = multiples(step)[0]
        for bit in range(BITS):
            found[done : done + span] ^= ((found[:span] >> np.uint16(bit)) & np.uint16(1)) * columns[bit]
        done += span
    found[UNITS:] = found[:UNITS]
    return found


@cache
def logarithms() -> NDArray[np.int64]:
    """(65,536,) exponents of x; that of 0 is set to 0."""
    found = np.zeros(POINTS, dtype=np.int64)
    found[exponentials()[:UNITS]] = np.arange(UNITS)
    return found


@cache
def points() -> Symbols:
    """(65,536,) elements by their number."""
    return sums(np.array(BASIS, dtype=np.uint16))


def sums(basis: NDArray[Any]) -> NDArray[Any]:
    """(b,) values -> (2^b,): place t has the sum of the values at the bits of t."""
    found = np.zeros(1 << len(basis), dtype=basis.dtype)
    for bit, value in enumerate(basis):
        found[1 << bit : 2 << bit] = found[: 1 << bit] ^ value
    return found


@cache
def twiddles(length: int) -> Symbols:
    """(length / 2,) constants of transforms within points 0 .. length - 1.

    At the level of halves of h = 2^i rows, the butterflies of the 2h rows from point p on have constant p / 2h.
    """
    return points()[: max(length, 2) : 2].copy()
