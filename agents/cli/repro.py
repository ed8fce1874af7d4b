"""``agent repro``: the papers' tables and figures, run again."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from agents.cli import output
from agents.cli.options import Json
from agents.cli.parsing import maybe, read
from agents.core.errors import Misuse
from agents.core.units import parse_count


def repro(
    paper: Annotated[str | None, typer.Argument(metavar="[codex|vault]", help="Whose. Default: both papers'.")] = None,
    figure: Annotated[
        str | None, typer.Option("--figure", metavar="N", help="One alone, e.g. 9, 4a or table1. Default: all of them.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="DIR", help="Draw each as a PNG too, with matplotlib.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A minute for everything instead of ten, with wider intervals.")
    ] = False,
    seed: Annotated[str, typer.Option("--seed", metavar="N", help="Of all that is simulated.")] = "1",
    workers: Annotated[
        str | None, typer.Option("--workers", metavar="N", help="Processes to simulate in. Default: one a core.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster", metavar="ADDRESS", help="Simulate on this running dask.distributed scheduler instead."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Run the papers' tables and figures again: theirs, ours and the difference, side by side.

    Intervals are of 95 %. Where a paper's text is wrong, it is said below the table.
    """
    from agents.repro.catalogue import chosen

    entries = chosen(paper, figure)
    start, processes = read("--seed", seed, parse_count), maybe("--workers", workers, _processes) or os.cpu_count() or 1
    if plot is not None:
        from agents.repro.plots import make_folder, require

        require()
        make_folder(plot)

    from rich.console import Console

    from agents.repro import tables
    from agents.repro.effort import Effort
    from agents.repro.plots import draw
    from agents.repro.run import reproduce
    from agents.simulation.running import runner

    console = Console(highlight=False, width=None if sys.stdout.isatty() else tables.WIDTH)
    figures = []
    with runner(processes, cluster) as where:
        for found in reproduce(entries, Effort(start, quick, where), output.note):
            figures.append(found)
            if not json:
                tables.show(found, console)
            if plot is not None:
                output.note(f"drew {draw(found, plot)}")
    output.Output(json).result(
        {"seed": start, "quick": quick, "figures": [tables.facts(found) for found in figures]},
        lambda: output.line(tables.summary(figures)),
    )


def _processes(text: str) -> int:
    if not (count := parse_count(text)):
        raise Misuse("no process can simulate nothing", "", "Type 1 or more.")
    return count
