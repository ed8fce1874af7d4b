"""``agent keys``: proving keys."""

from pathlib import Path
from typing import Annotated

import typer

from agents.cli import output
from agents.cli.options import Json

app = typer.Typer(help="Proving keys.", no_args_is_help=True)


@app.command()
def make(
    profile: Annotated[str, typer.Argument(help="Circuit profile.")] = "devnet",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write it.")] = None,
    json: Json = False,
) -> None:
    """Make the development proving key: INSECURE, anyone can forge proofs with it."""
    from agents.core.proofs.profiles import profile_named
    from agents.proving.build import make_development_key

    path = make_development_key(profile_named(profile).name, out, output.note)
    output.Output(json).result({"zkey": str(path), "insecure": True}, lambda: output.line(str(path)))
