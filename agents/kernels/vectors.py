"""Products of many elements of the scalar field, one by one: for whatever is not a transform or a sum of points."""

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from agents.core.proofs.field import SCALAR_ORDER
from agents.kernels.compiled import compiled_once
from agents.kernels.emit import Routine
from agents.kernels.forms import FORMS, Form, best_form
from agents.kernels.memory import Words
from agents.kernels.threads import share


def _written(form: type[Form]) -> str:
    """``multiply_all(a, b, out, count)``: vector by vector, canonical words in and out."""
    module = ir.Module("vectors")
    routine = Routine(module, "multiply_all", ("a", "b", "out", "count"))
    field = form(routine, SCALAR_ORDER)
    size = 32 * field.lanes

    def body(index: Any, _: list[Any]) -> list[Any]:
        a, b = (field.words(routine.at(routine[name], index, size)) for name in "ab")
        # Two products by R^-1 each; the constant makes up for both.
        product = field.multiply(field.multiply(a, field.constant(field.radix**2 % SCALAR_ORDER)), b)
        field.follow(field.canonical(product), routine.at(routine["out"], index, size))
        return []

    routine.loop("vectors", routine["count"], [], body)
    routine.end()
    return str(module)


class Code:
    """The compiled routine of one form."""

    def __init__(self, form: str) -> None:
        self.lanes = FORMS[form].lanes
        self._multiply = compiled_once(f"vectors {form}", lambda: _written(FORMS[form])).routine("multiply_all", 4)

    def multiply(self, a: Words, b: Words, out: Words) -> None:
        """(n, 4) products into ``out``; n is a multiple of the lanes, and every array contiguous."""
        self._multiply(a.ctypes.data, b.ctypes.data, out.ctypes.data, len(a) // self.lanes)


@cache
def _code(form: str) -> Code:
    return Code(form)


def multiply_all(a: NDArray[Any], b: NDArray[Any], form: str | None = None) -> Words:
    """(n, 4) canonical words of a_i b_i, for (n, 4) canonical words ``a`` and ``b``."""
    if a.shape != b.shape or a.shape[1:] != (4,):
        raise ValueError(f"arrays of shapes {a.shape} and {b.shape} are not pairs of elements")
    code = _code(form or best_form())
    count = len(a)
    whole = -(-count // code.lanes) * code.lanes
    left, right = _filled(a, whole), _filled(b, whole)
    out = np.empty((whole, 4), dtype=np.uint64)

    def some(first: int, vectors: int) -> None:
        span = slice(first * code.lanes, (first + vectors) * code.lanes)
        code.multiply(left[span], right[span], out[span])

    share(whole // code.lanes, some)
    return out[:count]


def _filled(values: NDArray[Any], count: int) -> Words:
    """``values`` and zeros after them, contiguous."""
    if len(values) == count:
        return np.ascontiguousarray(values, dtype=np.uint64)
    found = np.zeros((count, 4), dtype=np.uint64)
    found[: len(values)] = values
    return found
