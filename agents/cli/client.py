"""``agent client``: store files, read them back, and see what became of them."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.cli import channel, output
from agents.cli.bill import parameter_facts, show_bill, warn
from agents.cli.options import DataDir, Json, Market, Rpc, Wallet
from agents.cli.parsing import maybe, price_per_byte, read
from agents.cli.progress import progress
from agents.cli.quote import chosen_text, quote
from agents.cli.target import (
    Assumed,
    Collateral,
    Expansion,
    GasPrice,
    GroupMttf,
    GroupSize,
    MaxSlots,
    Mttf,
    Mttr,
    NoEncrypt,
    ProofInterval,
    TrafficPrice,
    Wish,
)
from agents.core import units
from agents.core.errors import DiskFull, Misuse
from agents.runtime.settings import DEFAULT_PRICE, Parameters, Place, ReadOrder, StoreOrder

if TYPE_CHECKING:
    from agents.core.market.view import RequestView
    from agents.runtime.reading import Bought, Purchase

app = typer.Typer(help="Buy durability for files, and read them back.", no_args_is_help=True)

app.add_typer(channel.app, name="channel")

STDOUT = Path("-")


app.command()(quote)


@app.command()
def store(
    file: Annotated[Path, typer.Argument(help="What to store.")],
    slots: Annotated[
        int | None, typer.Option(help="Slots that hold the file; any so many rebuild it. Default: 3.")
    ] = None,
    parity: Annotated[int | None, typer.Option(help="Slots more; as many may be lost. Default: 2.")] = None,
    nines: Annotated[
        float | None,
        typer.Option(
            help="Instead: lose it within a year with 10^-N at most, and have the cheapest way chosen, as by `quote`."
        ),
    ] = None,
    max_slots: MaxSlots = None,
    mttf: Mttf = None,
    mttr: Mttr = None,
    group_size: GroupSize = None,
    group_mttf: GroupMttf = None,
    expansion: Expansion = None,
    proof_interval: ProofInterval = None,
    gas_price: GasPrice = None,
    traffic_price: TrafficPrice = None,
    duration: Annotated[str, typer.Option(metavar="TIME", help="For how long, e.g. 30d.")] = "1h",
    expiry: Annotated[str, typer.Option(metavar="TIME", help="Within which time every slot must find a host.")] = "2m",
    price: Annotated[
        int | None,
        typer.Option(help=f"Base units per byte per second. Default: {DEFAULT_PRICE}; with --nines, what others pay."),
    ] = None,
    collateral: Collateral = None,
    proof_probability: Annotated[
        int | None, typer.Option(help="A slot proves one period in this many. Default: 1.")
    ] = None,
    repair_threshold: Annotated[int | None, typer.Option(help="Lost slots that open a repair. Default: 1.")] = None,
    dispersal: Annotated[float, typer.Option(help="h of the placement window, 0.01 to 0.99.")] = 0.5,
    max_cost: Annotated[str | None, typer.Option(metavar="TOKENS", help="Refuse to pay more.")] = None,
    no_encrypt: NoEncrypt = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it costs and send nothing.")] = False,
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """Store a file; prints the capability that reads it back.

    Typed again after a kill it goes on where it was; typed again for a file that is stored, it prints its capability again.
    """
    assumed = Assumed(mttf, mttr, group_size, group_mttf)
    wish = Wish(assumed, max_slots, expansion, repair_threshold, proof_interval, gas_price, traffic_price, price)
    order = StoreOrder(
        file=file,
        parameters=wish.parameters(nines, slots, parity, proof_probability),
        duration=read("--duration", duration, units.parse_duration),
        expiry=read("--expiry", expiry, units.parse_duration),
        collateral=collateral,
        dispersal=dispersal,
        max_cost=maybe("--max-cost", max_cost, units.parse_amount),
        encrypt=not no_encrypt,
    )
    place = Place(rpc, market, wallet, data_dir)
    if dry_run:
        show_bill(place, order, json)
        return
    from agents.runtime import storing

    with progress() as advance:
        stored = asyncio.run(storing.store(place, order, advance, warn, _tell))
    facts = {
        "request": stored.request,
        "cid": stored.cid,
        "ipfs": stored.ipfs,
        "capability": stored.capability,
        "price": str(stored.price),
        "endsAt": stored.ends_at,
        "again": stored.again,
        "parameters": parameter_facts(stored.parameters),
    }

    def text() -> None:
        output.line(stored.capability if order.encrypt else stored.cid)
        until, paid = units.format_time(stored.ends_at), units.format_amount(stored.price)
        if stored.again:
            output.note(f"It is stored already, until {until} (request {stored.request[:12]}); nothing was paid now.")
        else:
            output.note(f"Stored until {until} for {paid} (request {stored.request[:12]}).")
        if stored.ipfs:
            output.note(f"IPFS knows it as {stored.ipfs}.")
        if order.encrypt:
            output.note("Keep the line above: whoever has it can read the file, and nobody can without it.")

    output.Output(json).result(facts, text)


def _tell(chosen: Parameters) -> None:
    output.note(f"chosen: {chosen_text(chosen)}, at {chosen.price} a byte and second")


@app.command()
def get(
    name: Annotated[str, typer.Argument(metavar="CAPABILITY", help="What `store` printed.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", metavar="FILE|-", help="Default: the file's own name, in this folder; -: stdout."),
    ] = None,
    max_price: Annotated[
        str, typer.Option(metavar="TOKENS", help="Pay caches so much per GiB at most, from the account's deposit.")
    ] = "0",
    max_cost: Annotated[str | None, typer.Option(metavar="TOKENS", help="And so much in all.")] = None,
    grant: Annotated[
        str | None,
        typer.Option(metavar="GRANT|FILE", help="Of a sponsor that pays: what `agent client channel grant` printed."),
    ] = None,
    cache: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A free cache to ask first; may be repeated.")
    ] = None,
    no_caches: Annotated[bool, typer.Option("--no-caches", help="Read from the hosts of slots alone.")] = False,
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """Read a file back, from caches and hosts. Needs no account unless caches are to be paid.

    Nothing is overwritten. Typed again after it was stopped, it goes on where it was.
    """
    from agents.runtime import reading

    place = Place(rpc, market, wallet, data_dir)
    how = ReadOrder(
        max_price=read("--max-price", max_price, price_per_byte),
        max_cost=maybe("--max-cost", max_cost, units.parse_amount),
        grant=grant,
        caches=tuple(cache or ()),
        announced=not no_caches,
    )
    if not how.max_price and (max_cost is not None or grant is not None):
        raise Misuse("Nothing is paid without --max-price", "--max-cost and --grant are about paid caches", "")
    if out == STDOUT:
        if json:
            raise Misuse("--json and -o - both want stdout", "", "Leave one of them out.")
        with progress() as advance:
            got = asyncio.run(reading.get_into(place, name, _to_stdout, how, advance))
        _tell_paid(got.paid)
        return
    with progress() as advance:
        got = asyncio.run(reading.get(place, name, out, how, advance))

    def text() -> None:
        output.line(str(got.path))
        _tell_paid(got.paid)

    output.Output(json).result({"file": str(got.path), "paid": str(got.paid)}, text)


def _tell_paid(paid: int) -> None:
    if paid:
        output.note(f"{units.format_amount(paid)} were paid to caches.")


def _to_stdout(piece: bytes) -> None:
    try:
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        why = error.strerror or str(error)
        raise DiskFull("Cannot write to stdout", why, "Make room where it leads, and type it again.") from None


@app.command("ls")
def list_(
    capabilities: Annotated[
        bool, typer.Option("--capabilities", help="Show them: whoever sees one can read the file.")
    ] = False,
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """Every request of this client, from the chain; names and capabilities where this machine knows them."""
    from agents.runtime import reading

    found = asyncio.run(reading.purchases(Place(rpc, market, wallet, data_dir)))
    data = [_bought_facts(bought, found.now, capabilities) for bought in found.bought]
    columns = ["request", "file", "state", "filled", "price", "ends in", "capability"]
    rows = [_bought_row(bought, found.now, capabilities) for bought in found.bought]
    output.Output(json).result(data, lambda: output.table(columns, rows, "nothing stored yet"))
    if found.credit and not json:
        output.note(f"{units.format_amount(found.credit)} are owed to you: `agent client withdraw` takes them.")


def _bought_facts(bought: "Bought", now: int, capabilities: bool) -> dict[str, Any]:
    from agents.runtime.market import request_facts

    order = bought.order
    facts = request_facts(bought.request, now) | {"file": order.file if order else None, "capabilityKnown": bool(order)}
    return facts | ({"capability": order.capability if order else None} if capabilities else {})


def _bought_row(bought: "Bought", now: int, capabilities: bool) -> list[str]:
    facts, order = _bought_facts(bought, now, capabilities), bought.order
    known = (order.capability if capabilities else "known") if order else "not known here"
    return [
        facts["request"][:12],
        order.name if order else "-",
        facts["state"] + (", closed" if facts["closed"] else ""),
        f"{facts['filled']}/{facts['slots']}",
        units.format_amount(int(facts["price"])),
        units.format_duration(facts["endsAt"] - now) if facts["endsAt"] > now else "over",
        known,
    ]


@app.command()
def status(
    request: Annotated[str, typer.Argument(help="A request's id, or its beginning.")],
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    json: Json = False,
) -> None:
    """One request: its slots, and where its money is."""
    from agents.runtime import market as lists
    from agents.runtime import reading

    found = asyncio.run(reading.purchase(Place(rpc, market, None, data_dir), request))
    slots = lists.slots(found.moment, found.bought.request.id.hex())
    facts = _bought_facts(found.bought, found.moment.timestamp, False)

    def text() -> None:
        for name, value in _money(found).items():
            output.line(f"{name:<10} {value}")
        output.line("")
        output.table(slots.columns, slots.rows, "no slots")

    money = {name: str(getattr(found, name)) for name in ("claimable", "pots", "unspent", "refunded")}
    paid = {"paid": str(found.bought.request.paid)}
    output.Output(json).result(facts | money | paid | {"slotList": list(slots.data)}, text)


def _money(found: "Purchase") -> dict[str, str]:
    bought, now = found.bought, found.moment.timestamp
    request = bought.request
    lines = {
        "request": request.id.hex(),
        "file": bought.order.name if bought.order else "not known here",
        "state": bought.state.name.lower() + (", closed" if request.closed else ""),
        "ends": units.format_time(request.end(now)),
        "price": units.format_amount(request.deposit),
        "paid": f"{units.format_amount(request.paid)} to hosts, {units.format_amount(found.claimable)} more to claim",
        "pots": units.format_amount(found.pots),
    } | _funders(request)
    if request.closed:
        return lines | {"refunded": units.format_amount(found.refunded)}
    return lines | {"unspent": units.format_amount(found.unspent)}


def _funders(request: "RequestView") -> dict[str, str]:
    """Who paid for time that was added, and for how much."""
    if not request.funded:
        return {}
    parts = [f"{units.format_amount(paid)} by {funder}" for funder, paid in request.funded.items()]
    return {"extended": ", ".join(parts)}


@app.command()
def extend(
    request: Annotated[
        str | None,
        typer.Argument(help="A request's id, or its beginning. With --auto-extend: all of yours if left out."),
    ] = None,
    by: Annotated[str, typer.Option(metavar="TIME", help="How much to add at once, e.g. 30d.")] = "30d",
    max_cost: Annotated[
        str | None, typer.Option(metavar="TOKENS", help="Refuse to pay more; with --auto-extend, ever and in all.")
    ] = None,
    auto_extend: Annotated[
        bool, typer.Option("--auto-extend", help="Keep running, and extend requests before they end.")
    ] = False,
    before: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="With --auto-extend: once less is left. Default: a quarter of --by."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it costs and send nothing.")] = False,
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="With --auto-extend: the log on stderr too.")
    ] = False,
    json: Json = False,
) -> None:
    """Pay for more time of a request, anybody's; each host serves it if it pays, and others take the places of the rest.

    What nobody serves of the time you paid for comes back to you when the request is over.
    """
    place, extra = Place(rpc, market, wallet, data_dir), read("--by", by, units.parse_duration)
    most = maybe("--max-cost", max_cost, units.parse_amount)
    left = maybe("--before", before, units.parse_duration)
    if auto_extend:
        _look_after(place, request, extra, extra // 4 if left is None else left, most, verbose, json, dry_run)
        return
    if request is None:
        raise Misuse("Which request?", "", "Name it, or look after all of yours with --auto-extend --max-cost TOKENS.")
    if left is not None:
        raise Misuse("--before goes with --auto-extend", "without it the request is extended now", "Leave it out.")
    from agents.runtime import extending

    found = asyncio.run((extending.quote if dry_run else extending.extend)(place, request, extra, most))
    facts = {"request": found.request, "price": str(found.paid), "endsAt": found.ends_at, "again": found.again}

    def text() -> None:
        output.line(units.format_time(found.ends_at))
        if found.again:
            output.note("An earlier command extended it already; nothing was paid now.")
        else:
            output.note(f"{units.format_amount(found.paid)} {'would buy' if dry_run else 'bought'} {by} more.")

    output.Output(json).result(facts, text)


def _look_after(
    place: Place, request: str | None, extra: int, left: int, most: int | None, verbose: bool, json: bool, dry_run: bool
) -> None:
    if most is None:
        raise Misuse("--auto-extend needs --max-cost", "it spends without asking", "Say what it may spend in all.")
    if dry_run:
        raise Misuse("--dry-run and --auto-extend do not go together", "", "Ask for one request's price without it.")
    from agents.core.agents.client import AutoExtend
    from agents.runtime.extending import run_look_after

    run_look_after(place, AutoExtend(extra, left, most), request, output.at_work(json), verbose)


@app.command()
def withdraw(
    to: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Default: the wallet's own address.")] = None,
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """Close requests that are over, and take what they leave: refunds, and what hosts lost."""
    from agents.runtime import earning, refunding

    target = maybe("--to", to, earning.parse_address)
    found = asyncio.run(refunding.take_back(Place(rpc, market, wallet, data_dir), target))

    def text() -> None:
        output.line(units.format_amount(found.amount))
        output.note(f"paid to {found.to}" if found.amount else "Nothing is owed to this account yet.")

    output.Output(json).result({"to": found.to, "withdrawn": str(found.amount)}, text)
