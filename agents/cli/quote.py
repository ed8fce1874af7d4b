"""``agent client quote``: what so many nines cost, what else would do, and what the proofs catch."""

import asyncio
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.cli import output
from agents.cli.bill import warn
from agents.cli.options import Json, Market, Rpc
from agents.cli.parsing import read
from agents.cli.target import (
    Collateral,
    Expansion,
    GasPrice,
    MaxSlots,
    Mttf,
    Mttr,
    NoEncrypt,
    ProofInterval,
    TrafficPrice,
    Wish,
)
from agents.core import units
from agents.runtime.settings import Parameters, Place, StoreOrder

if TYPE_CHECKING:
    from agents.core.durability.choice import Choice
    from agents.runtime.quoting import Quotation

COLUMNS = ("slots", "x", "l0", "proof", units.SYMBOL, "loss/y", "rep/y", "moved/y", "caught", "in")
LEGEND = (
    "x: slots per data slot. l0: lost slots that open a repair. proof: the mean time",
    "between proofs of a slot. rep/y, moved/y: repairs a year and what they move.",
    "caught: the chance that one proof notices the least loss a slot cannot mend.",
    "in: the mean time until such a slot counts as lost.",
)


def quote(
    file: Annotated[Path, typer.Argument(help="What to store.")],
    nines: Annotated[float, typer.Option(help="Lose it within a year with a probability of 10^-N at most.")],
    duration: Annotated[str, typer.Option(metavar="TIME", help="For how long, e.g. 30d.")] = "1y",
    max_slots: MaxSlots = None,
    mttf: Mttf = None,
    mttr: Mttr = None,
    expansion: Expansion = None,
    repair_threshold: Annotated[
        int | None, typer.Option(help="Lost slots that open a repair. Default: the cheapest.")
    ] = None,
    proof_interval: ProofInterval = None,
    gas_price: GasPrice = None,
    traffic_price: TrafficPrice = None,
    price: Annotated[int | None, typer.Option(help="Base units per byte per second. Default: what others pay.")] = None,
    collateral: Collateral = None,
    no_encrypt: NoEncrypt = False,
    rpc: Rpc = None,
    market: Market = None,
    json: Json = False,
) -> None:
    """The cheapest way to store a file for so many nines, and what else would do. Needs no account; sends nothing."""
    target = Wish(
        max_slots, mttf, mttr, expansion, repair_threshold, proof_interval, gas_price, traffic_price, price
    ).target(nines)
    seconds = read("--duration", duration, units.parse_duration)
    order = StoreOrder(file, target, seconds, collateral=collateral, encrypt=not no_encrypt)
    from agents.runtime import quoting

    found = asyncio.run(quoting.quotation(Place(rpc, market), order, target))
    output.Output(json).result(_facts(found), lambda: show(found, file, duration))


def chosen_text(chosen: Parameters) -> str:
    """Parameters in a line."""
    return (
        f"{chosen.slots}+{chosen.parity} slots, mended from {chosen.repair_threshold} lost on, proven one period in "
        f"{chosen.proof_probability}"
    )


# --- for programs ---


def _facts(found: "Quotation") -> dict[str, Any]:
    need, offer = found.choice.need, found.choice.offer
    assumed = {
        "nines": need.nines,
        "target": need.target,
        "duration": need.duration,
        "mttf": need.mttf,
        "mttr": need.mttr,
    }
    paid = {
        "pricePerBytePerSecond": str(offer.price),
        "priceFrom": "typed" if found.market is None else "market" if found.market.requests else "default",
        "priceRequests": found.market.requests if found.market else 0,
    }
    about = {"fileSize": found.file_bytes, "samples": offer.profile.samples, "hosts": found.hosts}
    others = {"alternatives": [_choice_facts(other) for other in found.others], "warnings": _warnings(found)}
    return assumed | paid | about | _choice_facts(found.choice) | others


def _choice_facts(choice: "Choice") -> dict[str, Any]:
    code = choice.code
    return {
        "dataSlots": code.data,
        "paritySlots": code.parity,
        "repairThreshold": code.repair_threshold,
        "proofProbability": choice.probability,
        "proofInterval": choice.interval,
        "slotSize": choice.slot_bytes,
        "storedSize": code.slots * choice.slot_bytes,
        "expansion": round(code.expansion, 3),
        "price": str(choice.price),
        "hostsCost": str(choice.hosts_cost),
        "lossAYear": choice.loss,
        "lossInDuration": choice.loss_in_duration,
        "repairsAYear": choice.repairs,
        "repairBytesAYear": round(choice.traffic),
        "proofsAYear": choice.proofs,
        "gasAYear": round(choice.gas),
        "fatalShare": choice.fatal_share,
        "caughtByOneProof": choice.caught,
        "secondsToCatch": choice.seconds_to_catch(),
        "secondsToLose": choice.seconds_to_catch(code.misses),
    }


