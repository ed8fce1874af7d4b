"""Additions of points of BN254's groups, many at once: affine, with one inversion for a whole batch (Montgomery's trick).

A point in memory is its coordinates, four words each, as `Form.scatter` leaves them: one cache line in G1, two in G2. An
operand is named by its address; the lowest bit of the address asks for the opposite point. The point at infinity has no
address: sums that come out as it are flagged, and whoever adds leaves them out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from agents.core.proofs.field import BASE_ORDER
from agents.kernels.emit import INDEX, WORD, Routine
from agents.kernels.extension import Quadratic
from agents.kernels.forms import Form, Narrow

AHEAD = 6
"""Vectors between a point's being fetched and its being read; lists of addresses have so many to spare."""
CHAINS = 2
"""Vectors that are worked at side by side: a product takes longer than it keeps the multipliers busy."""
LINE = 64


@dataclass(frozen=True)
class Operand:
    """A point a lane: where it is, and where its opposite is meant."""

    addresses: Sequence[Any]
    opposite: Any


class AddPairs:
    """Writes ``add_pairs(left, right, out, flags, scratch, count) -> whether a sum is at infinity``.

    ``left`` and ``right`` hold addresses, ``out`` takes the sums, one after the other, ``flags`` a word a sum, 1 for infinity
    (zero before), ``scratch`` one element a vector, as `Form.put` keeps it. ``count`` is of groups of CHAINS vectors.
    """

    def __init__(self, form: type[Form], extension: bool, module: ir.Module, name: str) -> None:
        self.routine = Routine(module, name, ("left", "right", "out", "flags", "scratch", "count"))
        self.form = form(self.routine, BASE_ORDER)
        self.field: Any = Quadratic(self.form) if extension else self.form
        self.extension = extension
        self.lanes = self.form.lanes
        self.stride = 2 * LINE if extension else LINE
        self._emit()

    def _operand(self, listed: Any, vector: Any) -> Operand:
        routine, builder = self.routine, self.routine.builder
        words = [routine.load(routine.at(routine.at(listed, vector, 8 * self.lanes), i, 8)) for i in range(self.lanes)]
        signs = [builder.trunc(word, ir.IntType(1)) for word in words]
        mask = signs[0]
        if self.lanes > 1:
            mask = ir.Constant(ir.VectorType(ir.IntType(1), self.lanes), ir.Undefined)
            for lane, sign in enumerate(signs):
                mask = builder.insert_element(mask, sign, ir.Constant(INDEX, lane))
        return Operand([builder.and_(word, routine.word(-2)) for word in words], mask)

    def _fetch(self, listed: Any, vector: Any) -> None:
        """Have the points of a vector in the cache: they lie anywhere."""
        routine = self.routine
        for lane in range(self.lanes):
            address = routine.load(routine.at(routine.at(listed, vector, 8 * self.lanes), lane, 8))
            for line in range(0, self.stride, LINE):
                routine.prefetch(routine.at(address, line, 1))

    def _point(self, operand: Operand) -> tuple[Any, Any]:
        x: Any
        y: Any
        x, y = both = self.form.gather(operand.addresses)
        if self.extension:
            x, y = both, self.form.gather([self.routine.at(address, LINE, 1) for address in operand.addresses])
        return x, self.field.select(operand.opposite, self.field.negate(y), y)

    def _keep(self, x: Any, y: Any, vector: Any) -> None:
        routine = self.routine
        first = routine.at(routine["out"], vector, self.stride * self.lanes)
        places = [routine.at(first, lane, self.stride) for lane in range(self.lanes)]
        lines = [(*x, 0), (*y, LINE)] if self.extension else [(x, y, 0)]
        for first_half, second_half, at in lines:
            self.form.scatter(first_half, second_half, [routine.at(place, at, 1) for place in places])

    def _special(self, first: tuple[Any, Any], second: tuple[Any, Any], d: Any) -> tuple[Any, Any, Any]:
        """Where a sum is another formula's: masks of doubled points and of opposite ones, and what is inverted."""
        field, builder = self.field, self.routine.builder
        equal = field.is_zero(d)
        opposite = builder.and_(equal, field.is_zero(field.add(first[1], second[1])))
        doubled = builder.and_(equal, builder.not_(opposite))
        inverted = field.select(doubled, field.double(first[1]), d)
        return doubled, opposite, field.select(opposite, field.one(), inverted)

    def _emit(self) -> None:
        routine, field, builder = self.routine, self.field, self.routine.builder
        left, right, scratch, count = (routine[name] for name in ("left", "right", "scratch", "count"))

        def vectors(index: Any) -> list[Any]:
            first = builder.mul(index, routine.word(CHAINS))
            return [builder.add(first, routine.word(chain)) for chain in range(CHAINS)]

        def forward(index: Any, products: list[Any]) -> list[Any]:
            for vector in vectors(index):
                later = builder.add(vector, routine.word(AHEAD))
                self._fetch(left, later)
                self._fetch(right, later)
            found = []
            for chain, vector in enumerate(vectors(index)):
                operands = [self._operand(listed, vector) for listed in (left, right)]
                first, second = (self._point(operand)[0] for operand in operands)
                d = field.subtract(second, first)

                def exception(operands: Any = operands, d: Any = d) -> list[Any]:
                    first, second = (self._point(operand) for operand in operands)
                    return [self._special(first, second, d)[2]]

                alike = self.form.any(field.may_be_zero(d))
                found += field.seldom(f"alike_{chain}", alike, [d], exception)
                field.put(products[chain], routine.at(scratch, vector, field.kept))
            return [field.multiply(product, d) for product, d in zip(products, found, strict=True)]

        products = field.loop("forward", count, [field.one()] * CHAINS, forward)
        inverses = self._inverses(products)
        flagged = builder.alloca(WORD)
        builder.store(routine.word(0), flagged)

        def backward(step: Any, inverses: list[Any]) -> list[Any]:
            at = vectors(builder.sub(builder.sub(count, step), routine.word(1)))
            points, rises, runs = [], [], []
            for chain, vector in enumerate(at):
                first, second = (self._point(self._operand(listed, vector)) for listed in (left, right))
                d, rise = field.subtract(second[0], first[0]), field.subtract(second[1], first[1])

                def exception(
                    first: Any = first, second: Any = second, d: Any = d, rise: Any = rise, vector: Any = vector
                ) -> list[Any]:
                    doubled, opposite, inverted = self._special(first, second, d)
                    square = field.square(first[0])
                    tripled = field.add(field.double(square), square)
                    self._flag(vector, opposite)
                    some = builder.zext(self.form.any(opposite), WORD)
                    builder.store(builder.or_(builder.load(flagged), some), flagged)
                    return [inverted, field.select(doubled, field.reduce(tripled), field.reduce(rise))]

                alike = self.form.any(field.may_be_zero(d))
                d, rise = field.seldom(f"alike_too_{chain}", alike, [d, rise], exception)
                points.append((first, second))
                rises.append(rise)
                runs.append(d)
            kept = [field.get(routine.at(scratch, vector, field.kept)) for vector in at]
            owns = [field.multiply(inverse, product) for inverse, product in zip(inverses, kept, strict=True)]
            inverses = [field.multiply(inverse, d) for inverse, d in zip(inverses, runs, strict=True)]
            slopes = [field.multiply(rise, own) for rise, own in zip(rises, owns, strict=True)]
            squares = [field.square(slope) for slope in slopes]
            xs = [
                field.reduce(field.subtract(field.subtract(square, first[0]), second[0]))
                for square, (first, second) in zip(squares, points, strict=True)
            ]
            moved = [
                field.multiply(slope, field.subtract(first[0], x))
                for slope, (first, _), x in zip(slopes, points, xs, strict=True)
            ]
            for vector, x, y, (first, _) in zip(at, xs, moved, points, strict=True):
                self._keep(x, field.subtract(y, first[1]), vector)
            return inverses

        field.loop("backward", count, inverses, backward)
        routine.end(builder.load(flagged))

    def _inverses(self, products: list[Any]) -> list[Any]:
        """1 / each, by one inversion."""
        field = self.field
        before = [field.one()]
        for product in products:
            before.append(field.reduce(field.multiply(before[-1], product)))
        inverse, found = field.invert(before.pop()), []
        for product in reversed(products):
            found.append(field.multiply(inverse, before.pop()))
            inverse = field.multiply(inverse, product)
        return found[::-1]

    def _flag(self, vector: Any, mask: Any) -> None:
        """Mark the lanes of ``mask`` as sums at infinity."""
        routine = self.routine
        kind = ir.VectorType(WORD, self.lanes) if self.lanes > 1 else WORD
        routine.store(routine.builder.zext(mask, kind), routine.at(routine["flags"], vector, 8 * self.lanes))


