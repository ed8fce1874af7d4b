"""What the README says of the papers' figures: a row each, and where the papers are wrong."""

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from agents.repro.catalogue import Entry
from agents.repro.figures import EXPLAINED, OFF, OK, UNSURE, Figure, Measure, Value, counted
from agents.repro.tables import difference

README = Path(__file__).resolve().parent.parent / "README.md"
START, END = "<!-- repro: written by scripts/repro_page -->\n", "<!-- end of repro -->"
COLUMNS = ("figure", "what", "values", "as asked", "largest difference", "asked")


def section(figures: Sequence[Figure], minutes: float, where: str) -> str:
    """The text between the marks."""
    lines = [
        f"By `agent repro` in {minutes:.1f} minutes on {where} (`--quick` in one; `--plot DIR` draws them):",
        "",
        row(COLUMNS),
        "|---|---|---:|---:|---:|---:|",
        *(row(summary(figure)) for figure in figures),
        "",
        "Where the papers' text is wrong, which explains the values that are not theirs:",
        "",
        *wrong(figures),
    ]
    return "\n".join(lines)


def summary(figure: Figure) -> list[str]:
    """One row: how many values there are, how many are as asked, and the one that is furthest off."""
    count = counted((figure,))
    asked = [value for value in figure.values if value.verdict in (OK, OFF, UNSURE)]
    others = [f"{count[name]} {name}" for name in (EXPLAINED, UNSURE) if count[name]]
    others += [f"{count[OFF]} off"] if count[OFF] else []
    return [
        Entry(figure.paper, figure.name, "").heading,
        figure.title,
        str(len(figure.values)),
        ", ".join([f"{count[OK]} of {len(asked)}", *others]),
        "; ".join(furthest(asked)),
        "; ".join(dict.fromkeys(limit(value) for value in asked)),
    ]


def furthest(values: Iterable[Value]) -> list[str]:
    """The largest difference among the values of each measure."""
    found: dict[Measure, Value] = {}
    for value in values:
        if value.measure not in found or abs(value.difference) > abs(found[value.measure].difference):
            found[value.measure] = value
    return [difference(value) if value.difference else "0" for value in found.values() if difference(value)]


def limit(value: Value) -> str:
    """What was asked of it."""
    match value.measure:
        case Measure.RELATIVE:
            return f"{100 * (value.limit or 0):g} %"
        case Measure.POINTS:
            return f"{value.limit:g} pt"
        case Measure.ABSOLUTE:
            return f"{value.limit:g}" if value.limit else "the same"
        case Measure.BELOW:
            return "below 1e-9"
        case Measure.RANGE:
            return "in our range"


def wrong(figures: Iterable[Figure]) -> list[str]:
    """A point each of where the papers are wrong."""
    return [
        textwrap.fill(f"- {Entry(figure.paper, figure.name, '').heading}: {each}", LINE, subsequent_indent="  ")
        for figure in figures
        for each in figure.wrong
    ]


LINE = 124
"""Columns of the README."""


def row(cells: Iterable[str]) -> str:
    """A row of a table."""
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def filled(text: str, section: str, start: str = START, end: str = END) -> str:
    """``text`` with ``section`` between two marks. Raises ValueError."""
    if text.count(start) != 1 or text.count(end) != 1:
        raise ValueError("the marks around the figures are missing")
    before, after = text.split(start)[0], text.split(end)[1]
    return f"{before}{start}\n{section}\n\n{end}{after}"
