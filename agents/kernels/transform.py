"""The number theoretic transform over the scalar field, as routines that any threads share.

``n`` elements stand in memory as ``m = n / lanes`` vectors: lane l of vector i is element ``l m + i``. A transform is thus one
of ``lanes`` points across the lanes, a twist by w^(i k), and one of m points that is the same in every lane (the "four-step"
transform). `dif` goes from natural to bit-reversed order, `dit` back, and nothing is ever put in order in between.
"""

from typing import Any

from llvmlite import ir

from agents.core.proofs.field import SCALAR_ORDER
from agents.kernels.emit import Routine
from agents.kernels.forms import Form, Value, Wide

GENERATOR = 5
"""Generates the multiplicative group of the scalar field."""


def root_of_unity(size: int) -> int:
    """A primitive root of unity of order ``size``, a power of two up to 2^28: the one that snarkjs takes."""
    return pow(GENERATOR, (SCALAR_ORDER - 1) // size, SCALAR_ORDER)


def reversed_bits(value: int, bits: int) -> int:
    """The lowest ``bits`` of ``value`` in the opposite order."""
    return int(f"{value:0{bits}b}"[::-1], 2) if bits else 0


def write(form: type[Form]) -> str:
    """IR of all routines of a form."""
    module = ir.Module("transform")
    _powers(form, module)
    _enter(form, module)
    _join(form, module)
    _multiply(form, module)
    _scale(form, module)
    for backwards in (False, True):
        _levels(form, module, backwards)
    if form is Wide:
        for backwards in (False, True):
            for inverse in (False, True):
                _across(module, backwards, inverse)
    return str(module)


def _powers(form: type[Form], module: ir.Module) -> None:
    """``powers(out, first, step, count)``: a table of ``count`` times as many numbers as there are lanes."""
    routine = Routine(module, "powers", ("out", "first", "step", "count"))
    field = form(routine, SCALAR_ORDER)
    step = field.get(routine["step"])

    def body(index: Any, carried: list[Value]) -> list[Value]:
        field.lines(carried[0], routine.at(routine["out"], index, field.line * field.lanes))
        return [field.multiply(carried[0], step)]

    field.loop("table", routine["count"], [field.get(routine["first"])], body)
    routine.end()


def _places(routine: Routine, field: Form, base: Any, index: Any, vectors: Any) -> list[Any]:
    """Where each lane's elements ``index`` and the next stand in an array of four words each."""
    first = routine.at(base, index, 32)
    step = routine.builder.mul(vectors, routine.word(32))
    return [routine.builder.add(first, routine.builder.mul(step, routine.word(lane))) for lane in range(field.lanes)]


def _enter(form: type[Form], module: ir.Module) -> None:
    """``enter(source, out, factor, vectors, first, pairs)``: elements of four words, times ``factor``, as vectors."""
    routine = Routine(module, "enter", ("source", "out", "factor", "vectors", "first", "pairs"))
    field = form(routine, SCALAR_ORDER)
    factor = field.get(routine["factor"])

    def body(step: Any, _: list[Any]) -> list[Any]:
        index = routine.builder.mul(routine.builder.add(routine["first"], step), routine.word(2))
        both = field.gather(_places(routine, field, routine["source"], index, routine["vectors"]))
        out = routine.at(routine["out"], index, field.kept)
        for i, value in enumerate(both):
            field.put(field.multiply(value, factor), routine.at(out, i, field.kept))
        return []

    routine.loop("pairs", routine["pairs"], [], body)
    routine.end()


def _join(form: type[Form], module: ir.Module) -> None:
    """``join(a, b, c, out, vectors, first, pairs)``: a b - c, canonical, as elements of four words in order."""
    routine = Routine(module, "join", ("a", "b", "c", "out", "vectors", "first", "pairs"))
    field = form(routine, SCALAR_ORDER)

    def body(step: Any, _: list[Any]) -> list[Any]:
        index = routine.builder.mul(routine.builder.add(routine["first"], step), routine.word(2))
        both = []
        for i in range(2):
            a, b, c = (
                field.get(routine.at(routine.at(routine[name], index, field.kept), i, field.kept)) for name in "abc"
            )
            left = field.multiply(field.subtract(field.multiply(a, b), c), field.constant(1))
            both.append(field.canonical(left))
        field.scatter(both[0], both[1], _places(routine, field, routine["out"], index, routine["vectors"]))
        return []

    routine.loop("pairs", routine["pairs"], [], body)
    routine.end()


def _multiply(form: type[Form], module: ir.Module) -> None:
    """``multiply(a, b, out, count)``: vector by vector."""
    routine = Routine(module, "multiply", ("a", "b", "out", "count"))
    field = form(routine, SCALAR_ORDER)

    def body(index: Any, _: list[Any]) -> list[Any]:
        a, b = (field.get(routine.at(routine[name], index, field.kept)) for name in "ab")
        field.put(field.multiply(a, b), routine.at(routine["out"], index, field.kept))
        return []

    routine.loop("vectors", routine["count"], [], body)
    routine.end()


def _scale(form: type[Form], module: ir.Module) -> None:
    """``scale(data, table, lanes, count)``: each vector by its number in the table and by one vector for all."""
    routine = Routine(module, "scale", ("data", "table", "lanes", "count"))
    field = form(routine, SCALAR_ORDER)
    lanes = field.get(routine["lanes"])

    def body(index: Any, _: list[Any]) -> list[Any]:
        place = routine.at(routine["data"], index, field.kept)
        factor = field.multiply(field.everywhere(routine.at(routine["table"], index, field.line)), lanes)
        field.put(field.multiply(field.get(place), factor), place)
        return []

    routine.loop("vectors", routine["count"], [], body)
    routine.end()


def _levels(form: type[Form], module: ir.Module, backwards: bool) -> None:
    """``dif`` or ``dit(data, roots, log_half, levels, log_stride, first, count)``: butterflies ``first ..`` of some levels.

    In the first level partners are 2^log_half vectors apart and the roots used 2^log_stride; then half as far and twice as
    many apart, or the other way around.
    """
    names = ("data", "roots", "log_half", "levels", "log_stride", "first", "count")
    routine = Routine(module, "dit" if backwards else "dif", names)
    field, builder = form(routine, SCALAR_ORDER), routine.builder

    def level(nth: Any, _: list[Any]) -> list[Any]:
        more, less = (builder.add, builder.sub) if backwards else (builder.sub, builder.add)
        log_half, log_stride = more(routine["log_half"], nth), less(routine["log_stride"], nth)
        half = builder.shl(routine.word(1), log_half)

        def butterfly(step: Any, _: list[Any]) -> list[Any]:
            at = builder.add(routine["first"], step)
            inner = builder.and_(at, builder.sub(half, routine.word(1)))
            low = builder.add(builder.shl(builder.sub(at, inner), routine.word(1)), inner)
            place = routine.at(routine["data"], low, field.kept)
            other = routine.at(place, half, field.kept)
            root = field.everywhere(routine.at(routine["roots"], builder.shl(inner, log_stride), field.line))
            a, b = field.get(place), field.get(other)
            if backwards:
                b = field.multiply(b, root)
                a, b = field.add(a, b), field.subtract(a, b)
            else:
                a, b = field.add(a, b), field.multiply(field.subtract(a, b), root)
            field.put(a, place)
            field.put(b, other)
            return []

        routine.loop("butterfly", routine["count"], [], butterfly)
        return []

    routine.loop("level", routine["levels"], [], level)
    routine.end()


def _across(module: ir.Module, backwards: bool, inverse: bool) -> None:
    """``across(data, twist, step, count)``: the transform over the lanes of each vector, and its twist, or these backwards.

    ``twist`` is the first vector's and is multiplied by ``step`` for each next one.
    """
    name = "across" + ("_back" if backwards else "") + ("_inverse" if inverse else "")
    routine = Routine(module, name, ("data", "twist", "step", "count"))
    field = Wide(routine, SCALAR_ORDER)
    root = root_of_unity(field.lanes)
    root = pow(root, -1, SCALAR_ORDER) if inverse else root
    step = field.get(routine["step"])

    def butterfly(a: Value, apart: int) -> Value:
        partner = field.permuted(a, [lane ^ apart for lane in range(field.lanes)])
        upper = field.mask([bool(lane & apart) for lane in range(field.lanes)])
        return field.select(upper, field.reduce(field.subtract(partner, a)), field.reduce(field.add(a, partner)))

    def roots(apart: int) -> Value:
        used = (lane % apart * (field.lanes // 2 // apart) if lane & apart else 0 for lane in range(field.lanes))
        return field.each([pow(root, exponent, SCALAR_ORDER) for exponent in used])

    def body(index: Any, carried: list[Value]) -> list[Value]:
        (twist,) = carried
        place = routine.at(routine["data"], index, field.kept)
        value = field.get(place)
        if backwards:
            value = butterfly(field.multiply(value, twist), 1)
            for apart in (2, 4):
                value = butterfly(field.multiply(value, roots(apart)), apart)
        else:
            for apart in (4, 2):
                value = field.multiply(butterfly(value, apart), roots(apart))
            value = field.multiply(butterfly(value, 1), twist)
        field.put(value, place)
        return [field.multiply(twist, step)]

    field.loop("vectors", routine["count"], [field.get(routine["twist"])], body)
    routine.end()