def _warnings(found: "Quotation") -> list[str]:
    from agents.runtime import pricing

    few = pricing.few_hosts(found.hosts, found.choice.code.slots)
    warnings = [few] if few else []
    if found.choice.need.duration > found.max_duration:
        warnings.append(
            f"This market sells {units.format_duration(found.max_duration)} at once: store it for that, and have "
            "`agent client extend` add more."
        )
    return warnings


# --- for people ---


def show(found: "Quotation", file: Path, duration: str) -> None:
    """Print a quotation for a person; ``duration`` as it was typed."""
    choice = found.choice
    code, offer = choice.code, choice.offer
    size, stored = found.file_bytes, code.slots * choice.slot_bytes
    lines = {
        "price": f"{units.format_amount(choice.price)} for {duration}",
        "": f"at {offer.price} a byte and second, {_price_source(found)}",
        "slots": f"{code.data}+{code.parity} of {units.format_size(choice.slot_bytes)}: any {code.data} rebuild the file",
        "stored": f"{units.format_size(stored)} for {units.format_size(size)}, {stored / size:.2f} times the file",
        "loss": f"{choice.loss:.1e} a year, {choice.loss_in_duration:.1e} in {duration}",
        "repair": f"from {code.repair_threshold} lost on: {choice.repairs:.3g} a year move {size_text(choice.traffic)}",
        "proofs": f"of {offer.profile.samples} cells, each slot every {span_text(choice.interval)}: one period in "
        f"{choice.probability};",
        "  ": f"{choice.proofs:,.0f} a year take {choice.gas:.1e} gas",
        "caught": f"{choice.caught:.0%} by one proof, where a slot lost the {choice.fatal_share:.1%} it cannot mend;",
        " ": f"it counts as lost in {span_text(choice.seconds_to_catch(code.misses))} on average",
        "hosts": f"{code.slots} are needed, {found.hosts} could take a slot",
    }
    if choice.hosts_cost:
        lines["to hosts"] = f"proofs and repairs cost them {units.format_amount(choice.hosts_cost)}"
    for name, value in lines.items():
        output.line(f"{name:<8} {value}")
    output.line("")
    output.table(COLUMNS, [_row(other) for other in found.others], "nothing else")
    for line in LEGEND:
        output.note(line)
    for warning in _warnings(found):
        warn(warning)
    output.note("Store it so:")
    output.note(
        f"agent client store {shlex.quote(str(file))} --slots {code.data} --parity {code.parity} --repair-threshold "
        f"{code.repair_threshold} --proof-probability {choice.probability} --price {offer.price} --duration {duration}"
    )


def _price_source(found: "Quotation") -> str:
    if found.market is None:
        return "as you named it"
    if not found.market.requests:
        return "the default, as nothing is hosted yet"
    return f"what is paid now (median of {found.market.requests})"


def size_text(size: float) -> str:
    """Bytes that are a mean, in three digits."""
    name = next((name for name in ("TiB", "GiB", "MiB", "KiB") if size >= units.SIZES[name]), "B")
    return f"{_three(size / units.SIZES[name])} {name}"


def span_text(seconds: float) -> str:
    """A time that is a mean, in three digits of one unit."""
    name = next((name for name in ("y", "d", "h", "m") if seconds >= units.TIMES[name]), "s")
    return f"{_three(seconds / units.TIMES[name])}{name}"


def _three(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _row(choice: "Choice") -> tuple[str, ...]:
    code = choice.code
    return (
        f"{code.data}+{code.parity}",
        f"{code.expansion:.2f}",
        str(code.repair_threshold),
        span_text(choice.interval),
        f"{choice.price / units.TOKEN:.4g}",
        f"{choice.loss:.1e}",
        _three(choice.repairs),
        size_text(choice.traffic),
        f"{choice.caught:.0%}",
        span_text(choice.seconds_to_catch(code.misses)),
    )
