"""Results on stdout, progress and errors on stderr; rich on a terminal, plain lines elsewhere."""

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agents.core.units import SYMBOL

if TYPE_CHECKING:
    from agents.runtime.acting import AtWork

Json = dict[str, Any] | list[Any]


@dataclass(frozen=True)
class Output:
    """Where one command's result goes."""

    json: bool
    """True: one JSON document on stdout and nothing else."""

    def result(self, value: Json, text: Callable[[], None]) -> None:
        """Print ``value`` as JSON, or call ``text`` to print it for a person."""
        if self.json:
            sys.stdout.write(json.dumps(value, indent=2, sort_keys=True) + "\n")
            sys.stdout.flush()
        else:
            text()


def line(text: str) -> None:
    """One plain line of a result on stdout."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """One line of progress on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def at_work(json: bool) -> Callable[["AtWork"], None]:
    """What to call when an agent is ready: its facts as JSON on stdout, or a line on stderr."""

    def ready(found: "AtWork") -> None:
        if json:
            facts = {
                "role": found.role,
                "address": found.address,
                "endpoint": found.endpoint,
                "data": str(found.folder),
            }
            Output(json).result(facts, lambda: None)
        else:
            does = f"serves at {found.endpoint}" if found.endpoint else "watches"
            note(f"{found.role} {found.address or '(free)'} {does}; data and log in {found.folder}")

    return ready


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    """``rows`` as an aligned table on stdout, or the line ``empty`` when there are none.

    Off a terminal the cells are separated by tabs, so that ``cut`` and ``awk`` read them whole. On one too narrow for
    them they are shortened first, and folded only then.
    """
    if not rows:
        line(empty)
        return
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            line("\t".join(row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    def drawn(cells: Sequence[Sequence[str]], left: int) -> Table:
        found = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, left))
        for column in columns:
            found.add_column(column, overflow="fold")
        for row in cells:
            found.add_row(*row)
        return found

    console = Console(highlight=False)
    whole = drawn(rows, 1)
    fits = console.measure(whole, options=console.options.update(width=UNFOLDED)).maximum <= console.width
    console.print(whole if fits else drawn([[brief(cell) for cell in row] for row in rows], 0))


UNFOLDED = 10_000
"""Columns in which every table fits."""

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_AMOUNT = re.compile(rf"(\d+)\.(0*)(\d+) {SYMBOL}")
_TIME = re.compile(r"\d{4}-(\d\d-\d\d \d\d:\d\d:\d\d UTC)")

DIGITS = 3
"""Digits that are shown of an amount below one; of others, as many decimals less the digits before the point."""


def brief(cell: str) -> str:
    """``cell`` for a narrow terminal: the ends of an address, a time without its year, an amount's first digits.

    An amount is cut, never rounded up, and an ellipsis says so; a wider terminal, a pipe and --json have all of it.
    """
    if _ADDRESS.fullmatch(cell):
        return f"{cell[:6]}…{cell[-4:]}"
    if time := _TIME.fullmatch(cell):
        return time[1]
    amount = _AMOUNT.fullmatch(cell)
    if amount is None:
        return cell
    ones, zeros, digits = amount.groups()
    if ones == "0":
        shown, whole = zeros + digits[:DIGITS], len(digits) <= DIGITS
    else:
        places = max(1, DIGITS + 3 - len(ones))
        shown, whole = (zeros + digits)[:places], len(zeros + digits) <= places
    return f"{ones}.{shown}" + ("" if whole else "…")
