"""Many multiples of one point of BN254, for the development proving key: windows of the scalar and a table of them.

Each of a scalar's 32 bytes picks one of a table of 32 x 256 multiples; the sums of what is picked are worked out together.
"""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from agents.core.proofs.curve import multiples_table_g1, multiples_table_g2
from agents.core.proofs.field import BASE_ORDER
from agents.kernels.compiled import compiled
from agents.kernels.curve import LINE
from agents.kernels.emit import Routine
from agents.kernels.forms import FORMS, Form, best_form
from agents.kernels.memory import Words, aligned
from agents.kernels.msm import Sums, group, words_g1, words_g2
from agents.kernels.threads import pool

WINDOWS, DIGITS = 32, 256
TOGETHER = 1 << 11
"""Scalars that a thread works on at once: their sums stay in a core's own cache."""


def _write(form: type[Form], module: ir.Module, stride: int) -> None:
    """``leave(addresses, out, count)``: ``count`` vectors of points, named by their addresses, as a .zkey holds them."""
    routine = Routine(module, "leave", ("addresses", "out", "count"))
    field = form(routine, BASE_ORDER)
    factor = field.constant(2**256 % BASE_ORDER)

    def body(index: Any, _: list[Any]) -> list[Any]:
        listed = routine.at(routine["addresses"], index, 8 * field.lanes)
        points = [routine.load(routine.at(listed, lane, 8)) for lane in range(field.lanes)]
        first = routine.at(routine["out"], index, stride * field.lanes)
        places = [routine.at(first, lane, stride) for lane in range(field.lanes)]
        for line in range(0, stride, LINE):
            both = field.gather([routine.at(point, line, 1) for point in points])
            x, y = (field.canonical(field.multiply(value, factor)) for value in both)
            field.scatter(x, y, [routine.at(place, line, 1) for place in places])
        return []

    routine.loop("points", routine["count"], [], body)
    routine.end()


class FixedBase:
    """The multiples of one group's generator, in one form."""

    def __init__(self, form: str, extension: bool) -> None:
        self._group = group(form, extension)
        module = ir.Module("fixed_base")
        _write(FORMS[form], module, self._group.stride)
        self._code = compiled(str(module))
        self._leave: Callable[..., int] = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 3)(
            self._code.address("leave")
        )
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
        stride, lanes = self._group.stride, self._group.lanes
        used = digits != 0
        places = self._table.ctypes.data + (np.arange(WINDOWS) * DIGITS + digits) * stride
        entries = places[used].astype(np.uint64)
        starts = np.zeros(len(digits) + 1, dtype=np.int64)
        np.cumsum(used.sum(axis=1), out=starts[1:])
        Sums(self._group, len(entries)).reduce(entries, starts)

        some = starts[1:] > starts[:-1]
        found = entries[starts[:-1][some]]
        addresses = np.full(-(-len(found) // lanes) * lanes, self._table.ctypes.data, dtype=np.uint64)
        addresses[: len(found)] = found
        points = aligned(len(addresses) * stride // 8).reshape(-1, stride // 8)
        self._leave(addresses.ctypes.data, points.ctypes.data, len(addresses) // lanes)
        out[some] = points[: len(found)]


@cache
def _base(form: str, extension: bool) -> FixedBase:
    return FixedBase(form, extension)


def multiples_g1(scalars: Words, form: str | None = None) -> Words:
    """Multiples of G1's generator: (n, 4) canonical scalars -> (n, 8)."""
    return _base(form or best_form(), False).multiples(scalars)


def multiples_g2(scalars: Words, form: str | None = None) -> Words:
    """Multiples of G2's generator: (n, 4) canonical scalars -> (n, 16): x real, x imaginary, y real, y imaginary."""
    return _base(form or best_form(), True).multiples(scalars)
