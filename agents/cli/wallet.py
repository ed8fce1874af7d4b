"""``agent wallet``: the keys that sign."""

import asyncio
from typing import Annotated

import typer

from agents.cli import output
from agents.cli.options import Json, Market, Rpc, Wallet
from agents.cli.parsing import maybe
from agents.core import units
from agents.runtime.settings import Place

app = typer.Typer(help="Keys: make one, list them, see what one holds.", no_args_is_help=True)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="What to call it.")] = "main",
    json: Json = False,
) -> None:
    """Make a key, kept under a password."""
    from agents.runtime.accounts import make_wallet

    made = make_wallet(name)
    facts = {"name": made.name, "address": made.address, "path": str(made.path)}

    def text() -> None:
        output.line(made.address)
        output.note(f"Kept in {made.path}. Nobody can restore it or its password for you: back both up.")

    output.Output(json).result(facts, text)


@app.command("list")
def list_(json: Json = False) -> None:
    """The wallets of this machine's user."""
    from agents.runtime.accounts import all_wallets

    found = all_wallets()
    rows = [[wallet.name, wallet.address] for wallet in found]
    output.Output(json).result(
        [{"name": name, "address": address} for name, address in rows],
        lambda: output.table(["name", "address"], rows, "no wallets yet: make one with `agent wallet new`"),
    )


@app.command()
def balance(
    address: Annotated[str | None, typer.Argument(help="Default: the wallet's own.")] = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """What an account holds: gas money, tokens, and what the market owes it."""
    from agents.runtime import accounts
    from agents.runtime.earning import parse_address

    place, named = Place(rpc, market, wallet), maybe("ADDRESS", address, parse_address)
    found = asyncio.run(accounts.balance(place, named or accounts.own_address(place)))
    facts = {"address": found.address, "wei": str(found.wei), "tokens": str(found.tokens), "credit": str(found.credit)}

    def text() -> None:
        output.line(f"address  {found.address}")
        output.line(f"gas      {found.wei / 1e18:.6f} ETH")
        output.line(f"tokens   {units.format_amount(found.tokens)}")
        output.line(f"credit   {units.format_amount(found.credit)}")

    output.Output(json).result(facts, text)
