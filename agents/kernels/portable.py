"""Poseidon2 for any CPU: 4 x 64-bit Montgomery arithmetic compiled by numba, 128-bit products by an LLVM intrinsic.

Montgomery values are below twice the order inside a multiplication chain and below the order wherever they are added.
Nothing here runs in constant time: the data is the caller's own.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from agents.core.proofs.field import ELEMENT_BYTES, SCALAR_ORDER
from agents.core.proofs.poseidon2 import sponge_iv
from agents.core.proofs.poseidon2_constants import EXTERNAL, INTERNAL

R = 1 << 256
WORD = types.uint64
ELEMENT = types.UniTuple(WORD, 4)


def _words(value: int) -> list[int]:
    return [(value >> (64 * i)) & (2**64 - 1) for i in range(4)]


def _tuple(value: int) -> tuple[np.uint64, ...]:
    return tuple(np.uint64(word) for word in _words(value))


def _table(values: Any) -> Any:
    return np.array([_words(value * R % SCALAR_ORDER) for value in values], dtype=np.uint64)


FULL = np.stack([_table(row) for row in EXTERNAL])
PARTIAL = _table(INTERNAL)
ZERO = np.uint64(0)
NOTHING = _tuple(0)
ONE = _tuple(1)
R_SQUARED = _tuple(R * R % SCALAR_ORDER)
IV = _tuple(sponge_iv(2) * R % SCALAR_ORDER)
P0, P1, P2, P3 = _tuple(SCALAR_ORDER)
NEGATED_INVERSE = np.uint64(-pow(SCALAR_ORDER, -1, 1 << 64) % (1 << 64))


@intrinsic  # type: ignore[misc]
def _multiply_add(context: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """a * b + c + d as (low, high); it cannot overflow 128 bits."""
    signature = types.UniTuple(WORD, 2)(WORD, WORD, WORD, WORD)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide, narrow = ir.IntType(128), ir.IntType(64)
        a, b, c, d = (builder.zext(argument, wide) for argument in arguments)
        result = builder.add(builder.add(builder.mul(a, b), c), d)
        low = builder.trunc(result, narrow)
        high = builder.trunc(builder.lshr(result, ir.Constant(wide, 64)), narrow)
        return context.make_tuple(builder, signature.return_type, [low, high])

    return signature, generate


def _pack(builder: Any, words: Any) -> Any:
    wide = ir.IntType(256)
    packed = ir.Constant(wide, 0)
    for i in range(4):
        word = builder.zext(builder.extract_value(words, i), wide)
        packed = builder.or_(packed, builder.shl(word, ir.Constant(wide, 64 * i)))
    return packed


def _unpack(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    parts = [builder.lshr(value, ir.Constant(value.type, 64 * i)) for i in range(4)]
    return context.make_tuple(builder, kind, [builder.trunc(part, ir.IntType(64)) for part in parts])


def _less_order(builder: Any, value: Any) -> Any:
    order = ir.Constant(value.type, SCALAR_ORDER)
    return builder.select(builder.icmp_unsigned("<", value, order), value, builder.sub(value, order))


@intrinsic  # type: ignore[misc]
def _add(context: Any, a: Any, b: Any) -> Any:
    """(a + b) mod r of reduced a and b."""
    signature = ELEMENT(ELEMENT, ELEMENT)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total = builder.add(_pack(builder, arguments[0]), _pack(builder, arguments[1]))
        return _unpack(context, builder, signature.return_type, _less_order(builder, total))

    return signature, generate


@intrinsic  # type: ignore[misc]
def _reduce(context: Any, a: Any) -> Any:
    """a mod r for a below 2r."""
    signature = ELEMENT(ELEMENT)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _unpack(context, builder, signature.return_type, _less_order(builder, _pack(builder, arguments[0])))

    return signature, generate


@njit(inline="always")  # type: ignore[misc]
def _step(a: Any, word: Any, t0: Any, t1: Any, t2: Any, t3: Any) -> Any:
    t0, carry = _multiply_add(a[0], word, t0, ZERO)
    m = t0 * NEGATED_INVERSE
    _, fold = _multiply_add(m, P0, t0, ZERO)
    t1, carry = _multiply_add(a[1], word, t1, carry)
    t0, fold = _multiply_add(m, P1, t1, fold)
    t2, carry = _multiply_add(a[2], word, t2, carry)
    t1, fold = _multiply_add(m, P2, t2, fold)
    t3, carry = _multiply_add(a[3], word, t3, carry)
    t2, fold = _multiply_add(m, P3, t3, fold)
    return t0, t1, t2, carry + fold


@njit(inline="always")  # type: ignore[misc]
def _multiply(a: Any, b: Any) -> Any:
    """a * b / 2^256 mod r, below 2r, for a * b below 4 r^2 (r is below 2^254)."""
    t0, t1, t2, t3 = _step(a, b[0], ZERO, ZERO, ZERO, ZERO)
    t0, t1, t2, t3 = _step(a, b[1], t0, t1, t2, t3)
    t0, t1, t2, t3 = _step(a, b[2], t0, t1, t2, t3)
    return _step(a, b[3], t0, t1, t2, t3)


@njit(inline="always")  # type: ignore[misc]
def _fifth(x: Any) -> Any:
    square = _multiply(x, x)
    return _reduce(_multiply(_multiply(square, square), x))


@njit(inline="always")  # type: ignore[misc]
def _load(row: Any) -> Any:
    return row[0], row[1], row[2], row[3]


@njit(cache=True, nogil=True)  # type: ignore[misc]
def _full_round(x: Any, y: Any, z: Any, k: Any) -> Any:
    x, y, z = _fifth(_add(x, _load(FULL[k, 0]))), _fifth(_add(y, _load(FULL[k, 1]))), _fifth(_add(z, _load(FULL[k, 2])))
    total = _add(_add(x, y), z)
    return _add(x, total), _add(y, total), _add(z, total)


@njit(cache=True, nogil=True)  # type: ignore[misc]
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


@njit(inline="always")  # type: ignore[misc]
def _enter(x: Any) -> Any:
    return _reduce(_multiply(x, R_SQUARED))


@njit(inline="always")  # type: ignore[misc]
def _leave(x: Any) -> Any:
    return _reduce(_multiply(x, ONE))


@njit(cache=True, nogil=True)  # type: ignore[misc]
def _element(cell: Any, index: Any) -> Any:
    """Element ``index`` of a cell, its 0x01 padding included, as limbs."""
    words = np.zeros(4, np.uint64)
    start = index * ELEMENT_BYTES
    for i in range(ELEMENT_BYTES):
        at = start + i
        byte = np.uint64(cell[at]) if at < cell.shape[0] else np.uint64(1 if at == cell.shape[0] else 0)
        words[i >> 3] |= byte << np.uint64(8 * (i & 7))
    return words[0], words[1], words[2], words[3]


@njit(cache=True, nogil=True)  # type: ignore[misc]
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


@njit(cache=True, nogil=True)  # type: ignore[misc]
def compress(left: Any, right: Any, key: Any, out: Any) -> None:
    """(n, 4), (n, 4), key -> (n, 4): the permutation's first element of each (left, right, key)."""
    domain = _enter((np.uint64(key), ZERO, ZERO, ZERO))
    for i in range(left.shape[0]):
        x, _, _ = _permute(_enter(_load(left[i])), _enter(_load(right[i])), domain)
        x = _leave(x)
        for word in range(4):
            out[i, word] = x[word]
