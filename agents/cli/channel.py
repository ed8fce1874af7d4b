"""``agent client channel``: the deposit that caches are paid from."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.cli import output
from agents.cli.options import DataDir, Json, Market, Rpc, Wallet
from agents.cli.parsing import maybe, read
from agents.core import units
from agents.runtime.settings import Place

if TYPE_CHECKING:
    from agents.runtime.channel import Standing

app = typer.Typer(help="The deposit that caches are paid from.", no_args_is_help=True)

Of = Annotated[str | None, typer.Option("--of", metavar="ADDRESS", help="Somebody else's. Default: the account's own.")]


def _address(option: str, text: str | None) -> str | None:
    from agents.runtime.earning import parse_address

    return maybe(option, text, parse_address)


def _show(standing: "Standing", json: bool) -> None:
    deposit = standing.deposit
    facts: dict[str, Any] = {
        "payer": standing.payer,
        "free": str(deposit.pool),
        "kept": str(deposit.reserved),
        "closesAt": deposit.closes_at or None,
        "challenge": standing.challenge,
    }

    def text() -> None:
        output.line(f"payer    {standing.payer}")
        output.line(f"free     {units.format_amount(deposit.pool)}")
        output.line(f"kept     {units.format_amount(deposit.reserved)}, for lanes to caches")
        if deposit.closes_at:
            at = units.format_time(deposit.closes_at)
            output.line(f"closing  `agent client channel withdraw` pays it out from {at}")

    output.Output(json).result(facts, text)


@app.command()
def deposit(
    amount: Annotated[str, typer.Argument(metavar="TOKENS", help="How much is to be free in it.")],
    of: Of = None,
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """Have TOKENS free in it: expired lanes give back what they keep, what is missing is put in. Again it changes nothing."""
    from agents.runtime import channel

    place, wanted = Place(rpc, market, wallet, data_dir), read("TOKENS", amount, units.parse_amount)
    _show(asyncio.run(channel.fill_up(place, wanted, _address("--of", of), output.note)), json)


@app.command()
def status(
    of: Of = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """What is in the deposit."""
    from agents.runtime import channel

    _show(asyncio.run(channel.standing(Place(rpc, market, wallet), _address("--of", of))), json)


@app.command()
def close(
    data_dir: DataDir = None, rpc: Rpc = None, market: Market = None, wallet: Wallet = None, json: Json = False
) -> None:
    """Begin to take the deposit out: caches have the challenge to redeem what was signed, and nothing more is read."""
    from agents.runtime import channel

    _show(asyncio.run(channel.close(Place(rpc, market, wallet, data_dir))), json)


@app.command()
def withdraw(
    to: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Default: the account itself.")] = None,
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """Take the whole deposit out, once the challenge is over."""
    from agents.runtime import channel

    paid = asyncio.run(channel.withdraw(Place(rpc, market, wallet, data_dir), _address("--to", to)))
    output.Output(json).result({"paid": str(paid)}, lambda: output.line(f"{units.format_amount(paid)} were paid out"))


@app.command()
def grant(
    reader: Annotated[str, typer.Argument(metavar="ADDRESS", help="Who may read on this account's deposit.")],
    limit: Annotated[str, typer.Option(metavar="TOKENS", help="For how much in all.")],
    by: Annotated[str, typer.Option("--for", metavar="TIME", help="And for how long.")] = "7d",
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """Pay for somebody else's reads: prints the line to give them for `agent client get --grant`. Sends nothing."""
    from agents.runtime import channel

    who = _address("ADDRESS", reader)
    amount, seconds = read("--limit", limit, units.parse_amount), read("--for", by, units.parse_duration)
    assert who is not None
    line = asyncio.run(channel.grant(Place(rpc, market, wallet), who, amount, seconds))
    output.Output(json).result({"grant": line}, lambda: output.line(line))
