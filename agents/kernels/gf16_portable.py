"""The code over GF(2^16) for any CPU, compiled by numba: symbols are held as planes of bits, products are sums of planes.

A unit of 256 symbols is 16 planes of 32 bytes: bit b of its symbols is in plane b. Plane r of a product is the sum of the
planes that row r of the constant's matrix names; sums of up to four neighbouring planes are made once for all rows (the method
of the four Russians). Routines take addresses and counts, as those of gf16_routines.py do, and mean the same by them.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core.cgutils import memset, raw_memcpy
from numba.extending import intrinsic
from numpy.typing import NDArray

from agents.kernels.cache import numba_folder
from agents.kernels.gf16_field import BITS, Symbols, multiples

# Numba reads this when it meets each function below.
config.CACHE_DIR = str(numba_folder())

PLANE = 32
"""Bytes of a plane of a unit: the longest words are coded in a workspace of 65,536 units."""
UNIT = BITS * PLANE
GROUP = 16 * PLANE
"""Bytes of the sums of four planes."""
SPARE = 4 * GROUP + UNIT
"""Bytes that are needed behind the workspace: sums, and a unit to work on."""
BLOCK = 5
"""Levels that rows go through before the next ones are fetched: blocks of 2^5 rows of a unit fit a core's nearest cache."""

