"""Additions of points of BN254's groups, many at once: affine, with one inversion for a whole batch (Montgomery's trick).

A point in memory is x and y, each a row of `Form.row` words (G2: two rows), on a 64-byte boundary. An operand is named by
its address; the lowest bit of the address asks for the opposite point. The point at infinity has no address: sums that
come out as it are counted and flagged, and whoever adds leaves them out.
"""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from agents.core.proofs.field import BASE_ORDER
from agents.kernels.emit import WORD, Routine
from agents.kernels.extension import Quadratic
from agents.kernels.forms import Form


class AddPairs:
    """Writes ``add_pairs(left, right, out, flags, scratch, count) -> whether a sum is at infinity``.

    ``left`` and ``right`` hold ``count`` vectors of addresses, ``out`` takes as many vectors of points, one after the
    other, ``flags`` a word a point, 1 for infinity (zero before), ``scratch`` one element a vector, as `Form.put` keeps it.
    """

    def __init__(self, form: type[Form], extension: bool, module: ir.Module, name: str) -> None:
        self.routine = Routine(module, name, ("left", "right", "out", "flags", "scratch", "count"))
        self.form = form(self.routine, BASE_ORDER)
        self.field: Any = Quadratic(self.form) if extension else self.form
        self.lanes, self.row = self.form.lanes, self.field.row
        self._emit()

    def _addresses(self, listed: Any, index: Any) -> tuple[list[Any], Any]:
        """Addresses of the points of vector ``index``, and a mask of those whose opposite is meant."""
        routine, builder = self.routine, self.routine.builder
        words, signs = [], None
        mask = ir.Constant(ir.VectorType(ir.IntType(1), self.lanes), ir.Undefined) if self.lanes > 1 else None
        for lane in range(self.lanes):
            word = routine.load(routine.at(routine.at(listed, index, 8 * self.lanes), lane, 8))
            sign = builder.trunc(word, ir.IntType(1))
            words.append(builder.and_(word, routine.word(-2)))
            if mask is None:
                signs = sign
            else:
                mask = builder.insert_element(mask, sign, ir.Constant(ir.IntType(32), lane))
        return words, signs if mask is None else mask

    def _x(self, addresses: Sequence[Any]) -> Any:
        return self.field.gather(addresses, self.form.tight)

    def _y(self, addresses: Sequence[Any], signs: Any) -> Any:
        y = self.field.gather([self.routine.at(address, self.row, 8) for address in addresses], self.form.tight)
        return self.field.select(signs, self.field.negate(y), y)

    def _emit(self) -> None:
        routine, field, builder = self.routine, self.field, self.routine.builder
        left, right, scratch, count = (routine[name] for name in ("left", "right", "scratch", "count"))

        def special(x1: Any, y1: Any, d: Any, y2: Any) -> tuple[Any, Any, Any]:
            """Where the sum is another formula's: the masks of doubled points and of opposite ones, and what is inverted."""
            equal = field.is_zero(d)
            opposite = builder.and_(equal, field.is_zero(field.add(y1, y2)))
            doubled = builder.and_(equal, builder.not_(opposite))
            inverted = field.select(doubled, field.double(y1), d)
            return doubled, opposite, field.select(opposite, field.one(), inverted)

        def forward(index: Any, carried: list[Any]) -> list[Any]:
            (product,) = carried
            (a, minus_a), (b, minus_b) = self._addresses(left, index), self._addresses(right, index)
            x1 = self._x(a)
            d = field.subtract(self._x(b), x1)

            def exception() -> list[Any]:
                return [special(x1, self._y(a, minus_a), d, self._y(b, minus_b))[2]]

            (d,) = field.seldom("alike", self.form.any(field.may_be_zero(d)), [d], exception)
            field.put(product, routine.at(scratch, index, field.kept))
            return [field.multiply(product, d)]

        (product,) = field.loop("forward", count, [field.one()], forward)
        inverse = field.invert(product)
        flagged = builder.alloca(WORD)
        builder.store(routine.word(0), flagged)

        def backward(step: Any, carried: list[Any]) -> list[Any]:
            index = builder.sub(builder.sub(count, step), routine.word(1))
            (inverse,) = carried
            (a, minus_a), (b, minus_b) = self._addresses(left, index), self._addresses(right, index)
            x1, x2, y1, y2 = self._x(a), self._x(b), self._y(a, minus_a), self._y(b, minus_b)
            d, rise = field.subtract(x2, x1), field.subtract(y2, y1)

            def exception() -> list[Any]:
                doubled, opposite, inverted = special(x1, y1, d, y2)
                tripled = field.square(x1)
                tripled = field.add(field.double(tripled), tripled)
                self._flag(index, opposite)
                some = builder.zext(self.form.any(opposite), WORD)
                builder.store(builder.or_(builder.load(flagged), some), flagged)
                return [inverted, field.select(doubled, field.reduce(tripled), field.reduce(rise))]

            alike = self.form.any(field.may_be_zero(d))
            d, rise = field.seldom("alike_too", alike, [d, rise], exception)
            own = field.multiply(inverse, field.get(routine.at(scratch, index, field.kept)))
            slope = field.multiply(rise, own)
            x3 = field.reduce(field.subtract(field.subtract(field.square(slope), x1), x2))
            y3 = field.subtract(field.multiply(slope, field.subtract(x1, x3)), y1)
            point = [
                routine.at(routine.at(routine["out"], index, 16 * self.row * self.lanes), lane, 16 * self.row)
                for lane in range(self.lanes)
            ]
            field.scatter(x3, point)
            field.scatter(y3, [routine.at(place, self.row, 8) for place in point])
            return [field.multiply(inverse, d)]

        field.loop("backward", count, [inverse], backward)
        routine.end(builder.load(flagged))

    def _flag(self, index: Any, mask: Any) -> None:
        """Mark the lanes of ``mask`` as sums at infinity."""
        routine, builder = self.routine, self.routine.builder
        place = routine.at(routine["flags"], index, 8 * self.lanes)
        kind = ir.VectorType(WORD, self.lanes) if self.lanes > 1 else WORD
        routine.store(builder.zext(mask, kind), place)


def widen(form: type[Form], module: ir.Module) -> None:
    """Writes ``widen(source, out, count)``: ``count`` vectors of coordinates of a .zkey into rows of the form.

    A .zkey holds 32 bytes a coordinate, Montgomery with R = 2^256.
    """
    routine = Routine(module, "widen", ("source", "out", "count"))
    field = form(routine, BASE_ORDER)
    factor = field.constant(field.radix * field.radix // 2**256 % BASE_ORDER)

    def body(index: Any, _: list[Any]) -> list[Any]:
        source = routine.at(routine["source"], index, 32 * field.lanes)
        out = routine.at(routine["out"], index, 8 * field.row * field.lanes)
        value = field.multiply(field.words(source), factor)
        field.scatter(value, [routine.at(out, lane, 8 * field.row) for lane in range(field.lanes)])
        return []

    routine.loop("coordinates", routine["count"], [], body)
    routine.end()
