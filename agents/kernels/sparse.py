"""Sparse matrices over the scalar field times a vector, as a .zkey keeps them: a record of 44 bytes an entry."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from agents.core.proofs.field import SCALAR_ORDER
from agents.kernels.compiled import compiled_once
from agents.kernels.emit import Routine
from agents.kernels.forms import Narrow, Value
from agents.kernels.memory import Words, aligned
from agents.kernels.threads import share

ENTRY_BYTES, WIRE_AT, VALUE_AT = 44, 8, 12


def _written() -> str:
    """``rows(entries, order, starts, vector, out, first, count)``: out[i] = sum of value times vector[wire], canonical."""
    module = ir.Module("sparse")
    routine = Routine(module, "rows", ("entries", "order", "starts", "vector", "out", "first", "count"))
    field, builder = Narrow(routine, SCALAR_ORDER), routine.builder

    def number(address: Any) -> Value:
        return Value(field.words(address).limbs, 1)

    def small(address: Any) -> Any:
        return builder.zext(routine.load(address, ir.IntType(32), align=1), ir.IntType(64))

    def row(step: Any, _: list[Any]) -> list[Any]:
        index = builder.add(routine["first"], step)
        place = routine.at(routine["starts"], index, 8)
        begin, end = routine.load(place), routine.load(routine.at(place, 1, 8))

        def term(nth: Any, carried: list[Value]) -> list[Value]:
            at = small(routine.at(routine["order"], builder.add(begin, nth), 4))
            entry = routine.at(routine["entries"], at, ENTRY_BYTES)
            wire = small(routine.at(entry, WIRE_AT, 1))
            product = field.multiply(
                number(routine.at(entry, VALUE_AT, 1)), number(routine.at(routine["vector"], wire, 32))
            )
            return [field.add(carried[0], product)]

        (total,) = field.loop("term", builder.sub(end, begin), [field.constant(0)], term)
        field.follow(field.canonical(total), routine.at(routine["out"], index, 32))
        return []

    routine.loop("row", routine["count"], [], row)
    routine.end()
    return str(module)


@cache
def _rows() -> Callable[..., int]:
    return compiled_once("sparse", _written).routine("rows", 7)


class Matrix:
    """One matrix of some entries (structured as in section 4 of a .zkey), sorted by row once."""

    def __init__(self, entries: NDArray[Any], chosen: NDArray[np.bool_], rows: int) -> None:
        """``entries`` must stay; ``chosen`` says which are this matrix's. Rows and wires are in range."""
        self._entries = entries
        order = np.flatnonzero(chosen).astype(np.uint32)
        at = entries["row"][order]
        if len(at) and (np.diff(at.astype(np.int64)) < 0).any():
            by_row = np.argsort(at, kind="stable")
            order, at = order[by_row], at[by_row]
        self._order = order
        self._starts = np.searchsorted(at, np.arange(rows + 1)).astype(np.int64)
        self.rows = rows

    def times(self, vector: Words) -> Words:
        """(rows, 4): with values times R^2, as they are in a .zkey, and a canonical ``vector``, Montgomery words, R = 2^256."""
        out = aligned(self.rows * 4).reshape(-1, 4)
        call = _rows()
        pointers = [each.ctypes.data for each in (self._entries, self._order, self._starts, vector, out)]
        share(self.rows, lambda first, count: call(*pointers, first, count))
        return out
