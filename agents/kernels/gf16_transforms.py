"""The routines of the code over GF(2^16), as LLVM IR: transforms within a workspace, and what brings rows there and back.

A workspace has rows of ``row`` bytes, one after the other. Row 0 of a transform stands at point ``base``, a multiple of its
length 2^``log``; rows from ``live`` on are zero before, or not wanted after. Constants are the layout's twiddles.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from agents.kernels.emit import WORD, Routine
from agents.kernels.gf16_products import Pair, Products

BLOCK = 3
"""Pairs of levels that rows go through before the next ones are fetched: blocks of 4^3 rows fit a core's nearest cache."""

TRANSFORM = ("work", "row", "log", "live", "base", "constants")
PASS = ("work", "row", "level", "first", "end", "base", "constants")


def write(way: type[Products]) -> str:
    """IR of ``encode`` and ``rebuild``, below."""
    module = ir.Module(f"gf16 {way.name}")
    for name in ("ascend", "descend"):
        _four(_Part(module, f"{name}_four", ("at", "quarter", "outer", "inner"), way), name == "ascend")
        _two(_Part(module, f"{name}_two", ("at", "half", "constant"), way), name == "ascend")
        _pass(_Part(module, f"{name}_pass", PASS, way), f"{name}_four")
        _transform(_Part(module, name, TRANSFORM, way), name == "ascend")
    _differentiate(_Part(module, "differentiate", ("work", "row", "log"), way))
    rows = ("data", "stride", "k", "parity", "across", "m")
    _encode(_Part(module, "encode", (*rows, "work", "log", "size", "strip", "constants"), way))
    points, lost = ("rows", "live", "scales"), ("lost", "targets", "unscales", "count")
    _rebuild(
        _Part(module, "rebuild", ("shards", "stride", *points, *lost, "work", "log", "size", "strip", "constants"), way)
    )
    return str(module)


class _Part(Routine):
    """A routine being written, with its way to multiply."""

    def __init__(self, module: ir.Module, name: str, arguments: tuple[str, ...], way: type[Products]) -> None:
        super().__init__(module, name, arguments)
        self.way = way(self)
        self.pair = 2 * way.size

    def call(self, name: str, *arguments: Any) -> None:
        """A routine of this module."""
        self.builder.call(self.module.globals[name], list(arguments))

    def times(self, a: Any, b: Any) -> Any:
        return self.builder.mul(a, b)

    def shifted(self, amount: Any, count: Any) -> Any:
        """amount << count."""
        return self.builder.shl(amount, count)

    def least(self, a: Any, b: Any) -> Any:
        """The lesser one."""
        return self.builder.select(self.builder.icmp_unsigned("<", a, b), a, b)

    def parts(self, amount: Any, log: Any) -> Any:
        """How many times 2^log it takes for ``amount``."""
        less = self.builder.sub(self.builder.shl(self.word(1), log), self.word(1))
        return self.builder.lshr(self.builder.add(amount, less), log)

    def pairs(self, name: str, size: Any, body: Callable[[Any], None]) -> None:
        """``body(offset)`` for each pair of vectors in ``size`` bytes."""

        def step(index: Any, _: list[Any]) -> list[Any]:
            body(self.times(index, self.word(self.pair)))
            return []

        self.loop(name, self.builder.udiv(size, self.word(self.pair)), [], step)

    def each(self, name: str, count: Any, body: Callable[[Any], None]) -> None:
        """``body(index)`` so many times."""

        def step(index: Any, _: list[Any]) -> list[Any]:
            body(index)
            return []

        self.loop(name, count, [], step)

    def clear(self, name: str, address: Any, size: Any) -> None:
        """Zeros."""
        zero = self.way.every(0)
        self.pairs(name, size, lambda offset: self.way.store((zero, zero), self.builder.add(address, offset)))


def _four(part: _Part, up: bool) -> None:
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


def _two(part: _Part, up: bool) -> None:
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


def _pass(part: _Part, four: str) -> None:
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


def _transform(part: _Part, up: bool) -> None:
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


def _differentiate(part: _Part) -> None:
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


def _strips(part: _Part, body: Callable[[Any, Any], None]) -> None:
    """``body(start, row)`` over ``size`` bytes, at most ``strip`` at a time."""
    builder = part.builder
    count = builder.udiv(builder.add(part["size"], builder.sub(part["strip"], part.word(1))), part["strip"])

    def one(index: Any) -> None:
        start = part.times(index, part["strip"])
        body(start, part.least(part["strip"], builder.sub(part["size"], start)))

    part.each("strips", count, one)
    part.end()


