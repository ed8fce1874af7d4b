"""``agent client``: store files and read them back."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from agents.cli import output
from agents.cli.options import DataDir, Json, Market, Rpc, Wallet
from agents.cli.parsing import maybe, read
from agents.cli.progress import progress
from agents.core import units
from agents.runtime.settings import Place, StoreOrder

app = typer.Typer(help="Buy durability for files, and read them back.", no_args_is_help=True)


@app.command()
def store(
    file: Annotated[Path, typer.Argument(help="What to store.")],
    slots: Annotated[int, typer.Option(help="Slots that hold the file; any so many rebuild it.")] = 3,
    parity: Annotated[int, typer.Option(help="Slots more; as many may be lost.")] = 2,
    duration: Annotated[str, typer.Option(metavar="TIME", help="For how long, e.g. 30d.")] = "1h",
    expiry: Annotated[str, typer.Option(metavar="TIME", help="Within which time every slot must find a host.")] = "2m",
    price: Annotated[int, typer.Option(help="Base units per byte per second.")] = 1000,
    collateral: Annotated[
        int | None, typer.Option(help="Base units per byte that a host locks. Default: the least the market allows.")
    ] = None,
    proof_probability: Annotated[int, typer.Option(help="A slot proves one period in this many.")] = 1,
    repair_threshold: Annotated[int, typer.Option(help="Lost slots that open a repair.")] = 1,
    dispersal: Annotated[float, typer.Option(help="h of the placement window, 0.01 to 0.99.")] = 0.5,
    max_cost: Annotated[str | None, typer.Option(metavar="TOKENS", help="Refuse to pay more.")] = None,
    no_encrypt: Annotated[
        bool, typer.Option("--no-encrypt", help="Store a public file: its CID is enough to read it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it costs and send nothing.")] = False,
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """Store a file; prints the capability that reads it back. Typed again after a kill, it goes on where it was."""
    order = StoreOrder(
        file=file,
        slots=slots,
        parity=parity,
        duration=read("--duration", duration, units.parse_duration),
        expiry=read("--expiry", expiry, units.parse_duration),
        price=price,
        collateral=collateral,
        proof_probability=proof_probability,
        repair_threshold=repair_threshold,
        dispersal=dispersal,
        max_cost=maybe("--max-cost", max_cost, units.parse_amount),
        encrypt=not no_encrypt,
    )
    place = Place(rpc, market, wallet, data_dir)
    from agents.runtime import storing

    if dry_run:
        quoted = asyncio.run(storing.quote(place, order))
        facts = {"price": str(quoted.price), "slots": quoted.slots, "slotSize": quoted.slot_bytes}

        def quote_text() -> None:
            output.line(f"price  {units.format_amount(quoted.price)}")
            output.line(f"slots  {quoted.slots} of {units.format_size(quoted.slot_bytes)}")

        output.Output(json).result(facts, quote_text)
        return
    with progress() as advance:
        stored = asyncio.run(storing.store(place, order, advance))
    facts = {
        "request": stored.request,
        "cid": stored.cid,
        "capability": stored.capability,
        "price": str(stored.price),
        "endsAt": stored.ends_at,
    }

    def text() -> None:
        output.line(stored.capability if order.encrypt else stored.cid)
        output.note(f"Stored until {units.format_time(stored.ends_at)} for {units.format_amount(stored.price)}.")
        if order.encrypt:
            output.note("Keep the line above: whoever has it can read the file, and nobody can without it.")

    output.Output(json).result(facts, text)


@app.command()
def get(
    name: Annotated[str, typer.Argument(metavar="CAPABILITY", help="What `store` printed.")],
    out: Annotated[
        Path | None, typer.Option("-o", metavar="FILE", help="Default: the file's own name, in this folder.")
    ] = None,
    rpc: Rpc = None,
    market: Market = None,
    json: Json = False,
) -> None:
    """Read a file back. Needs no account: the capability, the chain and any k hosts are enough."""
    from agents.runtime import storing

    with progress() as advance:
        found = asyncio.run(storing.get(Place(rpc, market), name, out, advance))
    output.Output(json).result({"file": str(found)}, lambda: output.line(str(found)))