INT = types.int64
MASK = 15 * PLANE
LANES = ir.VectorType(ir.IntType(64), PLANE // 8)


def rows(constants: Symbols) -> NDArray[np.uint8]:
    """(n,) constants -> (n, 32) bytes: the rows of its matrix, 16 bits each."""
    bits = (multiples(constants)[:, :, None] >> np.arange(BITS, dtype=np.uint16)) & np.uint16(1)
    return np.packbits(bits.astype(np.uint8).transpose(0, 2, 1), axis=-1, bitorder="little").reshape(-1, 2 * BITS)


def _plane(builder: Any, address: Any) -> Any:
    return builder.load(builder.inttoptr(address, LANES.as_pointer()), align=8)


def _keep(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, builder.inttoptr(address, LANES.as_pointer()), align=8)


def _everywhere(builder: Any, word: Any) -> Any:
    nothing, index = ir.Constant(LANES, ir.Undefined), ir.IntType(32)
    first = builder.insert_element(nothing, word, ir.Constant(index, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(index, PLANE // 8), [0] * (PLANE // 8)))


@intrinsic
def _load(context: Any, address: Any) -> Any:
    """The word at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()), align=1)

    return INT(INT), generate


@intrinsic
def _copy(context: Any, target: Any, source: Any, size: Any) -> Any:
    """``size`` bytes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        raw_memcpy(builder, *(builder.inttoptr(each, byte) for each in arguments[:2]), arguments[2], 1)
        return context.get_dummy_value()

    return types.void(INT, INT, INT), generate


@intrinsic
def _clear(context: Any, target: Any, size: Any) -> Any:
    """Zeros."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        memset(builder, builder.inttoptr(arguments[0], ir.IntType(8).as_pointer()), arguments[1], 0)
        return context.get_dummy_value()

    return types.void(INT, INT), generate


@intrinsic
def _sum(context: Any, target: Any, a: Any, b: Any) -> Any:
    """A plane = plane a + plane b."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, a, b = arguments
        _keep(builder, builder.xor(_plane(builder, a), _plane(builder, b)), target)
        return context.get_dummy_value()

    return types.void(INT, INT, INT), generate


@intrinsic
def _add_four(context: Any, target: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """A plane += planes a + b + c + d."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, a, b, c, d = (_plane(builder, each) for each in arguments)
        total = builder.xor(builder.xor(a, b), builder.xor(c, d))
        _keep(builder, builder.xor(target, total), arguments[0])
        return context.get_dummy_value()

    return types.void(INT, INT, INT, INT, INT), generate


@intrinsic
def _exchange(context: Any, a: Any, b: Any, shift: Any, mask: Any) -> Any:
    """The bits of ``mask`` in plane b against those ``shift`` above them in plane a."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b = (_plane(builder, each) for each in arguments[:2])
        shift, mask = (_everywhere(builder, each) for each in arguments[2:])
        moved = builder.and_(builder.xor(builder.lshr(a, shift), b), mask)
        _keep(builder, builder.xor(a, builder.shl(moved, shift)), arguments[0])
        _keep(builder, builder.xor(b, moved), arguments[1])
        return context.get_dummy_value()

    return types.void(INT, INT, INT, INT), generate


@njit(types.void(INT, INT), cache=True, nogil=True)
def _turn(at: Any, size: Any) -> None:
    """Words into planes, or planes into words: each 16 x 16 bits transposed."""
    for unit in range(at, at + size, UNIT):
        shift, mask = 8, 0x00FF00FF00FF00FF
        while shift:
            for i in range(16):
                if not i & shift:
                    _exchange(unit + i * PLANE, unit + (i + shift) * PLANE, shift, mask)
            shift >>= 1
            mask ^= mask << shift


@njit(types.void(INT, INT, INT), cache=True, nogil=True)
def _add(target: Any, source: Any, size: Any) -> None:
    """``size`` bytes += as many."""
    for offset in range(0, size, PLANE):
        _sum(target + offset, target + offset, source + offset)


@njit(types.void(INT, INT, INT, INT, INT), cache=True, nogil=True)
def _add_product(target: Any, source: Any, size: Any, constant: Any, sums: Any) -> None:
    """``size`` bytes += as many times the constant; the first sum of each group is zero."""
    for unit in range(0, size, UNIT):
        for group in range(4):
            first = sums + group * GROUP
            for bit in range(4):
                plane, span = source + unit + (4 * group + bit) * PLANE, PLANE << bit
                for i in range(first, first + span, PLANE):
                    _sum(i + span, i, plane)
        place = target + unit
        for part in range(0, 32, 8):
            masks = _load(constant + part)
            for _ in range(4):
                _add_four(
                    place,
                    sums + ((masks << 5) & MASK),
                    sums + GROUP + ((masks << 1) & MASK),
                    sums + 2 * GROUP + ((masks >> 3) & MASK),
                    sums + 3 * GROUP + ((masks >> 7) & MASK),
                )
                masks >>= 16
                place += PLANE


@njit(types.void(INT, INT, INT, INT, INT, INT, INT, INT), cache=True, nogil=True)
def _ascend(work: Any, row: Any, level: Any, first: Any, end: Any, base: Any, constants: Any, sums: Any) -> None:
    """One level of values to coefficients on rows ``first`` to ``end`` - 1, the last block as a whole."""
    half = 1 << level
    for block in range(first, end, 2 * half):
        constant = (base + block) >> (level + 1)
        for i in range(block, block + half):
            a, b = work + i * row, work + (i + half) * row
            _add(b, a, row)
            if constant:
                _add_product(a, b, row, constants + 32 * constant, sums)


@njit(types.void(INT, INT, INT, INT, INT, INT, INT, INT), cache=True, nogil=True)
def _descend(work: Any, row: Any, level: Any, first: Any, end: Any, base: Any, constants: Any, sums: Any) -> None:
    """One level of coefficients to values."""
    half = 1 << level
    for block in range(first, end, 2 * half):
        constant = (base + block) >> (level + 1)
        for i in range(block, block + half):
            a, b = work + i * row, work + (i + half) * row
            if constant:
                _add_product(a, b, row, constants + 32 * constant, sums)
            _add(b, a, row)


@njit(types.void(INT, INT, INT, INT, INT, INT, INT), cache=True, nogil=True)
def _coefficients(work: Any, row: Any, log: Any, live: Any, base: Any, constants: Any, sums: Any) -> None:
    """Values at points ``base`` .. ``base`` + 2^``log`` - 1 to coefficients, in place; rows from ``live`` on are zero."""
    within = min(log, BLOCK)
    for first in range(0, live, 1 << within):
        for level in range(within):
            _ascend(work, row, level, first, min(live, first + (1 << within)), base, constants, sums)
    for level in range(within, log):
        _ascend(work, row, level, 0, live, base, constants, sums)


@njit(types.void(INT, INT, INT, INT, INT, INT, INT), cache=True, nogil=True)
def _values(work: Any, row: Any, log: Any, live: Any, base: Any, constants: Any, sums: Any) -> None:
    """Coefficients to values, in place; rows from ``live`` on are not wanted."""
    within = min(log, BLOCK)
    for level in range(log - 1, within - 1, -1):
        _descend(work, row, level, 0, live, base, constants, sums)
    for first in range(0, live, 1 << within):
        for level in range(within - 1, -1, -1):
            _descend(work, row, level, first, min(live, first + (1 << within)), base, constants, sums)


@njit(types.void(*[INT] * 11), cache=True, nogil=True)
def encode(
    data: Any,
    stride: Any,
    k: Any,
    parity: Any,
    across: Any,
    m: Any,
    work: Any,
    log: Any,
    size: Any,
    strip: Any,
    constants: Any,
) -> None:
    """Parity rows (``across`` bytes apart) of data rows (``stride`` apart), of ``size`` bytes, for P = 2^``log``.

    The workspace has 2P rows of ``strip`` bytes, and what is spare.
    """
    space = 1 << log
    sums = work + 2 * space * strip
    _clear(sums, SPARE)
    for start in range(0, size, strip):
        row = min(strip, size - start)
        for chunk in range(0, k, space):
            live = min(space, k - chunk)
            values = work + space * row if chunk else work
            for i in range(live):
                _copy(values + i * row, data + (chunk + i) * stride + start, row)
            _turn(values, live * row)
            _clear(values + live * row, (space - live) * row)
            _coefficients(values, row, log, live, space + chunk, constants, sums)
            if chunk:
                _add(work, values, space * row)
        _values(work, row, log, m, 0, constants, sums)
        _turn(work, m * row)
        for i in range(m):
            _copy(parity + i * across + start, work + i * row, row)


@njit(types.void(INT, INT, INT), cache=True, nogil=True)
def _differentiate(work: Any, row: Any, length: Any) -> None:
    """Coefficients of the derivative, in place: each is the sum of those whose number has one bit more."""
    for i in range(length):
        bit = 1
        while bit < length:
            if not i & bit:
                _add(work + i * row, work + (i | bit) * row, row)
            bit <<= 1


@njit(types.void(*[INT] * 14), cache=True, nogil=True)
def rebuild(
    shards: Any,
    stride: Any,
    points: Any,
    live: Any,
    scales: Any,
    lost: Any,
    targets: Any,
    unscales: Any,
    count: Any,
    work: Any,
    log: Any,
    size: Any,
    strip: Any,
    constants: Any,
) -> None:
    """The ``count`` lost rows of a word, in place; `gf16_plan.Mending` says what the others are, and N = 2^``log``.

    The workspace has N rows of ``strip`` bytes, and what is spare.
    """
    length = 1 << log
    sums = work + length * strip
    unit = sums + 4 * GROUP
    _clear(sums, SPARE)
    for start in range(0, size, strip):
        row = min(strip, size - start)
        _clear(work, length * row)
        for point in range(live):
            which = _load(points + 8 * point)
            if which >= 0:
                for offset in range(0, row, UNIT):
                    _copy(unit, shards + which * stride + start + offset, UNIT)
                    _turn(unit, UNIT)
                    _add_product(work + point * row + offset, unit, UNIT, scales + 32 * point, sums)
        _coefficients(work, row, log, live, 0, constants, sums)
        _differentiate(work, row, length)
        _values(work, row, log, live, 0, constants, sums)
        for i in range(count):
            at = work + _load(lost + 8 * i) * row
            for offset in range(0, row, UNIT):
                _clear(unit, UNIT)
                _add_product(unit, at + offset, UNIT, unscales + 32 * i, sums)
                _turn(unit, UNIT)
                _copy(shards + _load(targets + 8 * i) * stride + start + offset, unit, UNIT)
