"""``agent provider``: run a provider, ask after its stake, slots and earnings, take its money out."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli import output
from agents.cli.arguments import MINIMUM
from agents.cli.options import DataDir, Json, Market, Rpc, Wallet
from agents.cli.parsing import maybe, read
from agents.cli.progress import progress
from agents.core import units
from agents.runtime.settings import Place, ProviderSettings, Proving

if TYPE_CHECKING:
    from agents.runtime.earning import Earnings, HeldSlot, Standing, Unstaking
    from agents.store.mending import Health

app = typer.Typer(help="Sell storage: stake, fill slots, prove them, repair lost ones, get paid.")


def _stake(text: str | None) -> int | None:
    """--stake: None when left out, 0 for the market's minimum, else base units."""
    return 0 if text == MINIMUM else maybe("--stake", text, units.parse_amount)


@app.callback(invoke_without_command=True)
def provider(
    context: typer.Context,
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
        typer.Option(
            envvar="HOLDFAST_PROVER", metavar="FILE", help="A rapidsnark-compatible prover to use instead, or snarkjs."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes that prove at once. Default: one a core.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            envvar="HOLDFAST_CLUSTER", metavar="URL", help="A dask scheduler whose workers prove: tcp://HOST:PORT."
        ),
    ] = None,
    zkey: Annotated[
        Path | None, typer.Option(envvar="HOLDFAST_ZKEY", metavar="FILE", help="A ceremony's proving key.")
    ] = None,
    scrub_every: Annotated[
        str, typer.Option(metavar="TIME", help="Read every slot whole this often and mend it; 0: only on damage.")
    ] = "7d",
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="The log on stderr too.")] = False,
    json: Json = False,
) -> None:
    """Sell storage: stake, fill slots, prove them, repair lost ones, get paid. Runs until it is stopped."""
    place = Place(rpc, market, wallet, data_dir)
    if context.invoked_subcommand is not None:
        context.obj = place  # `agent provider --rpc URL status` means what it says
        return
    settings = ProviderSettings(
        place=place,
        stake=_stake(stake),
        quota=read("--quota", quota, units.parse_size),
        min_price=read("--min-price", min_price, units.parse_count),
        max_duration=maybe("--max-duration", max_duration, units.parse_duration),
        listen=listen,
        endpoint=endpoint,
        proving=Proving(prover, zkey, workers, cluster),
        scrub_every=read("--scrub-every", scrub_every, units.parse_duration),
    )
    from agents.runtime.provider import run_provider

    run_provider(settings, output.note, output.at_work(json), verbose)


def _place(
    context: typer.Context, rpc: str | None, market: str | None, wallet: str | None, data_dir: Path | None = None
) -> Place:
    """What was typed after the subcommand, else what was typed before it."""
    before: Place = context.obj
    return Place(rpc or before.rpc, market or before.market, wallet or before.wallet, data_dir or before.data_dir)


@app.command()
def status(
    context: typer.Context, rpc: Rpc = None, market: Market = None, wallet: Wallet = None, json: Json = False
) -> None:
    """What this provider has staked, and each slot it holds or has reserved."""
    from agents.runtime import earning

    found = asyncio.run(earning.standing(_place(context, rpc, market, wallet)))
    output.Output(json).result(_standing_facts(found), lambda: _show_standing(found))


def _standing_facts(found: "Standing") -> dict[str, object]:
    provider = found.provider
    slots = [
        {
            "request": slot.request,
            "slot": slot.index,
            "state": slot.state,
            "lastProof": slot.last_proof or None,
            "misses": slot.misses,
            "claimable": str(slot.claimable),
            "locked": str(slot.locked),
            "until": slot.until,
            "sound": slot.health.sound if slot.health else None,
            "left": slot.health.left if slot.health else None,
        }
        for slot in found.slots
    ]
    return {
        "provider": provider.address,
        "endpoint": provider.endpoint,
        "free": str(provider.free),
        "locked": str(provider.locked),
        "unbonding": str(provider.unbonding),
        "releaseAt": provider.release_at if provider.unbonding else None,
        "claimable": str(found.claimable),
        "credit": str(found.credit),
        "proving": found.load.as_json() if found.load else None,
        "slots": slots,
    }


def _show_standing(found: "Standing") -> None:
    provider = found.provider
    output.line(f"provider   {provider.address}")
    output.line(f"endpoint   {provider.endpoint}")
    output.line(f"free       {units.format_amount(provider.free)}")
    output.line(f"locked     {units.format_amount(provider.locked)}")
    if provider.unbonding:
        output.line(f"unbonding  {units.format_amount(provider.unbonding)}, {_release(provider.release_at, found.now)}")
    output.line(f"claimable  {units.format_amount(found.claimable)}")
    output.line(f"credit     {units.format_amount(found.credit)}")
    if found.load:
        output.line(f"proving    {found.load}")
    output.line("")
    columns = ("request", "slot", "state", "last proof", "misses", "claimable", "ends in", "disk")
    output.table(columns, [_slot_row(slot, found.now) for slot in found.slots], "no slots")


def _release(at: int, now: int) -> str:
    return f"free in {units.format_duration(at - now)}" if at > now else "free now: type `agent provider unstake` again"


def _slot_row(slot: "HeldSlot", now: int) -> tuple[str, ...]:
    return (
        slot.request[:12], str(slot.index), slot.state, units.format_time(slot.last_proof) if slot.last_proof else "-",
        str(slot.misses), units.format_amount(slot.claimable),
        units.format_duration(slot.until - now) if slot.until > now else "over", _disk(slot.health),
    )  # fmt: skip


