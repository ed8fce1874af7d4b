"""Transforms of the code over GF(2^16) within a workspace, as LLVM IR. Butterflies are of four rows: two levels at once.

A workspace has rows of ``row`` bytes, one after the other. Row 0 of a transform stands at point ``base``, a multiple of its
length 2^``log``; rows from ``live`` on are zero before, or not wanted after. Constants are the layout's twiddles.
"""

from typing import Any

from llvmlite import ir

from agents.kernels.emit import WORD
from agents.kernels.gf16_part import Part
from agents.kernels.gf16_products import Pair, Products

BLOCK = 3
"""Pairs of levels that rows go through before the next ones are fetched: blocks of 4^3 rows fit a core's nearest cache."""

PASS = ("work", "row", "level", "first", "end", "base", "constants")


def write_transforms(module: ir.Module, way: type[Products]) -> None:
    """``ascend`` (values to coefficients) and ``descend`` (back), and ``differentiate``, into ``module``."""
    for name in ("ascend", "descend"):
        _four(Part(module, f"{name}_four", ("at", "quarter", "outer", "inner"), way), name == "ascend")
        _two(Part(module, f"{name}_two", ("at", "half", "constant"), way), name == "ascend")
        _pass(Part(module, f"{name}_pass", PASS, way), f"{name}_four")
        _transform(Part(module, name, ("work", "row", "log", "live", "base", "constants"), way), name == "ascend")
    _differentiate(Part(module, "differentiate", ("work", "row", "log"), way))


def _four(part: Part, up: bool) -> None:
    """Two levels of a block of four times ``quarter`` bytes: one ``outer`` constant, two ``inner`` ones."""
    way, builder = part.way, part.builder
    outer = way.constant(part["outer"])
    inner = [way.constant(part.at(part["inner"], i, way.row)) for i in range(2)]

    def body(offset: Any) -> None:
        first = builder.add(part["at"], offset)
        places = [builder.add(first, part.times(part["quarter"], part.word(i))) for i in range(4)]
        a, b, c, d = (way.load(place) for place in places)
        if up:
            a, b = _up(way, a, b, inner[0])
            c, d = _up(way, c, d, inner[1])
            a, c = _up(way, a, c, outer)
            b, d = _up(way, b, d, outer)
        else:
            a, c = _down(way, a, c, outer)
            b, d = _down(way, b, d, outer)
            a, b = _down(way, a, b, inner[0])
            c, d = _down(way, c, d, inner[1])
        for place, symbols in zip(places, (a, b, c, d), strict=True):
            way.store(symbols, place)

    part.pairs("pairs", part["quarter"], body)
    part.end()


def _two(part: Part, up: bool) -> None:
    """One level of a block of twice ``half`` bytes."""
    way, builder = part.way, part.builder
    constant = way.constant(part["constant"])

    def body(offset: Any) -> None:
        first = builder.add(part["at"], offset)
        second = builder.add(first, part["half"])
        a, b = (_up if up else _down)(way, way.load(first), way.load(second), constant)
        way.store(a, first)
        way.store(b, second)

    part.pairs("pairs", part["half"], body)
    part.end()


def _up(way: Products, a: Pair, b: Pair, constant: list[Any]) -> tuple[Pair, Pair]:
    """A butterfly from values to coefficients."""
    b = way.add(a, b)
    return way.add_product(a, b, constant), b


def _down(way: Products, a: Pair, b: Pair, constant: list[Any]) -> tuple[Pair, Pair]:
    """And back."""
    a = way.add_product(a, b, constant)
    return a, way.add(a, b)


def _pass(part: Part, four: str) -> None:
    """Levels ``level`` and the next one, on rows ``first`` to ``end`` - 1, the last block as a whole."""
    builder, row = part.builder, part.word(part.way.row)
    log = builder.add(part["level"], part.word(2))

    def block(index: Any) -> None:
        start = builder.add(part["first"], part.shifted(index, log))
        outer = part.times(builder.lshr(builder.add(part["base"], start), log), row)
        part.call(
            four,
            builder.add(part["work"], part.times(start, part["row"])),
            part.shifted(part["row"], part["level"]),
            builder.add(part["constants"], outer),
            builder.add(part["constants"], part.shifted(outer, part.word(1))),
        )

    part.each("blocks", part.parts(builder.sub(part["end"], part["first"]), log), block)
    part.end()


def _transform(part: Part, up: bool) -> None:
    """Values to coefficients, or back: blocks through their own levels, and all through the others."""
    builder, name = part.builder, "ascend" if up else "descend"
    levels = builder.lshr(part["log"], part.word(1))
    within = part.least(levels, part.word(BLOCK))
    log = part.shifted(within, part.word(1))

    def run(pair: Any, first: Any, end: Any) -> None:
        level = part.shifted(pair, part.word(1))
        part.call(f"{name}_pass", part["work"], part["row"], level, first, end, part["base"], part["constants"])

    def order(index: Any, count: Any) -> Any:
        return index if up else builder.sub(builder.sub(count, part.word(1)), index)

    def inside() -> None:
        def chunk(index: Any) -> None:
            first = part.shifted(index, log)
            end = part.least(part["live"], builder.add(first, part.shifted(part.word(1), log)))
            part.each("inside", within, lambda pair: run(order(pair, within), first, end))

        part.each("chunks", part.parts(part["live"], log), chunk)

    def outside() -> None:
        rest = builder.sub(levels, within)
        part.each(
            "outside",
            rest,
            lambda pair: run(builder.add(within, order(pair, rest)), part.word(0), part["live"]),
        )

    def odd() -> None:
        def last(_: Any) -> None:
            constant = part.times(builder.lshr(part["base"], part["log"]), part.word(part.way.row))
            half = part.shifted(part["row"], builder.sub(part["log"], part.word(1)))
            part.call(f"{name}_two", part["work"], half, builder.add(part["constants"], constant))

        part.each("odd", builder.and_(part["log"], part.word(1)), last)

    for step in (inside, outside, odd) if up else (odd, outside, inside):
        step()
    part.end()


def _differentiate(part: Part) -> None:
    """Coefficients of the derivative of 2^``log`` of them: each is the sum of those whose number has one bit more."""
    builder, way = part.builder, part.way
    rows = part.shifted(part.word(1), part["log"])
    count_bits = part.module.declare_intrinsic("llvm.ctpop", [WORD])

    def one(index: Any) -> None:
        missing = builder.xor(builder.sub(rows, part.word(1)), index)
        bits = builder.call(count_bits, [missing])
        place = builder.add(part["work"], part.times(index, part["row"]))

        def body(offset: Any) -> None:
            at = builder.add(place, offset)

            def other(_: Any, carried: list[Any]) -> list[Any]:
                rest, low, high = carried
                bit = builder.and_(rest, builder.neg(rest))
                sum_ = way.add((low, high), way.load(builder.add(at, part.times(bit, part["row"]))))
                return [builder.xor(rest, bit), *sum_]

            _, low, high = part.loop("others", bits, [missing, *way.load(at)], other)
            way.store((low, high), at)

        part.pairs("pairs", part["row"], body)

    part.each("rows", rows, one)
    part.end()
