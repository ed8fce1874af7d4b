"""What the models say of a file's slots, shown: of what is quoted, and of what is on the market."""

import asyncio
from math import inf, isfinite, log10
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.cli import output
from agents.cli.bill import warn
from agents.cli.options import Json, Market, Rpc
from agents.cli.target import Assumed, GroupMttf, GroupSize, Mttf, Mttr
from agents.core import units
from agents.runtime.settings import Hardship, Place

if TYPE_CHECKING:
    from agents.core.durability.hazards import Hazards
    from agents.core.durability.outlook import Outlook
    from agents.core.durability.posted import Posted
    from agents.runtime.durability import Watched

DAY = units.TIMES["d"]


def durability(
    request: Annotated[str, typer.Argument(help="A request's id, or its beginning.")],
    mttf: Mttf = None,
    mttr: Mttr = None,
    group_size: GroupSize = None,
    group_mttf: GroupMttf = None,
    rpc: Rpc = None,
    market: Market = None,
    json: Json = False,
) -> None:
    """How surely a request's file lasts until its end, by the model of `agent client quote`: what hosts see of it too."""
    assumed = Hardship(**Assumed(mttf, mttr, group_size, group_mttf).known())
    from agents.runtime import durability as model

    found = asyncio.run(model.watched(Place(rpc, market), request, assumed))
    output.Output(json).result(_facts(found), lambda: show_watched(found))


# --- shared with the quote ---


def outlook_facts(outlook: "Outlook") -> dict[str, Any]:
    """What is predicted, for programs."""
    code = outlook.code
    return {
        "dataSlots": code.data,
        "paritySlots": code.parity,
        "repairThreshold": code.repair_threshold,
        "misses": code.misses,
        "proofProbability": outlook.probability,
        "proofInterval": outlook.interval,
        "samples": outlook.profile.samples,
        "slotSize": outlook.slot_bytes,
        "lossAYear": outlook.loss,
        "repairsAYear": outlook.repairs,
        "repairBytesAYear": round(outlook.traffic),
        "proofsAYear": outlook.proofs,
        "fatalShare": outlook.fatal_share,
        "caughtByOneProof": outlook.caught,
        "caughtInADay": outlook.caught_within(DAY),
        "secondsToCatch": outlook.seconds_to_catch(),
        "secondsToLose": outlook.seconds_to_catch(code.misses),
    }


def hazard_facts(mttf: float, mttr: float, group_size: int, group_mttf: float) -> dict[str, Any]:
    """What is assumed of hosts, for programs."""
    together = group_mttf if isfinite(group_mttf) else None
    return {"mttf": mttf, "mttr": mttr, "groupSize": group_size, "groupMttf": together}


def slots_text(outlook: "Outlook") -> str:
    """The code across slots."""
    code = outlook.code
    return f"{code.data}+{code.parity} of {units.format_size(outlook.slot_bytes)}: any {code.data} rebuild the file"


def repair_text(outlook: "Outlook") -> str:
    """When repairs open, and what they take."""
    moved = size_text(outlook.traffic)
    return f"from {outlook.code.repair_threshold} lost on: {outlook.repairs:.3g} a year move {moved}"


def proofs_text(outlook: "Outlook") -> str:
    """How slots are watched."""
    return (
        f"of {outlook.profile.samples} cells, each slot every {span_text(outlook.interval)}: one period in "
        f"{outlook.probability};"
    )


def caught_texts(outlook: "Outlook") -> tuple[str, str]:
    """What proofs catch, in two lines."""
    misses = outlook.code.misses
    return (
        f"{outlook.caught:.0%} by one proof, {outlook.caught_within(DAY):.0%} by a day of them, where a slot lost the "
        f"{outlook.fatal_share:.1%}",
        f"it cannot mend; after {misses} miss{'' if misses == 1 else 'es'}, "
        f"{span_text(outlook.seconds_to_catch(misses))} on average, it counts as lost",
    )


