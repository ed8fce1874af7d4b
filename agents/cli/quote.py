"""``agent client quote``: what so many nines cost, what else would do, and what the proofs catch."""

import asyncio
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.cli import output
from agents.cli.bill import warn
from agents.cli.options import Json, Market, Rpc
from agents.cli.outlook import (
    caught_texts,
    hazard_facts,
    outlook_facts,
    proofs_text,
    repair_text,
    show_lines,
    size_text,
    slots_text,
    span_text,
    three,
)
from agents.cli.parsing import read
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
    group_size: GroupSize = None,
    group_mttf: GroupMttf = None,
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
    assumed = Assumed(mttf, mttr, group_size, group_mttf)
    wish = Wish(assumed, max_slots, expansion, repair_threshold, proof_interval, gas_price, traffic_price, price)
    target = wish.target(nines)
    seconds = read("--duration", duration, units.parse_duration)
    order = StoreOrder(file, target, seconds, collateral=collateral, encrypt=not no_encrypt)
    from agents.runtime import quoting

    place = Place(rpc, market)
    found = asyncio.run(quoting.quotation(place, order, target))
    output.Output(json).result(_facts(found, place, order), lambda: show(found, place, order))


def chosen_text(chosen: Parameters) -> str:
    """Parameters in a line."""
    return (
        f"{chosen.slots}+{chosen.parity} slots, mended from {chosen.repair_threshold} lost on, proven one period in "
        f"{chosen.proof_probability}"
    )


# --- for programs ---


def _facts(found: "Quotation", place: Place, order: StoreOrder) -> dict[str, Any]:
    need, offer = found.choice.need, found.choice.offer
    wanted = {"nines": need.nines, "target": need.target, "duration": need.duration}
    assumed = wanted | hazard_facts(need.mttf, need.mttr, need.group_size, need.group_mttf)
    paid = {
        "pricePerBytePerSecond": str(offer.price),
        "priceFrom": "typed" if found.market is None else "market" if found.market.requests else "default",
        "priceRequests": found.market.requests if found.market else 0,
    }
    about = {"fileSize": found.file_bytes, "hosts": found.hosts, "command": store_command(found, place, order)}
    others = {"alternatives": [_choice_facts(other) for other in found.others], "warnings": _warnings(found)}
    return assumed | paid | about | _choice_facts(found.choice) | others


def _choice_facts(choice: "Choice") -> dict[str, Any]:
    code = choice.code
    return outlook_facts(choice) | {
        "storedSize": code.slots * choice.slot_bytes,
        "expansion": round(code.expansion, 3),
        "price": str(choice.price),
        "hostsCost": str(choice.hosts_cost),
        "lossInDuration": choice.loss_in_duration,
        "gasAYear": round(choice.gas),
    }


def _warnings(found: "Quotation") -> list[str]:
    from agents.runtime import pricing

    few = pricing.few_hosts(found.hosts, found.choice.code.slots)
    warnings = [few] if few else []
    need = found.choice.need
    if need.duration > found.max_duration:
        longest, asked = units.spell_duration(found.max_duration), units.spell_duration(need.duration)
        warnings.append(
            f"This market keeps a request for {longest} at most, extensions included: {asked} takes "
            f"{-(-need.duration // found.max_duration)} of them. Type the line below again when one is over, or, with "
            "another --duration, before it is."
        )
    return warnings


def store_command(found: "Quotation", place: Place, order: StoreOrder) -> str:
    """What buys the choice, as it is to be typed: for as long as the market lets a request last."""
    code, offer = found.choice.code, found.choice.offer
    seconds = min(order.duration, found.max_duration)
    words = [
        "agent", "client", "store", str(order.file), "--slots", code.data, "--parity", code.parity, "--repair-threshold",
        code.repair_threshold, "--proof-probability", found.choice.probability, "--price", offer.price, "--duration",
        units.spell_duration(seconds),
    ]  # fmt: skip
    if order.expiry >= seconds:
        words += ["--expiry", units.spell_duration(max(1, seconds // 2))]
    if order.collateral is not None:
        words += ["--collateral", order.collateral]
    if not order.encrypt:
        words.append("--no-encrypt")
    words += ["--rpc", place.rpc] if place.rpc else []
    words += ["--market", place.market] if place.market else []
    return shlex.join(str(word) for word in words)


# --- for people ---


def show(found: "Quotation", place: Place, order: StoreOrder) -> None:
    """Print a quotation for a person."""
    choice = found.choice
    code, offer = choice.code, choice.offer
    size, stored = found.file_bytes, code.slots * choice.slot_bytes
    duration = units.spell_duration(order.duration)
    caught, lost = caught_texts(choice)
    lines = {
        "price": f"{units.format_amount(choice.price)} for {duration}",
        "": f"at {offer.price} a byte and second, {_price_source(found)}",
        "slots": slots_text(choice),
        "stored": f"{units.format_size(stored)} for {units.format_size(size)}, {stored / size:.2f} times the file",
        "loss": f"{choice.loss:.1e} a year, {choice.loss_in_duration:.1e} in {duration}",
        "repair": repair_text(choice),
        "proofs": proofs_text(choice),
        "  ": f"{choice.proofs:,.0f} a year take {choice.gas:.1e} gas",
        "caught": caught,
        " ": lost,
        "hosts": f"{code.slots} are needed, {found.hosts} could take a slot",
    }
    if choice.hosts_cost:
        lines["to hosts"] = f"proofs and repairs cost them {units.format_amount(choice.hosts_cost)}"
    show_lines(lines)
    output.line("")
    output.table(COLUMNS, [_row(other) for other in found.others], "nothing else")
    for line in LEGEND:
        output.note(line)
    for warning in _warnings(found):
        warn(warning)
    output.note("Store it so:")
    output.note(store_command(found, place, order))


def _price_source(found: "Quotation") -> str:
    if found.market is None:
        return "as you named it"
    if not found.market.requests:
        return "the default, as nothing is hosted yet"
    return f"what is paid now (median of {found.market.requests})"


def _row(choice: "Choice") -> tuple[str, ...]:
    code = choice.code
    return (
        f"{code.data}+{code.parity}",
        f"{code.expansion:.2f}",
        str(code.repair_threshold),
        span_text(choice.interval),
        f"{choice.price / units.TOKEN:.4g}",
        f"{choice.loss:.1e}",
        three(choice.repairs),
        size_text(choice.traffic),
        f"{choice.caught:.0%}",
        span_text(choice.seconds_to_catch(code.misses)),
    )
