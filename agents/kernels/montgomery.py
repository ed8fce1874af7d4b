"""Arithmetic of a prime field for numba: 4 x 64-bit words in Montgomery form, 128-bit products by an LLVM intrinsic.

Elements are tuples of four uint64, least significant first. Orders are below 2^254, so that the sum of two elements fits
256 bits and a product of Montgomery's needs one subtraction at most. Nothing here runs in constant time: what is computed
is the machine's owner's own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic

from agents.kernels.cache import numba_folder

# Numba reads this when it meets each function below.
config.CACHE_DIR = str(numba_folder())

R = 1 << 256
"""Montgomery's radix."""

WORD = types.uint64
ELEMENT = types.UniTuple(WORD, 4)
ZERO = np.uint64(0)


def words(value: int) -> list[int]:
    """``value`` as four 64-bit words."""
    return [(value >> (64 * i)) & (2**64 - 1) for i in range(4)]


def element(value: int) -> tuple[np.uint64, ...]:
    """``value`` as numba sees it, in the form it is in."""
    return tuple(np.uint64(word) for word in words(value))


@intrinsic
def multiply_add(context: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
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


def _pack(builder: Any, value: Any) -> Any:
    wide = ir.IntType(256)
    packed = ir.Constant(wide, 0)
    for i in range(4):
        word = builder.zext(builder.extract_value(value, i), wide)
        packed = builder.or_(packed, builder.shl(word, ir.Constant(wide, 64 * i)))
    return packed


def _unpack(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    parts = [builder.lshr(value, ir.Constant(value.type, 64 * i)) for i in range(4)]
    return context.make_tuple(builder, kind, [builder.trunc(part, ir.IntType(64)) for part in parts])


@dataclass(frozen=True)
class Arithmetic:
    """Functions for numba code; elements in and out are below the order."""

    add: Callable[..., Any]
    multiply: Callable[..., Any]
    """a b / R, below twice the order: `reduce` it before adding."""
    reduce: Callable[..., Any]
    """a mod the order, for a below twice the order."""
    enter: Callable[..., Any]
    """Into Montgomery form."""
    leave: Callable[..., Any]
    """Out of Montgomery form."""


def arithmetic(order: int) -> Arithmetic:
    """The field with ``order`` elements, a prime below 2^254."""
    p0, p1, p2, p3 = element(order)
    negated_inverse = np.uint64(-pow(order, -1, 1 << 64) % (1 << 64))
    r_squared, one = element(R * R % order), element(1)

    def less_order(builder: Any, value: Any) -> Any:
        modulus = ir.Constant(value.type, order)
        return builder.select(builder.icmp_unsigned("<", value, modulus), value, builder.sub(value, modulus))

    @intrinsic
    def add(context: Any, a: Any, b: Any) -> Any:
        signature = ELEMENT(ELEMENT, ELEMENT)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            total = builder.add(_pack(builder, arguments[0]), _pack(builder, arguments[1]))
            return _unpack(context, builder, signature.return_type, less_order(builder, total))

        return signature, generate

    @intrinsic
    def reduce(context: Any, a: Any) -> Any:
        signature = ELEMENT(ELEMENT)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            reduced = less_order(builder, _pack(builder, arguments[0]))
            return _unpack(context, builder, signature.return_type, reduced)

        return signature, generate

    @njit(inline="always")
    def step(a: Any, word: Any, t0: Any, t1: Any, t2: Any, t3: Any) -> Any:
        t0, carry = multiply_add(a[0], word, t0, ZERO)
        m = t0 * negated_inverse
        _, fold = multiply_add(m, p0, t0, ZERO)
        t1, carry = multiply_add(a[1], word, t1, carry)
        t0, fold = multiply_add(m, p1, t1, fold)
        t2, carry = multiply_add(a[2], word, t2, carry)
        t1, fold = multiply_add(m, p2, t2, fold)
        t3, carry = multiply_add(a[3], word, t3, carry)
        t2, fold = multiply_add(m, p3, t3, fold)
        return t0, t1, t2, carry + fold

    @njit(inline="always")
    def multiply(a: Any, b: Any) -> Any:
        t0, t1, t2, t3 = step(a, b[0], ZERO, ZERO, ZERO, ZERO)
        t0, t1, t2, t3 = step(a, b[1], t0, t1, t2, t3)
        t0, t1, t2, t3 = step(a, b[2], t0, t1, t2, t3)
        return step(a, b[3], t0, t1, t2, t3)

    @njit(inline="always")
    def enter(a: Any) -> Any:
        return reduce(multiply(a, r_squared))

    @njit(inline="always")
    def leave(a: Any) -> Any:
        return reduce(multiply(a, one))

    return Arithmetic(add, multiply, reduce, enter, leave)
