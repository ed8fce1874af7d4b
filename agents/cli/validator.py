"""``agent validator``: run a validator."""

from typing import Annotated

import typer

from agents.cli import output
from agents.cli.options import DataDir, Json, Market, Rpc, Wallet
from agents.runtime.settings import Place, ValidatorSettings


def validator(
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="The log on stderr too.")] = False,
    json: Json = False,
) -> None:
    """Mark missed proofs for a share of the slash, and close what is over. Runs until it is stopped."""
    from agents.runtime.provider import run_validator

    run_validator(ValidatorSettings(Place(rpc, market, wallet, data_dir)), output.at_work(json), verbose)