def widen(form: type[Form], module: ir.Module) -> None:
    """Writes ``widen(source, out, count)``: ``count`` times two vectors of coordinates of a .zkey, as additions read them.

    A .zkey holds Montgomery words with R = 2^256.
    """
    routine = Routine(module, "widen", ("source", "out", "count"))
    field = form(routine, BASE_ORDER)
    factor = field.constant(field.radix * field.radix // 2**256 % BASE_ORDER)
    size = 32 * field.lanes

    def body(index: Any, _: list[Any]) -> list[Any]:
        source, out = (routine.at(routine[name], index, 2 * size) for name in ("source", "out"))
        for half in range(2):
            # Coordinates are alike here: the lines of four lanes follow each other as those of the others do.
            value = field.multiply(field.words(routine.at(source, half, size)), factor)
            field.follow(value, routine.at(out, half, size))
        return []

    routine.loop("coordinates", routine["count"], [], body)
    routine.end()


class Fold:
    """Writes ``fold(points, counts, out, bits)``: the sum of 2^bit times each point, from the highest of ``bits`` bits down.

    ``points`` are coordinates of a .zkey, four words each, ``counts`` says how many belong to each bit, and ``out`` takes X, Y,
    ZZ and ZZZ of the sum: x = X / ZZ, y = Y / ZZZ with ZZ^3 = ZZZ^2, and ZZ = 0 at infinity ("xyzz" of the Explicit-Formulas
    Database). One sum is one chain of additions, so this is in the narrow form, whose Montgomery words a .zkey holds.
    """

    def __init__(self, extension: bool, module: ir.Module) -> None:
        self.routine = Routine(module, "fold", ("points", "counts", "out", "bits"))
        self.form = Narrow(self.routine, BASE_ORDER)
        self.field: Any = Quadratic(self.form) if extension else self.form
        self.parts = 2 if extension else 1
        self._emit()

    def _get(self, address: Any) -> Any:
        parts = tuple(self.form.get(self.routine.at(address, part, 32)) for part in range(self.parts))
        return parts if self.parts > 1 else parts[0]

    def _doubled(self, point: Sequence[Any]) -> list[Any]:
        field = self.field
        x, y, zz, zzz = point
        u = field.double(y)
        v = field.square(u)
        w, s, square = field.multiply(u, v), field.multiply(x, v), field.square(x)
        m = field.reduce(field.add(field.reduce(field.double(square)), square))
        x3 = field.reduce(field.subtract(field.subtract(field.square(m), s), s))
        y3 = field.subtract(field.multiply(m, field.subtract(s, x3)), field.multiply(w, y))
        return [x3, y3, field.multiply(v, zz), field.multiply(w, zzz)]

    def _added(self, point: Sequence[Any], x2: Any, y2: Any) -> list[Any]:
        field, builder = self.field, self.routine.builder
        x, y, zz, zzz = point
        p = field.reduce(field.subtract(field.multiply(x2, zz), x))
        r = field.reduce(field.subtract(field.multiply(y2, zzz), y))
        pp = field.square(p)
        ppp, q = field.multiply(p, pp), field.multiply(x, pp)
        x3 = field.reduce(field.subtract(field.subtract(field.subtract(field.square(r), ppp), q), q))
        y3 = field.subtract(field.multiply(r, field.subtract(q, x3)), field.multiply(y, ppp))
        usual = [x3, field.reduce(y3), field.multiply(zz, pp), field.multiply(zzz, ppp)]
        alone = [x2, y2, field.one(), field.one()]
        none = field.is_zero(zz)
        # Opposite points give ZZ = 0, as they should; equal ones would too.
        same = builder.and_(builder.not_(none), builder.and_(field.is_zero(p), field.is_zero(r)))
        found = self.field.seldom("same", same, [field.reduce(value) for value in usual], lambda: self._doubled(alone))
        return [field.select(none, a, b) for a, b in zip(alone, found, strict=True)]

    def _emit(self) -> None:
        routine, field, builder = self.routine, self.field, self.routine.builder
        size = 32 * self.parts
        at = builder.alloca(WORD)
        builder.store(routine["points"], at)

        def bit(step: Any, total: list[Any]) -> list[Any]:
            def point(_: Any, total: list[Any]) -> list[Any]:
                place = builder.load(at)
                builder.store(routine.at(place, 2, size), at)
                return self._added(total, self._get(place), self._get(routine.at(place, 1, size)))

            count = routine.load(routine.at(routine["counts"], step, 8))
            return list(field.loop("point", count, self._doubled(total), point))

        zero = field.subtract(field.one(), field.one())
        total = field.loop("bit", routine["bits"], [field.one(), field.one(), zero, zero], bit)
        for i, value in enumerate(total):
            parts = value if self.parts > 1 else (value,)
            for part, each in enumerate(parts):
                self.form.put(self.form.canonical(each), routine.at(routine["out"], self.parts * i + part, 32))
        routine.end()


def leave(form: type[Form], extension: bool, module: ir.Module) -> None:
    """Writes ``leave(addresses, out, count)``: ``count`` vectors of points, each at an address, as a .zkey holds them.

    ``out`` begins on a cache line.
    """
    routine = Routine(module, "leave", ("addresses", "out", "count"))
    field = form(routine, BASE_ORDER)
    factor = field.constant(2**256 % BASE_ORDER)
    size = LINE * (2 if extension else 1)

    def body(index: Any, _: list[Any]) -> list[Any]:
        listed = routine.at(routine["addresses"], index, 8 * field.lanes)
        sources = [routine.load(routine.at(listed, lane, 8)) for lane in range(field.lanes)]
        first = routine.at(routine["out"], index, size * field.lanes)
        for line in range(0, size, LINE):
            both = field.gather([routine.at(source, line, 1) for source in sources])
            left = [field.canonical(field.multiply(value, factor)) for value in both]
            places = [routine.at(routine.at(first, lane, size), line, 1) for lane in range(field.lanes)]
            field.scatter(left[0], left[1], places)
        return []

    routine.loop("points", routine["count"], [], body)
    routine.end()
