"""Poseidon2 for any CPU: 4 x 64-bit Montgomery arithmetic compiled by numba."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numba import njit, types

from agents.core.proofs.field import ELEMENT_BYTES, SCALAR_ORDER
from agents.core.proofs.poseidon2 import sponge_iv
from agents.core.proofs.poseidon2_constants import EXTERNAL, INTERNAL
from agents.kernels.montgomery import R, arithmetic, element, words

SCALARS = arithmetic(SCALAR_ORDER)
_add, _multiply, _reduce = SCALARS.add, SCALARS.multiply, SCALARS.reduce
_enter, _leave = SCALARS.enter, SCALARS.leave


def _table(values: Iterable[int]) -> Any:
    return np.array([words(value * R % SCALAR_ORDER) for value in values], dtype=np.uint64)


FULL = np.stack([_table(row) for row in EXTERNAL])
PARTIAL = _table(INTERNAL)
ZERO = np.uint64(0)
NOTHING = element(0)
ONE = element(1)
IV = element(sponge_iv(2) * R % SCALAR_ORDER)

# One signature each, that takes read-only data and every second row of an array: set-up compiles all there is.
CELLS = types.Array(types.uint8, 2, "C", readonly=True)
NODES = types.Array(types.uint64, 2, "A", readonly=True)
OUT = types.Array(types.uint64, 2, "C")


@njit(inline="always")
def _fifth(x: Any) -> Any:
    square = _multiply(x, x)
    return _reduce(_multiply(_multiply(square, square), x))


@njit(inline="always")
def _load(row: Any) -> Any:
    return row[0], row[1], row[2], row[3]


@njit(cache=True, nogil=True)
def _full_round(x: Any, y: Any, z: Any, k: Any) -> Any:
    x, y, z = _fifth(_add(x, _load(FULL[k, 0]))), _fifth(_add(y, _load(FULL[k, 1]))), _fifth(_add(z, _load(FULL[k, 2])))
    total = _add(_add(x, y), z)
    return _add(x, total), _add(y, total), _add(z, total)


@njit(cache=True, nogil=True)
def _permute(x: Any, y: Any, z: Any) -> Any:
    total = _add(_add(x, y), z)
    x, y, z = _add(x, total), _add(y, total), _add(z, total)
    for k in range(4):
        x, y, z = _full_round(x, y, z, k)
    for k in range(56):
        x = _fifth(_add(x, _load(PARTIAL[k])))
        total = _add(_add(x, y), z)
        x, y, z = _add(x, total), _add(y, total), _add(_add(z, z), total)
    for k in range(4, 8):
        x, y, z = _full_round(x, y, z, k)
    return x, y, z


@njit(cache=True, nogil=True)
def _element(cell: Any, index: Any) -> Any:
    """Element ``index`` of a cell, its 0x01 padding included, as limbs."""
    words = np.zeros(4, np.uint64)
    start = index * ELEMENT_BYTES
    for i in range(ELEMENT_BYTES):
        at = start + i
        byte = np.uint64(cell[at]) if at < cell.shape[0] else np.uint64(1 if at == cell.shape[0] else 0)
        words[i >> 3] |= byte << np.uint64(8 * (i & 7))
    return words[0], words[1], words[2], words[3]


@njit(types.void(CELLS, OUT), cache=True, nogil=True)
def hash_cells(cells: Any, out: Any) -> None:
    """(n, cell bytes) uint8 -> (n, 4) uint64: the rate-2 sponge of each row."""
    elements = cells.shape[1] // ELEMENT_BYTES + 1
    for c in range(cells.shape[0]):
        x, y, z = NOTHING, NOTHING, IV
        for pair in range(elements // 2 + 1):
            # The sponge pads the elements with 1 and then with 0 to an even number.
            for half in range(2):
                index = 2 * pair + half
                if index < elements:
                    value = _element(cells[c], index)
                elif index == elements:
                    value = ONE
                else:
                    value = NOTHING
                if half == 0:
                    x = _add(x, _enter(value))
                else:
                    y = _add(y, _enter(value))
            x, y, z = _permute(x, y, z)
        x = _leave(x)
        for i in range(4):
            out[c, i] = x[i]


@njit(types.void(NODES, NODES, types.int64, OUT), cache=True, nogil=True)
def compress(left: Any, right: Any, key: Any, out: Any) -> None:
    """(n, 4), (n, 4), key -> (n, 4): the permutation's first element of each (left, right, key)."""
    domain = _enter((np.uint64(key), ZERO, ZERO, ZERO))
    for i in range(left.shape[0]):
        x, _, _ = _permute(_enter(_load(left[i])), _enter(_load(right[i])), domain)
        x = _leave(x)
        for word in range(4):
            out[i, word] = x[word]
