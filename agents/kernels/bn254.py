"""Many multiples of one point of BN254, for the development proving key: fixed-base windows compiled by numba.

A scalar's 32 bytes pick one affine point each from a table of 32 x 256 multiples; the sum is kept in Jacobian coordinates
and made affine for a batch at once with a single inversion. The partial sum of the lower bytes is never plus or minus the
next point for canonical scalars, so the additions need no special cases; scalar 0 gives the point at infinity, as zeros.
Coordinates are Montgomery words throughout: that is what a .zkey holds.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.core.proofs.field import BASE_ORDER
from agents.kernels.montgomery import R, arithmetic, element

WINDOWS = 32
DIGITS = 256
BATCH = 4096

BASE = arithmetic(BASE_ORDER)
_add1, _sub1, _raw1, _reduce1 = BASE.add, BASE.subtract, BASE.multiply, BASE.reduce
ONE1 = element(R % BASE_ORDER)
NIL1 = element(0)
ONE2 = (ONE1, NIL1)
NIL2 = (NIL1, NIL1)


@njit(inline="always")
def _mul1(a: Any, b: Any) -> Any:
    return _reduce1(_raw1(a, b))


@njit(cache=True, nogil=True)
def _invert1(a: Any) -> Any:
    """a^(q - 2)."""
    result, power, exponent = ONE1, a, (EXPONENT0, EXPONENT1, EXPONENT2, EXPONENT3)
    for word in exponent:
        for bit in range(64):
            if (word >> np.uint64(bit)) & np.uint64(1):
                result = _mul1(result, power)
            power = _mul1(power, power)
    return result


EXPONENT0, EXPONENT1, EXPONENT2, EXPONENT3 = element(BASE_ORDER - 2)


@njit(inline="always")
def _add2(a: Any, b: Any) -> Any:
    return _add1(a[0], b[0]), _add1(a[1], b[1])


@njit(inline="always")
def _sub2(a: Any, b: Any) -> Any:
    return _sub1(a[0], b[0]), _sub1(a[1], b[1])


@njit(cache=True, nogil=True)
def _mul2(a: Any, b: Any) -> Any:
    real, imaginary = _mul1(a[0], b[0]), _mul1(a[1], b[1])
    cross = _mul1(_add1(a[0], a[1]), _add1(b[0], b[1]))
    return _sub1(real, imaginary), _sub1(_sub1(cross, real), imaginary)


@njit(cache=True, nogil=True)
def _invert2(a: Any) -> Any:
    norm = _invert1(_add1(_mul1(a[0], a[0]), _mul1(a[1], a[1])))
    return _mul1(a[0], norm), _mul1(_sub1(NIL1, a[1]), norm)


@njit(cache=True, nogil=True)
def _load1(row: Any, at: Any) -> Any:
    return row[at], row[at + 1], row[at + 2], row[at + 3]


@njit(cache=True, nogil=True)
def _load2(row: Any, at: Any) -> Any:
    return _load1(row, at), _load1(row, at + 4)


@njit(cache=True, nogil=True)
def _store1(row: Any, at: Any, value: Any) -> None:
    for i in range(4):
        row[at + i] = value[i]


@njit(cache=True, nogil=True)
def _store2(row: Any, at: Any, value: Any) -> None:
    _store1(row, at, value[0])
    _store1(row, at + 4, value[1])


def _multiples(field: tuple[Any, ...], width: int) -> Callable[..., None]:
    """The batch function of one group: ``field`` is its add, subtract, multiply, invert, load, store, one and zero."""
    add, sub, mul, invert, load, store, one, nil = field

    @njit(cache=True, nogil=True)
    def multiples(table: Any, scalars: Any, out: Any) -> None:
        """(32, 256, 2 width) table, (n, 32) uint8 scalars -> (n, 2 width) affine points."""
        count = scalars.shape[0]
        prefix = np.empty((count, width), np.uint64)
        heights = np.empty((count, width), np.uint64)
        product = one
        for i in range(count):
            x, y, z, started = nil, nil, nil, False
            for window in range(32):
                digit = scalars[i, window]
                if digit == 0:
                    continue
                point = table[window, digit]
                px, py = load(point, 0), load(point, width)
                if not started:
                    x, y, z, started = px, py, one, True
                    continue
                # Mixed addition, Jacobian + affine ("madd" of the Explicit-Formulas Database, without doublings).
                zz = mul(z, z)
                h = sub(mul(px, zz), x)
                r = sub(mul(mul(py, z), zz), y)
                hh = mul(h, h)
                hhh = mul(hh, h)
                v = mul(x, hh)
                x = sub(sub(mul(r, r), hhh), add(v, v))
                y = sub(mul(r, sub(v, x)), mul(y, hhh))
                z = mul(z, h)
            if not started:
                z = one
            store(out[i], 0, x)
            store(out[i], width, y)
            store(heights[i], 0, z)
            store(prefix[i], 0, product)
            product = mul(product, z)
        inverse = invert(product)
        for i in range(count - 1, -1, -1):
            z = load(heights[i], 0)
            own = mul(inverse, load(prefix[i], 0))
            inverse = mul(inverse, z)
            squared = mul(own, own)
            store(out[i], 0, mul(load(out[i], 0), squared))
            store(out[i], width, mul(load(out[i], width), mul(squared, own)))

    return multiples  # type: ignore[no-any-return]


_G1 = _multiples((_add1, _sub1, _mul1, _invert1, _load1, _store1, ONE1, NIL1), 4)
_G2 = _multiples((_add2, _sub2, _mul2, _invert2, _load2, _store2, ONE2, NIL2), 8)


def _spread(multiples: Callable[..., None], table: NDArray[np.uint64], scalars: NDArray[np.uint8]) -> Any:
    out = np.zeros((len(scalars), table.shape[2]), dtype=np.uint64)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        starts = range(0, len(scalars), BATCH)
        list(pool.map(lambda i: multiples(table, scalars[i : i + BATCH], out[i : i + BATCH]), starts))
    return out


def multiples_g1(table: NDArray[np.uint64], scalars: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """(32, 256, 8) table of Montgomery words, (n, 32) little-endian canonical scalars -> (n, 8) affine points."""
    return _spread(_G1, table, scalars)  # type: ignore[no-any-return]


def multiples_g2(table: NDArray[np.uint64], scalars: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """(32, 256, 16) table, (n, 32) scalars -> (n, 16): x real, x imaginary, y real, y imaginary."""
    return _spread(_G2, table, scalars)  # type: ignore[no-any-return]
