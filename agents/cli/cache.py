"""``agent cache``: run a cache, ask what it holds and earned."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.cli import output, simulate, train
from agents.cli.options import DataDir, Json, Market, Rpc, Wallet
from agents.cli.parsing import maybe, price_per_byte, read
from agents.core import units
from agents.runtime.settings import CacheSettings, Place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

app = typer.Typer(help="Serve what others store: fetch, keep what is read often, get paid per byte.")
app.command(name="simulate")(simulate.simulate)
app.command(name="train")(train.train)


@app.callback(invoke_without_command=True)
def cache(
    context: typer.Context,
    price: Annotated[
        str, typer.Option(metavar="TOKENS", help="Per GiB served; 0: serve whoever asks, without an account.")
    ] = "0",
    memory: Annotated[str, typer.Option(metavar="SIZE", help="Memory for hot objects.")] = "100MiB",
    disk: Annotated[str, typer.Option(metavar="SIZE", help="Disk for others, at most.")] = "10GiB",
    policy: Annotated[
        str, typer.Option(metavar="NAME", help="What is kept in memory: darwin, lru, s3fifo, static:F,SIZE.")
    ] = "darwin",
    objective: Annotated[
        str, typer.Option(metavar="NAME", help="What darwin makes the most of: objects, bytes, writes, earnings.")
    ] = "objects",
    epoch: Annotated[
        int, typer.Option(min=1, metavar="N", help="Requests between two of darwin's looks at the traffic.")
    ] = 16_000,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 picks a free one and keeps it.")
    ] = "127.0.0.1:0",
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Where others reach it. Default: what it listens on.")
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A free cache to ask before the hosts, or where no chain is named; more than one may be.",
        ),
    ] = None,
    redeem_at: Annotated[
        str, typer.Option(metavar="TOKENS", help="Redeem vouchers once they are worth this, or before they lapse.")
    ] = "1",
    redeem_least: Annotated[
        str | None,
        typer.Option(
            metavar="TOKENS", help="What is worth its gas when a lane ends; less lapses. Default: 512 KiB's price."
        ),
    ] = None,
    announce: Annotated[
        bool, typer.Option("--announce", help="Put a free cache into the directory, from the account.")
    ] = False,
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="The log on stderr too.")] = False,
    json: Json = False,
) -> None:
    """Serve what others store: fetch, keep what is read often, get paid per byte. Runs until it is stopped."""
    place = Place(rpc, market, wallet, data_dir)
    if context.invoked_subcommand is not None:
        context.obj = place
        return
    settings = CacheSettings(
        place=place,
        price=read("--price", price, price_per_byte),
        announce=announce,
        memory=read("--memory", memory, units.parse_size),
        disk=read("--disk", disk, units.parse_size),
        policy=policy,
        objective=objective,
        epoch=epoch,
        listen=listen,
        endpoint=endpoint,
        origins=tuple(origin or ()),
        redeem_at=read("--redeem-at", redeem_at, units.parse_amount),
        redeem_least=maybe("--redeem-least", redeem_least, units.parse_amount),
    )
    from agents.runtime.caching import run_cache

    run_cache(settings, output.note, output.at_work(json), verbose)


@app.command()
def status(
    context: typer.Context,
    data_dir: DataDir = None,
    wallet: Wallet = None,
    free: Annotated[bool, typer.Option("--free", help="The cache without an account.")] = False,
    json: Json = False,
) -> None:
    """What this machine's cache served, holds and earned; of one that was stopped, what it told last."""
    from agents.runtime.cache_report import cache_facts

    facts = cache_facts(_place(context, data_dir, None, None, wallet), free)
    output.Output(json).result(facts, lambda: _show(facts))


@app.command()
def redeem(
    context: typer.Context,
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """Redeem all vouchers of a cache that was stopped, whatever they are worth; one that runs does it by itself."""
    from agents.runtime import selling

    found = asyncio.run(selling.redeem(_place(context, data_dir, rpc, market, wallet)))
    facts = {"redeemed": str(found.amount), "claimable": str(found.books.claimable), "lanes": found.books.lanes}
    output.Output(json).result(facts, lambda: output.line(f"redeemed {units.format_amount(found.amount)}"))


@app.command()
def retire(
    context: typer.Context,
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """Take a cache that was stopped for good off the directory; `agent cache` announces it again."""
    from agents.runtime import caching

    found = asyncio.run(caching.retire_cache(_place(context, data_dir, rpc, market, wallet)))
    facts = {"retired": found.address, "endpoint": found.endpoint}
    output.Output(json).result(facts, lambda: output.line(f"{found.endpoint} is no longer in the directory"))


def _place(
    context: typer.Context, data_dir: "Path | None", rpc: str | None, market: str | None, wallet: str | None
) -> Place:
    """What the command names, and for the rest what `agent cache` did."""
    before: Place = context.obj
    return Place(rpc or before.rpc, market or before.market, wallet or before.wallet, data_dir or before.data_dir)


def _show(facts: "Mapping[str, Any]") -> None:
    requests, amounts = facts["requests"], facts["bytes"]
    output.line("running" if facts["running"] else "stopped")
    output.line(f"requests: {requests['hot']} hot, {requests['disk']} from disk, {requests['origin']} fetched")
    told = ", ".join(f"{units.format_size(amounts[name])} {name}" for name in ("hot", "disk", "origin", "written"))
    output.line(f"bytes: {told}")
    for place in ("memory", "disk"):
        used, budget = (units.format_size(facts[place][name]) for name in ("used", "budget"))
        output.line(f"{place}: {used} of {budget}")
    books = facts.get("books")
    if books is None:
        output.line("free: nothing is earned")
        return
    for name in ("earned", "redeemed", "claimable", "lost", "unpaid"):
        output.line(f"{name}: {units.format_amount(int(books[name]))}")
    output.line(f"served: {units.format_size(books['served'])}")
    output.line(f"lanes: {books['lanes']}")