def _encode(part: _Part) -> None:
    """``encode(data, stride, k, parity, across, m, work, log, size, strip, constants)``.

    Parity rows (``across`` bytes apart) of data rows (``stride`` apart), of ``size`` bytes, for P = 2^``log``; the workspace
    has 2P rows of ``strip`` bytes.
    """
    builder, way = part.builder, part.way
    space = part.shifted(part.word(1), part["log"])

    def strip(start: Any, row: Any) -> None:
        total = part["work"]
        whole = part.times(space, row)

        def chunk(index: Any) -> None:
            first = part.shifted(index, part["log"])
            live = part.least(space, builder.sub(part["k"], first))
            later = builder.icmp_unsigned(">", index, part.word(0))
            work = builder.select(later, builder.add(total, whole), total)
            source = builder.add(part["data"], builder.add(part.times(first, part["stride"]), start))

            def fetch(i: Any) -> None:
                come, go = builder.add(source, part.times(i, part["stride"])), builder.add(work, part.times(i, row))
                part.pairs(
                    "fetch",
                    row,
                    lambda offset: way.store(way.fetch(builder.add(come, offset)), builder.add(go, offset)),
                )

            part.each("rows", live, fetch)
            filled = part.times(live, row)
            part.clear("clear", builder.add(work, filled), builder.sub(whole, filled))
            base = builder.add(space, first)
            part.call("ascend", work, row, part["log"], live, base, part["constants"])

            def add(offset: Any) -> None:
                place = builder.add(total, offset)
                way.store(way.add(way.load(place), way.load(builder.add(work, offset))), place)

            part.pairs("add", builder.select(later, whole, part.word(0)), add)

        part.each("chunks", part.parts(part["k"], part["log"]), chunk)
        part.call("descend", total, row, part["log"], part["m"], part.word(0), part["constants"])
        target = builder.add(part["parity"], start)

        def put(i: Any) -> None:
            come, go = builder.add(total, part.times(i, row)), builder.add(target, part.times(i, part["across"]))
            part.pairs("put", row, lambda offset: way.put(way.load(builder.add(come, offset)), builder.add(go, offset)))

        part.each("parity", part["m"], put)

    _strips(part, strip)


def _rebuild(part: _Part) -> None:
    """``rebuild(shards, stride, rows, live, scales, lost, targets, unscales, count, work, log, size, strip, constants)``.

    The ``count`` lost rows of a word, in place; `gf16_plan.Mending` says what the others are, and N = 2^``log``.
    """
    builder, way = part.builder, part.way

    def strip(start: Any, row: Any) -> None:
        work, shards = part["work"], builder.add(part["shards"], start)

        def fetch(point: Any) -> None:
            which = part.load(part.at(part["rows"], point, 8))
            here = builder.icmp_signed(">=", which, part.word(0))
            come, go = builder.add(shards, part.times(which, part["stride"])), builder.add(work, part.times(point, row))
            scale = way.constant(part.at(part["scales"], point, way.row))
            part.pairs(
                "fetch",
                builder.select(here, row, part.word(0)),
                lambda offset: way.store(
                    way.product(way.fetch(builder.add(come, offset)), scale), builder.add(go, offset)
                ),
            )
            part.clear("clear", go, builder.select(here, part.word(0), row))

        part.each("points", part["live"], fetch)
        filled = part.times(part["live"], row)
        part.clear("clear", builder.add(work, filled), builder.sub(part.shifted(row, part["log"]), filled))
        part.call("ascend", work, row, part["log"], part["live"], part.word(0), part["constants"])
        part.call("differentiate", work, row, part["log"])
        part.call("descend", work, row, part["log"], part["live"], part.word(0), part["constants"])

        def put(i: Any) -> None:
            point, which = (part.load(part.at(part[name], i, 8)) for name in ("lost", "targets"))
            come, go = builder.add(work, part.times(point, row)), builder.add(shards, part.times(which, part["stride"]))
            scale = way.constant(part.at(part["unscales"], i, way.row))
            part.pairs(
                "put",
                row,
                lambda offset: way.put(
                    way.product(way.load(builder.add(come, offset)), scale), builder.add(go, offset)
                ),
            )

        part.each("lost", part["count"], put)

    _strips(part, strip)
