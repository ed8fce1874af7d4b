"""``agent cache train``: Darwin's model, learnt from synthetic traces."""

from pathlib import Path
from typing import Annotated

import typer

from agents.cli import output
from agents.cli.options import Json
from agents.cli.parsing import read
from agents.cli.progress import progress
from agents.core.errors import Misuse
from agents.core.units import parse_count


def _seeds(text: str) -> range:
    """``1000-1099``, or one alone. Raises Misuse."""
    first, _, last = text.partition("-")
    start = parse_count(first)
    end = parse_count(last) if last else start
    if end < start:
        raise Misuse(f"{text} names no seeds", "the last comes before the first", "Type them like 1000-1099.")
    return range(start, end + 1)


def train(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the model goes.")] = Path("admission.npz"),
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="FIRST-LAST", help="Of the traces; measure on others.")
    ] = "1000-1099",
    requests: Annotated[str, typer.Option("--requests", metavar="N", help="Of each trace.")] = "600000",
    clusters: Annotated[str, typer.Option("--clusters", metavar="N", help="Kinds of traffic told apart.")] = "48",
    json: Json = False,
) -> None:
    """Learn what caches know of admission before they run: clusters of traffic, and what experts make of one another's hits.

    What is told nothing makes the model that Holdfast comes with. Takes some ten minutes, and scikit-learn.
    """
    if not out.absolute().parent.is_dir():
        raise Misuse(f"{out} cannot be written", "there is no such folder", "Make it, or name another file.")
    wanted, length, kinds = (
        read("--seeds", seeds, _seeds),
        read("--requests", requests, parse_count),
        read("--clusters", clusters, parse_count),
    )
    from agents.learning.recipe import Recipe, learnt, save
    from agents.learning.training import require_library

    require_library()
    recipe = Recipe(seeds=wanted, requests=length, clusters=kinds)
    with progress() as told:
        model = learnt(recipe, told)
    save(model, recipe, out)
    facts = {"file": str(out), "bytes": out.stat().st_size, **recipe.provenance}
    output.Output(json).result(facts, lambda: output.line(f"{out}: learnt from {len(wanted)} traces"))
