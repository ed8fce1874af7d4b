"""The routines of the code over GF(2^16), as LLVM IR: what brings rows to a workspace, through its transforms, and back."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from agents.kernels.gf16_part import Part
from agents.kernels.gf16_products import Products
from agents.kernels.gf16_transforms import write_transforms


def write(way: type[Products]) -> str:
    """IR of ``encode`` and ``rebuild``, below."""
    module = ir.Module(f"gf16 {way.name}")
    write_transforms(module, way)
    rows = ("data", "stride", "k", "parity", "across", "m")
    sizes = ("work", "log", "size", "strip", "constants")
    _encode(Part(module, "encode", (*rows, *sizes), way))
    points, lost = ("rows", "live", "scales"), ("lost", "targets", "unscales", "count")
    _rebuild(Part(module, "rebuild", ("shards", "stride", *points, *lost, *sizes), way))
    return str(module)


def _strips(part: Part, body: Callable[[Any, Any], None]) -> None:
    """``body(start, row)`` over ``size`` bytes, at most ``strip`` at a time."""
    builder = part.builder
    count = builder.udiv(builder.add(part["size"], builder.sub(part["strip"], part.word(1))), part["strip"])

    def one(index: Any) -> None:
        start = part.times(index, part["strip"])
        body(start, part.least(part["strip"], builder.sub(part["size"], start)))

    part.each("strips", count, one)
    part.end()


def _encode(part: Part) -> None:
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


def _rebuild(part: Part) -> None:
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
