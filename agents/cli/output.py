"""Results on stdout, progress and errors on stderr; rich on a terminal, plain lines elsewhere."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.runtime.provider import AtWork

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
            note(f"{found.role} {found.address} {does}; data and log in {found.folder}")

    return ready


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    """``rows`` as an aligned table on stdout, or the line ``empty`` when there are none.

    Off a terminal the cells are separated by tabs, so that ``cut`` and ``awk`` read them whole.
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

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    Console(highlight=False).print(drawn)
