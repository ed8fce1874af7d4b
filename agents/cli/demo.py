"""``agent demo``: the whole market in one command."""

from pathlib import Path
from typing import Annotated

import typer

from agents.cli import output
from agents.cli.options import Json


def demo(
    file: Annotated[Path | None, typer.Argument(help="What to store. Default: these sources, as an archive.")] = None,
    json: Json = False,
) -> None:
    """Watch a file being stored, proven, lost, repaired and read back on a local chain; everybody is paid at the end."""
    from agents.demo.story import tell

    told = tell(file, json)
    output.Output(json).result(told.facts(), lambda: None)
