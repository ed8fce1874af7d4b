"""Figures as tables of at most 80 columns, and as JSON."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from agents.repro.catalogue import Entry
from agents.repro.figures import EXPLAINED, OFF, OK, UNSURE, Figure, Measure, Value, counted

WIDTH = 80
COLOURS = {OK: "green", EXPLAINED: "yellow", UNSURE: "yellow", OFF: "bold red", "": "dim"}


def show(figure: Figure, console: Console) -> None:
    """Print ``figure``: title, unit, a table with a part a group, what is wrong in the paper, notes."""
    console.print(Text(heading(figure), style="bold"))
    console.print(Text(figure.unit, style="dim"))
    for line in drawn(figure):
        console.print(line, soft_wrap=True)
    for note in (*(f"WRONG: {each}" for each in figure.wrong), *figure.notes):
        console.print(textwrap.fill(note, min(WIDTH, console.width), initial_indent="* ", subsequent_indent="  "))
    console.print(Text(f"{figure.seconds:.1f} s", style="dim"))
    console.print()


def heading(figure: Figure) -> str:
    """``Vault, Figure 4a: repair traffic of the first year by cache lifetime``."""
    return f"{Entry(figure.paper, figure.name, figure.title).heading}: {figure.title}"


def drawn(figure: Figure) -> list[Text]:
    """The table's lines: numbers to the right, a line for the name of each group that has several values."""
    heads = columns(figure)
    rows = [(value, cells(figure, value)) for value in figure.values]
    parted = _parted(figure)
    if parted:
        rows = [(value, [f"  {row[0]}", *row[1:]]) for value, row in rows]
    widths = [max(len(row[at]) for row in (heads, *(row for _, row in rows))) for at in range(len(heads))]
    lines = [Text(_aligned(heads, widths)), Text("─" * (sum(widths) + len(GAP) * (len(widths) - 1)), style="dim")]
    group = ""
    for value, row in rows:
        if parted and value.group != group:
            group = value.group
            lines.append(Text(group, style="italic"))
        line = Text(_aligned([*row[:-1], ""], widths))
        lines.append(line.append(row[-1], style=COLOURS[value.verdict]))
    return lines


def _parted(figure: Figure) -> bool:
    """Whether its values come in groups of several."""
    return 1 < len({value.group for value in figure.values}) < len(figure.values)


GAP = "  "


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """The first and the last column to the left, the others to the right."""
    first, *middle, last = row
    cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(middle, widths[1:], strict=False))]
    return GAP.join([*cells, last])


def columns(figure: Figure) -> list[str]:
    """Heads: where, paper, model if there is one, ours, interval if anything was sampled, difference, target."""
    ours = ["model", "simulated"] if _modelled(figure) else ["ours"]
    beside = [figure.beside] if _spread(figure) else []
    difference = [] if _bounds(figure) else ["difference"]
    return [figure.where, "paper", *ours, *beside, *difference, "target"]


def cells(figure: Figure, value: Value) -> list[str]:
    """One row, a string a column."""
    model = ["" if value.model is None else number(value.model, figure.digits)] if _modelled(figure) else []
    paper, ours, beside = value.read or (
        ("< " if value.measure is Measure.BELOW else "") + number(value.paper, figure.digits),
        number(value.ours, figure.digits),
        interval(value, figure.digits),
    )
    between = [] if _bounds(figure) else [difference(value)]
    return [value.at, paper, *model, ours, *([beside] if _spread(figure) else []), *between, target(value)]


def _spread(figure: Figure) -> bool:
    return any(value.low < value.high or value.read for value in figure.values)


def _modelled(figure: Figure) -> bool:
    return any(value.model is not None for value in figure.values)


def _bounds(figure: Figure) -> bool:
    """Whether all that was published are bounds, from which nothing differs by a number."""
    return all(value.measure is Measure.BELOW for value in figure.values)


def number(value: float, digits: int | None) -> str:
    """``1,185.9``, or ``3.63e-10`` where there are no digits."""
    if digits is None:
        return re.sub(r"e-0?", "e-", f"{value:.2e}").replace(".00e", "e")
    return f"{value:,.{digits}f}"


def interval(value: Value, digits: int | None) -> str:
    """``low to high``."""
    if digits and value.high >= THOUSAND:
        digits = 0
    return f"{number(value.low, digits)} to {number(value.high, digits)}"


THOUSAND = 1000
"""From here on an interval is told without decimals."""


def difference(value: Value) -> str:
    """With its sign and its unit."""
    found = value.difference
    match value.measure:
        case Measure.RELATIVE:
            return _signed(100 * found, "%")
        case Measure.POINTS:
            return _signed(found, "pt")
        case Measure.BELOW:
            return ""
        case Measure.ABSOLUTE | Measure.RANGE:
            return f"{found:+.0f}" if found == int(found) else f"{found:+.{2 if abs(found) > 1 / 2 else 4}f}"


def _signed(found: float, unit: str) -> str:
    return f"{found:+.2f} {unit}".replace("-0.00 ", "+0.00 ")


def target(value: Value) -> str:
    """``ok``; ``off by`` how much; ``explained``: the notes say how."""
    if value.verdict != OFF or not (found := difference(value)):
        return value.verdict
    return f"off by {found.lstrip('+-')}"


def summary(figures: Sequence[Figure]) -> str:
    """One line: how many of the published values we reach."""
    count = counted(tuple(figures))
    asked = sum(count.values()) - count[""]
    parts = [f"{count[OK]} of {asked} published values reached"]
    parts += [f"{count[EXPLAINED]} explained"] if count[EXPLAINED] else []
    parts += [f"{count[UNSURE]} that our interval is too wide to tell"] if count[UNSURE] else []
    parts += [f"{count[OFF]} off"] if count[OFF] else []
    parts += [f"{count['']} more shown without a target"] if count[""] else []
    return ", ".join(parts) + f"; {sum(figure.seconds for figure in figures):.0f} s"


def facts(figure: Figure) -> dict[str, Any]:
    """``figure`` as JSON: every value as it is, without rounding."""
    return {
        "paper": figure.paper,
        "figure": figure.name,
        "title": figure.title,
        "unit": figure.unit,
        "wrong_in_the_paper": list(figure.wrong),
        "notes": list(figure.notes),
        "seconds": round(figure.seconds, 3),
        "values": [
            {
                "group": value.group,
                "at": value.at,
                "paper": value.paper,
                "ours": value.ours,
                "low": value.low,
                "high": value.high,
                "closed_form": value.model,
                "difference": None if value.measure is Measure.BELOW else value.difference,
                "measure": value.measure.name.lower(),
                "limit": value.limit,
                "verdict": value.verdict,
                "explained": value.explained,
                **({"details": dict(value.details)} if value.details else {}),
            }
            for value in figure.values
        ],
    }
