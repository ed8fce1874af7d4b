"""The code over GF(2^16) for any CPU, compiled by numba: products by two tables of 256 entries for each constant.

Columns are independent: a strip of them is brought into a workspace (rows x symbols), transformed there, and put back.
Rows of buffers are given as one flat array and the distance between them.
"""

from typing import Any

import numpy as np
from numba import config, njit, types

from agents.kernels.cache import numba_folder
from agents.kernels.gf16_field import BITS

# Numba reads this when it meets each function below.
config.CACHE_DIR = str(numba_folder())

STRIP = 1024
"""Symbols of a strip: enough to pay for the tables of each constant."""
BLOCK = 64
"""Rows that go through all their levels before the next ones are fetched: they fit a core's cache."""

SOURCE = types.Array(types.uint8, 1, "C", readonly=True)
TARGET = types.Array(types.uint8, 1, "C")
WORK = types.Array(types.uint16, 2, "C")
TABLE = types.Array(types.uint16, 1, "C")
MULTIPLES = types.Array(types.uint16, 2, "C", readonly=True)
PLACES = types.Array(types.int64, 1, "C", readonly=True)
INT = types.int64

U8 = np.uint16(8)
LOW = np.uint16(255)


@njit(types.void(MULTIPLES, INT, TABLE, TABLE), cache=True, nogil=True)
def _tabulate(multiples: Any, index: Any, low: Any, high: Any) -> None:
    """All products of one constant with a low and with a high byte."""
    low[0] = high[0] = 0
    for bit in range(BITS // 2):
        size = 1 << bit
        for i in range(size):
            low[size + i] = low[i] ^ multiples[index, bit]
            high[size + i] = high[i] ^ multiples[index, bit + 8]


@njit(types.void(WORK, INT, INT, TABLE, TABLE), cache=True, nogil=True)
def _add_product(work: Any, target: Any, source: Any, low: Any, high: Any) -> None:
    """Row ``target`` += row ``source`` times the tables' constant."""
    for i in range(work.shape[1]):
        symbol = work[source, i]
        work[target, i] ^= low[symbol & LOW] ^ high[symbol >> U8]


@njit(types.void(WORK, INT, INT), cache=True, nogil=True)
def _add(work: Any, target: Any, source: Any) -> None:
    """Row ``target`` += row ``source``."""
    for i in range(work.shape[1]):
        work[target, i] ^= work[source, i]


@njit(types.void(WORK, INT, INT, INT, INT, INT, MULTIPLES, TABLE, TABLE), cache=True, nogil=True)
def _ascend(
    work: Any, first: Any, last: Any, base: Any, level: Any, levels: Any, multiples: Any, low: Any, high: Any
) -> None:
    """Values to coefficients: levels ``level`` to ``levels`` - 1 on rows ``first`` to ``last`` - 1, row 0 at point ``base``."""
    for i in range(level, levels):
        half = 1 << i
        for block in range(first, last, 2 * half):
            constant = (base + block) >> (i + 1)
            if constant:
                _tabulate(multiples, constant, low, high)
            for row in range(block, block + half):
                _add(work, row + half, row)
                if constant:
                    _add_product(work, row, row + half, low, high)


@njit(types.void(WORK, INT, INT, INT, INT, INT, MULTIPLES, TABLE, TABLE), cache=True, nogil=True)
def _descend(
    work: Any, first: Any, last: Any, base: Any, level: Any, levels: Any, multiples: Any, low: Any, high: Any
) -> None:
    """Coefficients to values: the same levels, the other way."""
    for i in range(levels - 1, level - 1, -1):
        half = 1 << i
        for block in range(first, last, 2 * half):
            constant = (base + block) >> (i + 1)
            if constant:
                _tabulate(multiples, constant, low, high)
            for row in range(block, block + half):
                if constant:
                    _add_product(work, row, row + half, low, high)
                _add(work, row + half, row)


@njit(types.UniTuple(INT, 2)(INT), cache=True, nogil=True)
def _levels(rows: Any) -> Any:
    """Of a transform of so many rows, a power of two: those within a block, and all."""
    total = 0
    while 1 << total < rows:
        total += 1
    within = 0
    while within < total and 1 << within < BLOCK:
        within += 1
    return within, total


@njit(types.void(WORK, INT, INT, INT, MULTIPLES, TABLE, TABLE), cache=True, nogil=True)
def coefficients(work: Any, rows: Any, live: Any, base: Any, multiples: Any, low: Any, high: Any) -> None:
    """Values at points ``base`` .. ``base + rows - 1`` to coefficients, in place; rows from ``live`` on are zero."""
    within, total = _levels(rows)
    step = 1 << within
    for first in range(0, live, step):
        _ascend(work, first, first + step, base, 0, within, multiples, low, high)
    for level in range(within, total):
        _ascend(work, 0, live, base, level, level + 1, multiples, low, high)


@njit(types.void(WORK, INT, INT, INT, MULTIPLES, TABLE, TABLE), cache=True, nogil=True)
def values(work: Any, rows: Any, live: Any, base: Any, multiples: Any, low: Any, high: Any) -> None:
    """Coefficients to values, in place; those from ``live`` on are not wanted."""
    within, total = _levels(rows)
    step = 1 << within
    for level in range(total - 1, within - 1, -1):
        _descend(work, 0, live, base, level, level + 1, multiples, low, high)
    for first in range(0, live, step):
        _descend(work, first, first + step, base, 0, within, multiples, low, high)


@njit(types.void(SOURCE, INT, INT, WORK, INT), cache=True, nogil=True)
def _fetch(source: Any, start: Any, count: Any, work: Any, row: Any) -> None:
    """``count`` symbols from byte ``start`` on into a row; the rest of it is zero."""
    for i in range(count):
        work[row, i] = np.uint16(source[start + 2 * i]) | np.uint16(source[start + 2 * i + 1]) << U8
    for i in range(count, work.shape[1]):
        work[row, i] = 0


@njit(types.void(WORK, INT, TARGET, INT, INT), cache=True, nogil=True)
def _put(work: Any, row: Any, target: Any, start: Any, count: Any) -> None:
    """``count`` symbols of a row, from byte ``start`` on."""
    for i in range(count):
        symbol = work[row, i]
        target[start + 2 * i] = np.uint8(symbol & LOW)
        target[start + 2 * i + 1] = np.uint8(symbol >> U8)


@njit(types.void(SOURCE, INT, INT, TARGET, INT, INT, INT, INT, MULTIPLES), cache=True, nogil=True)
def encode(
    data: Any, stride: Any, k: Any, parity: Any, across: Any, m: Any, space: Any, size: Any, multiples: Any
) -> None:
    """Parity rows (``across`` bytes apart) of data rows (``stride`` apart), of ``size`` bytes.

    ``space`` is the layout's, a power of two.
    """
    low, high = np.empty(256, np.uint16), np.empty(256, np.uint16)
    width = min(STRIP, size // 2)
    work, total = np.empty((space, width), np.uint16), np.empty((space, width), np.uint16)
    for start in range(0, size, 2 * width):
        count = min(width, (size - start) // 2)
        total[:] = 0
        for chunk in range(0, k, space):
            live = min(space, k - chunk)
            for row in range(live):
                _fetch(data, (chunk + row) * stride + start, count, work, row)
            work[live:] = 0
            coefficients(work, space, live, space + chunk, multiples, low, high)
            for row in range(space):
                for i in range(width):
                    total[row, i] ^= work[row, i]
        values(total, space, m, 0, multiples, low, high)
        for row in range(m):
            _put(total, row, parity, row * across + start, count)


@njit(types.void(WORK, INT), cache=True, nogil=True)
def _differentiate(work: Any, live: Any) -> None:
    """Coefficients of the derivative, in place: each is the sum of those whose number has one bit more."""
    rows = work.shape[0]
    for row in range(live):
        bit = 1
        while bit < rows:
            if not row & bit:
                _add(work, row, row | bit)
            bit <<= 1


@njit(
    types.void(TARGET, INT, PLACES, INT, MULTIPLES, PLACES, PLACES, MULTIPLES, INT, MULTIPLES),
    cache=True,
    nogil=True,
)
def rebuild(
    shards: Any,
    stride: Any,
    rows: Any,
    live: Any,
    scales: Any,
    lost: Any,
    targets: Any,
    unscales: Any,
    size: Any,
    multiples: Any,
) -> None:
    """The lost rows, in place; rows are of ``size`` bytes and ``stride`` apart.

    ``rows``: (N,) the row that stands at each point, -1 where none does; ``scales``: (live,) multiples of the locator there.
    Row ``targets[i]`` belongs to point ``lost[i]`` and is multiplied by the constant with multiples ``unscales[i]``.
    """
    low, high = np.empty(256, np.uint16), np.empty(256, np.uint16)
    width = min(STRIP, size // 2)
    length = rows.shape[0]
    work = np.empty((length, width), np.uint16)
    spare = np.empty((2, width), np.uint16)
    for start in range(0, size, 2 * width):
        count = min(width, (size - start) // 2)
        work[:] = 0
        for point in range(live):
            if rows[point] >= 0:
                _fetch(shards, rows[point] * stride + start, count, spare, 0)
                _tabulate(scales, point, low, high)
                for i in range(width):
                    symbol = spare[0, i]
                    work[point, i] = low[symbol & LOW] ^ high[symbol >> U8]
        coefficients(work, length, live, 0, multiples, low, high)
        _differentiate(work, length)
        values(work, length, live, 0, multiples, low, high)
        for i in range(lost.shape[0]):
            _tabulate(unscales, i, low, high)
            for j in range(width):
                symbol = work[lost[i], j]
                spare[1, j] = low[symbol & LOW] ^ high[symbol >> U8]
            _put(spare, 1, shards, targets[i] * stride + start, count)
