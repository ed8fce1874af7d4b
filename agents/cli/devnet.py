"""``agent devnet``: a local chain with the market on it, and its faucet."""

import asyncio
import json as json_
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli import output
from agents.cli.options import Json
from agents.cli.parsing import read
from agents.core import units
from agents.runtime.settings import Place

if TYPE_CHECKING:
    from agents.chain.devnet import Descriptor

app = typer.Typer(help="A local chain with the market on it. It keeps its state; its keys are everyone's.")


@app.callback(invoke_without_command=True)
def devnet(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port of the JSON-RPC; 0 picks a free one.")] = 8545,
    directory: Annotated[
        Path | None,
        typer.Option("--data-dir", metavar="DIR", help="Where the chain is kept. Default: ~/.holdfast/devnet."),
    ] = None,
    profile: Annotated[str, typer.Option(help="Circuit profile of the market's verifier.")] = "devnet",
    json: Json = False,
) -> None:
    """Run the devnet until it is stopped."""
    if context.invoked_subcommand is not None:
        return
    from agents.runtime.devnet import run_devnet

    def ready(found: "Descriptor") -> None:
        output.Output(json).result(json_.loads(found.to_json()), lambda: _show(found))
        sys.stdout.flush()
        output.note("The devnet runs until you stop it (Ctrl-C); its state is kept.")

    asyncio.run(run_devnet(directory, port, profile, ready))


def _show(found: "Descriptor") -> None:
    deployment = found.deployment
    for name, value in (
        ("rpc", found.rpc),
        ("market", deployment.reference),
        ("registry", deployment.registry),
        ("token", deployment.token),
        ("verifier", f"{deployment.verifier} (profile {deployment.profile})"),
    ):
        output.line(f"{name:<9} {value}")
    output.line("          of a development key, INSECURE: anybody can forge proofs with it")
    output.line("")
    output.line("Funded accounts; their keys are public, so use them nowhere else:")
    for address, key in found.accounts:
        output.line(f"  {address}")  # a line of its own: both would not fit 80 columns
        output.line(f"    {key}")


@app.command()
def faucet(
    address: Annotated[str, typer.Argument(help="Whom to give.")],
    tokens: Annotated[str, typer.Option(help="How many tokens.")] = "10000",
    gas: Annotated[str, typer.Option(help="How much ether for gas.")] = "10",
    json: Json = False,
) -> None:
    """Give test tokens and gas money to an address."""
    from agents.runtime.devnet import fund
    from agents.runtime.earning import parse_address

    address = read("ADDRESS", address, parse_address)
    amount, wei = read("--tokens", tokens, units.parse_amount), read("--gas", gas, units.parse_amount)
    asyncio.run(fund(Place(), address, amount, wei))
    output.Output(json).result(
        {"address": address, "tokens": str(amount), "wei": str(wei)},
        lambda: output.line(f"{address} got {units.format_amount(amount)} and {gas} ETH"),
    )
