"""Routines of one operation each, written for a test, and run on integers: raw ones, with no Montgomery form about them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
from llvmlite import ir

from agents.kernels.compiled import compiled
from agents.kernels.emit import Routine
from agents.kernels.forms import FORMS, Form, Value
from agents.kernels.memory import aligned

Operation = Callable[[Any, list[Value]], Sequence[Any]]
"""Of the form and the operands: values, or masks."""


def most(form: type[Form], order: int, bound: float) -> int:
    """The largest integer that is below ``bound`` orders and fits."""
    return min(ceil(Fraction(bound) * order), 1 << (form.limbs * form.bits)) - 1


def edges(form: type[Form], order: int, bound: float) -> list[int]:
    """Integers below ``bound`` orders that carries, borrows and quotients turn on."""
    top = most(form, order, bound)
    found = {0, 1, top, top - 1, 2**52 - 1, 2**64 - 1, 2**64, 2**208 - 1, 2**208, 2**255, 2**256 - 1}
    near = (1, 2, 3, ceil(bound) // 2, ceil(bound) - 1)
    found |= {times * order + by for times in near for by in (-1, 0, 1)}
    return sorted(value for value in found if 0 <= value <= top)


@dataclass(frozen=True)
class Written:
    """What an operation takes and gives."""

    bounds: tuple[float, ...]
    """Of the operands, which come normal."""
    operation: Operation


class Laboratory:
    """Operations in one form over one field, compiled together."""

    def __init__(self, form: str, order: int, operations: dict[str, Written]) -> None:
        self.form, self.order = FORMS[form], order
        self.operations = operations
        self.bounds: dict[str, list[float | None]] = {}
        """Of each operation's results; None of a mask."""
        module = ir.Module("laboratory")
        for name, written in operations.items():
            self._write(module, name, written)
        self._code = compiled(str(module))

    def _write(self, module: ir.Module, name: str, written: Written) -> None:
        routine = Routine(module, name, ("operands", "results", "count"))
        field = self.form(routine, self.order)
        arity, bounds = len(written.bounds), self.bounds.setdefault(name, [])

        def body(index: Any, _: list[Any]) -> list[Any]:
            first = routine.at(routine["operands"], index, arity * field.kept)
            operands = [
                Value(field.get(routine.at(first, i, field.kept)).limbs, bound)
                for i, bound in enumerate(written.bounds)
            ]
            results = written.operation(field, operands)
            bounds[:] = [value.bound if isinstance(value, Value) else None for value in results]
            out = routine.at(routine["results"], index, len(results) * field.kept)
            for i, result in enumerate(results):
                place = routine.at(out, i, field.kept)
                if isinstance(result, Value):
                    # Not `put`: it would reduce, and the bound would not be seen to hold.
                    for at, limb in enumerate(field.normal(result).limbs):
                        routine.store(limb, routine.at(place, at, field.lanes * 8))
                else:
                    kind = ir.VectorType(ir.IntType(64), field.lanes) if field.lanes > 1 else ir.IntType(64)
                    routine.store(routine.builder.zext(result, kind), place)
            return []

        routine.loop("vectors", routine["count"], [], body)
        routine.end()

    def run(self, name: str, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """For each row of operands its results: integers, and 0 or 1 for masks. Rows fill lanes one after the other."""
        bounds = self.bounds[name]
        lanes, arity = self.form.lanes, len(self.operations[name].bounds)
        vectors = -(-len(rows) // lanes)
        filled = [*rows, *[rows[0]] * (vectors * lanes - len(rows))]
        given = aligned(vectors * arity * self.form.limbs * lanes).reshape(vectors, arity, self.form.limbs, lanes)
        mask = (1 << self.form.bits) - 1
        given[:] = [
            [
                [[(filled[vector * lanes + lane][i] >> (self.form.bits * limb)) & mask for lane in range(lanes)]
                 for limb in range(self.form.limbs)]
                for i in range(arity)
            ]
            for vector in range(vectors)
        ]  # fmt: skip
        out = aligned(vectors * len(bounds) * self.form.limbs * lanes)
        out[:] = 0
        out = out.reshape(vectors, len(bounds), self.form.limbs, lanes)
        call(self._code, name, given, out, vectors)
        if out[:, [i for i, bound in enumerate(bounds) if bound is not None]].max(initial=0) > mask:
            raise AssertionError(f"a limb of {name} is beyond its bits")
        limbs = out.transpose(0, 3, 1, 2).reshape(vectors * lanes, len(bounds), self.form.limbs)
        return [
            [sum(int(limb) << (self.form.bits * at) for at, limb in enumerate(result)) for result in row]
            for row in limbs[: len(rows)]
        ]


def call(code: Any, name: str, *arguments: Any) -> int:
    """Run a routine of words and arrays."""
    words = [each.ctypes.data if isinstance(each, np.ndarray) else each for each in arguments]
    return int(ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(words))(code.address(name))(*words))