def size_text(size: float) -> str:
    """Bytes that are a mean, in three digits."""
    name = next((name for name in ("TiB", "GiB", "MiB", "KiB") if size >= units.SIZES[name]), "B")
    return f"{three(size / units.SIZES[name])} {name}"


def span_text(seconds: float) -> str:
    """A time that is a mean, in three digits of one unit."""
    name = next((name for name in ("y", "d", "h", "m") if seconds >= units.TIMES[name]), "s")
    return f"{three(seconds / units.TIMES[name])}{name}"


def three(value: float) -> str:
    """Three digits, or all those before the point; from a million on as a power of ten."""
    return f"{value:.3g}" if value < 100 or value >= 1e6 else f"{value:.0f}"


def show_lines(lines: dict[str, str]) -> None:
    """What is found, each line after its name."""
    for name, value in lines.items():
        output.line(f"{name:<8} {value}")


# --- a request's own ---


def _facts(found: "Watched") -> dict[str, Any]:
    posted, life = found.posted, found.posted.mean_time_to_loss
    own = {
        "request": found.request.id.hex(),
        "state": found.state,
        "endsAt": found.request.end(found.now),
        "remaining": posted.remaining,
        "vacant": posted.vacant,
        "lossInRemaining": posted.loss_in_remaining,
        "ninesInRemaining": nines(posted.loss_in_remaining),
        "meanTimeToLoss": life if isfinite(life) else None,
        "warnings": _warnings(found),
    }
    hazards = posted.hazards
    return (
        own | hazard_facts(hazards.mttf, hazards.mttr, hazards.group_size, hazards.group_mttf) | outlook_facts(posted)
    )


def nines(loss: float) -> float | None:
    """How many of them keep a probability of loss; None where it is below what a float holds."""
    return max(0.0, -log10(loss)) if loss else None


def _warnings(found: "Watched") -> list[str]:
    posted = found.posted
    warnings = []
    if not found.request.started:
        warnings.append("Not every slot has found its host yet: this is what holds once they have.")
    if posted.remaining < posted.last_repair:
        warnings.append(
            f"The market opens no repair in the last {units.format_duration(posted.last_repair)}: until the end a slot "
            "that is lost stays so, and the loss is above what is said here."
        )
    return warnings


def show_watched(found: "Watched") -> None:
    """Print the model of a request for a person."""
    posted, request = found.posted, found.request
    left, loss = units.format_duration(posted.remaining), posted.loss_in_remaining
    kept = nines(loss)
    caught, lost = caught_texts(posted)
    show_lines(
        {
            "request": request.id.hex(),
            "state": f"{found.state}, ends {units.format_time(request.end(found.now))}",
            "slots": slots_text(posted),
            "vacant": _vacant_text(posted),
            "loss": f"{loss:.1e} in the {left} that remain" + ("" if kept is None else f", {kept:.1f} nines"),
            "": f"{posted.loss:.1e} in a year that begins with all slots",
            "life": f"{life_text(posted.mean_time_to_loss)} until it would be lost, on average",
            "repair": repair_text(posted),
            "proofs": proofs_text(posted),
            "  ": f"{posted.proofs:,.0f} a year",
            "caught": caught,
            " ": lost,
            "assumed": assumed_text(posted.hazards),
        }
    )
    for warning in _warnings(found):
        warn(warning)


def _vacant_text(posted: "Posted") -> str:
    threshold = posted.code.repair_threshold
    if not posted.vacant:
        return "none"
    mending = "being repaired" if posted.vacant >= threshold else f"repaired once {threshold} are"
    return f"{posted.vacant} of the {posted.code.parity} that may be, {mending}"


def life_text(seconds: float) -> str:
    """A mean life."""
    return span_text(seconds) if seconds < inf else "longer than can be said"


def assumed_text(hazards: "Hazards") -> str:
    """What is taken for granted of hosts."""
    alone = f"a host lasts {span_text(hazards.mttf)}, a repair takes {span_text(hazards.mttr)}"
    if not isfinite(hazards.group_mttf):
        return f"{alone}, hosts fail alone"
    return f"{alone}, each {hazards.group_size} fail together once in {span_text(hazards.group_mttf)}"
