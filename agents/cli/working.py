"""``agent provider`` and ``agent validator``: the agents that work until they are stopped."""

from pathlib import Path
from typing import Annotated

import typer

from agents.cli import output
from agents.cli.arguments import MINIMUM
from agents.cli.options import DataDir, Market, Rpc, Wallet
from agents.cli.parsing import maybe, read
from agents.core import units
from agents.runtime.settings import Place, ProviderSettings, Proving, ValidatorSettings


def _stake(text: str | None) -> int | None:
    """--stake: None when left out, 0 for the market's minimum, else base units."""
    return 0 if text == MINIMUM else maybe("--stake", text, units.parse_amount)


def provider(
    stake: Annotated[
        str | None,
        typer.Option(metavar="[TOKENS]", help="Hold this much stake; bare: the minimum. Tops up, never takes down."),
    ] = None,
    quota: Annotated[str, typer.Option(metavar="SIZE", help="Disk to sell, e.g. 20GiB.")] = "10GiB",
    min_price: Annotated[str, typer.Option(metavar="UNITS", help="Base units per byte per second, at least.")] = "1",
    max_duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="Take no request that lasts longer, e.g. 30d.")
    ] = None,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 picks a free one and keeps it.")
    ] = "127.0.0.1:0",
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Where others reach it. Default: what it listens on.")
    ] = None,
    prover: Annotated[
        Path | None,
        typer.Option(envvar="HOLDFAST_PROVER", metavar="FILE", help="A rapidsnark-compatible prover to use."),
    ] = None,
    zkey: Annotated[
        Path | None, typer.Option(envvar="HOLDFAST_ZKEY", metavar="FILE", help="A ceremony's proving key.")
    ] = None,
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="The log on stderr too.")] = False,
) -> None:
    """Sell storage: stake, fill slots, prove them, repair lost ones, get paid. Runs until it is stopped."""
    settings = ProviderSettings(
        place=Place(rpc, market, wallet, data_dir),
        stake=_stake(stake),
        quota=read("--quota", quota, units.parse_size),
        min_price=read("--min-price", min_price, units.parse_count),
        max_duration=maybe("--max-duration", max_duration, units.parse_duration),
        listen=listen,
        endpoint=endpoint,
        proving=Proving(prover, zkey),
    )
    from agents.runtime.provider import run_provider

    run_provider(settings, say=output.note, verbose=verbose)


def validator(
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="The log on stderr too.")] = False,
) -> None:
    """Mark missed proofs for a share of the slash, and close what is over. Runs until it is stopped."""
    from agents.runtime.provider import run_validator

    run_validator(ValidatorSettings(Place(rpc, market, wallet, data_dir)), say=output.note, verbose=verbose)