def _disk(health: "Health | None") -> str:
    if health is None:
        return "-"
    return "sound" if health.sound else f"cannot be mended: {health.trouble or f'{health.left} blocks lost'}"


@app.command()
def scrub(
    context: typer.Context,
    slot: Annotated[
        list[str] | None, typer.Option(metavar="CID-N", help="Only this slot, or those that begin so. Repeatable.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look only; change nothing.")] = False,
    data_dir: DataDir = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """Read every block of every held slot and mend what the disk has damaged. The provider may run meanwhile.

    Exit code 4 where anything is left damaged. No chain is needed.
    """
    from agents.core.errors import Corrupt
    from agents.runtime.scrubbing import scrub_slots

    with progress() as advance:
        found = scrub_slots(_place(context, None, None, wallet, data_dir), slot or [], dry_run, advance)
    facts = [
        {
            "cid": each.cid,
            "slot": each.index,
            "blocks": each.health.blocks,
            "damaged": each.health.damaged,
            "mended": each.health.mended,
            "left": each.health.left,
            "needed": each.health.needed,
            "trouble": each.health.trouble or None,
        }
        for each in found
    ]
    columns = ("slot", "blocks", "damaged", "mended", "left")
    rows = [
        (
            f"{each.cid}-{each.index}",
            *map(str, (each.health.blocks, each.health.damaged, each.health.mended)),
            _left(each.health),
        )
        for each in found
    ]
    output.Output(json).result({"slots": facts}, lambda: output.table(columns, rows, "no slots"))
    bad = [each for each in found if not each.health.sound]
    if bad:
        raise Corrupt(
            f"{len(bad)} of {len(found)} slots are damaged",
            "nothing was changed" if dry_run else "what is left cannot be made again from this disk",
            "Type it without --dry-run."
            if dry_run
            else "A provider that runs gets it from the other hosts before it proves.",
        )


def _left(health: "Health") -> str:
    if health.trouble:
        return health.trouble
    return f"{health.left}, of which {health.needed} must come from other hosts" if health.needed else str(health.left)


@app.command()
def earnings(
    context: typer.Context, rpc: Rpc = None, market: Market = None, wallet: Wallet = None, json: Json = False
) -> None:
    """What was earned and lost, line by line, from the chain's events; each amount is checked against the rules."""
    from agents.runtime import earning

    found = asyncio.run(earning.earnings(_place(context, rpc, market, wallet)))
    facts = {
        "provider": found.provider,
        "paid": str(found.paid),
        "slashed": str(found.slashed),
        "claimable": str(found.claimable),
        "credit": str(found.credit),
        "lines": {line.value: str(amount) for line, amount in found.lines.items()},
        "net": str(found.net),
    }
    output.Output(json).result(facts, lambda: _show_earnings(found))


def _show_earnings(found: "Earnings") -> None:
    lines = {"pay": found.paid, "slash": -found.slashed} | {line.value: sum_ for line, sum_ in found.lines.items()}
    for name, amount in (lines | {"net": found.net}).items():
        output.line(f"{name:<10} {units.format_amount(amount)}")
    output.line("")
    output.line(f"{'claimable':<10} {units.format_amount(found.claimable)}")
    output.line(f"{'credit':<10} {units.format_amount(found.credit)}")


@app.command()
def withdraw(
    context: typer.Context,
    to: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Default: the wallet's own address.")] = None,
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """Claim running pay, then take everything the market owes this account. The provider may run meanwhile."""
    from agents.runtime import earning

    target = maybe("--to", to, earning.parse_address)
    found = asyncio.run(earning.withdraw(_place(context, rpc, market, wallet, data_dir), target))
    facts = {
        "to": found.to,
        "withdrawn": str(found.amount),
        "claimed": str(found.claimed),
        "unbonded": str(found.unbonded),
    }

    def text() -> None:
        output.line(units.format_amount(found.amount))
        output.note(f"paid to {found.to}" if found.amount else "Nothing is owed to this account yet.")

    output.Output(json).result(facts, text)


@app.command()
def unstake(
    context: typer.Context,
    amount: Annotated[
        str | None,
        typer.Argument(metavar="[TOKENS]", help="Default: all that is free; while slots are held the minimum stays."),
    ] = None,
    data_dir: DataDir = None,
    rpc: Rpc = None,
    market: Market = None,
    wallet: Wallet = None,
    json: Json = False,
) -> None:
    """Take free stake out: typed once it starts the unbonding, typed again after the delay it pays."""
    from agents.runtime import earning

    wanted = maybe("TOKENS", amount, units.parse_amount)
    found = asyncio.run(earning.unstake(_place(context, rpc, market, wallet, data_dir), wanted))
    facts = {
        "unbonding": str(found.unbonding),
        "releaseAt": found.release_at or None,
        "withdrawn": str(found.withdrawn),
        "started": found.started,
    }
    output.Output(json).result(facts, lambda: _show_unstaking(found))


def _show_unstaking(found: "Unstaking") -> None:
    if found.withdrawn:
        output.line(f"{units.format_amount(found.withdrawn)} paid to the wallet")
    else:
        output.line(f"{units.format_amount(found.unbonding)} can be withdrawn at {units.format_time(found.release_at)}")
        output.note("Type `agent provider unstake` again then." if found.started else "It was started earlier.")
