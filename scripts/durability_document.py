"""The figures of docs/durability.md, by the code that `agent client quote` runs."""

import contextlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from agents.chain.deploy import DEV_MARKET, DEV_STAKE
from agents.cli.outlook import show_watched, size_text, span_text
from agents.cli.quote import show
from agents.core.durability.choice import Choice, Need, Offer, predicted
from agents.core.durability.cycles import cycles
from agents.core.durability.detection import catch_probability
from agents.core.durability.hazards import YEAR_SECONDS, Hazards
from agents.core.durability.quote import Pins, alternatives, cheapest, probability_of
from agents.core.durability.transient import loss_by
from agents.core.errors import OutOfReach
from agents.core.market.types import Ask, Content, SlotState
from agents.core.market.view import MarketView, RequestView, SlotView
from agents.core.proofs.profiles import PROFILES
from agents.runtime.durability import watched_at
from agents.runtime.follower import Moment
from agents.runtime.pricing import MarketPrice
from agents.runtime.quoting import PROOF_GAS, Quotation
from agents.runtime.settings import DEFAULT_PRICE, Hardship, Place, StoreOrder, Target
from agents.simulation.intervals import Interval
from agents.simulation.slots import simulate_slots
from scripts.market_document import row

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "durability.md"

HOUR, DAY, GIB = 3_600, 86_400, 1 << 30

NEED = Need(size=GIB, duration=YEAR_SECONDS, nines=9, mttf=YEAR_SECONDS, mttr=DAY)
HOURLY = replace(DEV_MARKET, period_blocks=300, block_seconds=12, max_duration=YEAR_SECONDS)
"""A period is an hour on a chain with a block every twelve seconds, and a request lasts a year at most."""
OFFER = Offer(HOURLY, PROFILES["production"], DEFAULT_PRICE, PROOF_GAS)

SIMULATED_FILES, SIMULATED_YEARS = 100, 200.0
"""So long that it does not matter that all slots are there at first."""

FILE = Path("big.bin")
FILE_BYTES = 20 << 20
HOSTS = 16
DEVNET = Offer(DEV_MARKET, PROFILES["devnet"], DEFAULT_PRICE, PROOF_GAS, hosts=lambda slot_bytes: HOSTS)
"""What a devnet with so many providers offers."""


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Of Markdown, all columns but the first to the right."""
    head = [row(*columns), "|---|" + "---:|" * (len(columns) - 1)]
    return "\n".join([*head, *(row(*cells) for cells in rows)])


def code(choice: Choice) -> str:
    """k+m."""
    return f"{choice.code.data}+{choice.code.parity}"


def best_or_none(need: Need, pins: Pins) -> Choice | None:
    """The cheapest; None where nothing meets the target."""
    try:
        return cheapest(need, OFFER, pins)
    except OutOfReach:
        return None


def devnet_choice() -> Choice:
    """What is chosen for nine nines on the devnet."""
    return cheapest(replace(NEED, size=FILE_BYTES), DEVNET)


REQUEST = bytes.fromhex("5a74594b" + "1c" * 27 + "00")
"""A request's id."""


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """A terminal of eighty columns without colours."""
    before = {name: os.environ.get(name) for name in ("TERM", "COLUMNS")}
    os.environ.update(TERM="dumb", COLUMNS="80")
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def an_answer() -> str:
    """What the command prints."""
    choice = devnet_choice()
    others = tuple(alternatives(choice.need, DEVNET, Pins(), choice))
    found = Quotation(FILE_BYTES, choice, others, MarketPrice(DEFAULT_PRICE, 0), HOSTS, DEV_MARKET.max_duration)
    order = StoreOrder(FILE, Target(nines=9), YEAR_SECONDS)
    return printed(f"agent client quote {FILE} --nines 9 --duration 1y", lambda: show(found, Place(), order))


def printed(command: str, show_it: Callable[[], None]) -> str:
    """A command with what it prints."""
    said = Terminal()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), plain():
        show_it()
    lines = "\n".join(line.rstrip() for line in said.getvalue().splitlines())
    return f"```\n$ {command}\n{lines}\n```"


def a_request() -> str:
    """What the command prints of the same choice on the market, a day after one of its slots was lost."""
    choice, posted_at = devnet_choice(), 1_800_000_000
    ask = Ask(
        proof_probability=choice.probability, slots=choice.code.slots, max_slot_loss=choice.code.parity,
        repair_threshold=choice.code.repair_threshold, dispersal=5_000, slot_size=choice.slot_bytes,
        duration=DEV_MARKET.max_duration, price_per_byte_per_second=DEFAULT_PRICE, collateral_per_byte=1,
    )  # fmt: skip
    lost = SlotView(state=SlotState.LOST, vacated_at=posted_at + 9 * DAY)
    slots = (lost, *[SlotView(state=SlotState.FILLED)] * (ask.slots - 1))
    request = RequestView(
        REQUEST, "", ask, Content(bytes(32), 1), posted_at, 0, posted_at + 60, posted_at + ask.duration, ask.price, slots,
        started=True,
    )  # fmt: skip
    moment = Moment(MarketView(DEV_MARKET, DEV_STAKE, {REQUEST: request}), 0, posted_at + 10 * DAY)
    found = watched_at(moment, "", PROFILES["devnet"], Hardship())
    return printed(f"agent market durability {REQUEST.hex()[:12]}", lambda: show_watched(found))


def groups() -> str:
    """Codes by how hosts fail together."""
    rows = []
    for size, years in ((1, 0), (2, 40), (2, 10), (4, 40), (4, 10)):
        together = {"group_size": size, "group_mttf": float(years * YEAR_SECONDS)} if years else {}
        found = best_or_none(replace(NEED, **together), Pins(max_slots=32))
        options = f"`--group-size {size} --group-mttf {years}y`" if years else "none: hosts fail alone"
        rows.append([options, code(found), f"{found.code.expansion:.2f}"] if found else [options, "none", ""])
    return table(["options", "slots", "slots per data slot"], rows)


def slots() -> str:
    """Codes by nines and by slots."""
    limits = (6, 12, 24, 48, 96, 256)

    def cell(nines: int, most: int) -> str:
        found = best_or_none(replace(NEED, nines=nines), Pins(max_slots=most))
        return f"{code(found)}: {found.code.expansion:.2f}" if found else "none"

    rows = ([str(nines), *(cell(nines, most) for most in limits)] for nines in (3, 6, 9, 12))
    return table(["nines", *(f"{most} slots at most" for most in limits)], rows)


def thresholds() -> str:
    """Codes, repairs and traffic by threshold."""
    rows = []
    for threshold in (1, 2, 3, 5, 8):
        found = cheapest(NEED, OFFER, Pins(max_slots=32, threshold=threshold))
        hazards = Hazards(found.need.mttf, found.need.mttr, float(found.interval))
        lived = simulate_slots(found.code, hazards, SIMULATED_YEARS * YEAR_SECONDS, SIMULATED_FILES)
        rows.append(
            [
                str(threshold),
                code(found),
                f"{found.code.expansion:.2f}",
                f"{found.repairs:.1f}",
                _between(lived.repair_rate.scaled(YEAR_SECONDS), "{:.1f}".format),
                size_text(found.traffic),
                _between(
                    lived.traffic_rate.scaled(found.data_bytes * YEAR_SECONDS), lambda moved: size_text(round(moved))
                ),
            ]
        )
    columns = ["l0", "slots", "slots per data slot", "repairs a year", "simulated", "moved a year", "simulated"]
    return table(columns, rows)


def _between(found: Interval, shown: Callable[[float], str]) -> str:
    """The ends of an interval."""
    return f"{shown(found.low)} to {shown(found.high)}"


def intervals() -> str:
    """Codes, proofs and gas by interval."""
    rows = []
    for interval in (HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY):
        found = cheapest(NEED, OFFER, Pins(max_slots=32, probability=probability_of(interval, HOURLY)))
        rows.append(
            [
                span_text(interval),
                code(found),
                f"{found.code.expansion:.2f}",
                f"{found.proofs:,.0f}",
                f"{found.gas:.1e}",
            ]
        )
    return table(["proof every", "slots", "slots per data slot", "proofs a year", "gas a year"], rows)


def detection() -> str:
    """What proofs of some numbers of samples catch, of slots of some sizes, losing the least that is fatal."""
    rows = []
    for blocks, name in ((1, "128 KiB"), (1_000, "94 MiB"), (1_365, "128 MiB"), (2_730, "256 MiB")):
        slot = predicted(replace(NEED, size=blocks * 65_536), OFFER, 1, 1, 1, 1)
        chances = [catch_probability(slot.coded.fatal_share, samples) for samples in (5, 10, 20)]
        rows.append(
            [
                name,
                str(slot.coded.codewords),
                f"{slot.fatal_share:.1%}",
                f"{slot.coded.fatal_share:.1%}",
                *(f"{c:.1%}" for c in chances),
            ]
        )
    columns = ["slot", "codewords", "fatal share of it", "with the padding", "5 samples", "10 samples", "20 samples"]
    return table(columns, rows)


def hazards() -> str:
    """The loss of one choice under other hazards than it was chosen for."""
    choice = devnet_choice()
    assumed = Hazards(choice.need.mttf, choice.need.mttr, float(choice.interval))
    cases = [
        ("as assumed", assumed),
        ("MTTF of two years", replace(assumed, mttf=2.0 * YEAR_SECONDS)),
        ("MTTF of half a year", replace(assumed, mttf=YEAR_SECONDS / 2)),
        ("MTTF of three months", replace(assumed, mttf=YEAR_SECONDS / 4)),
        ("MTTR of six hours", replace(assumed, mttr=6.0 * HOUR)),
        ("MTTR of three days", replace(assumed, mttr=3.0 * DAY)),
        ("MTTR of a week", replace(assumed, mttr=7.0 * DAY)),
        ("pairs, each lost together once in ten years", replace(assumed, group_size=2, group_mttf=10.0 * YEAR_SECONDS)),
        ("fours, each lost together once in ten years", replace(assumed, group_size=4, group_mttf=10.0 * YEAR_SECONDS)),
    ]
    losses = [[name, _loss(choice, found)] for name, found in cases]
    exact = [
        "as assumed, with the exact law of the time to a loss",
        f"{loss_by(choice.code, assumed, YEAR_SECONDS):.1e}",
    ]
    return table(["hazards", "loss a year"], [losses[0], exact, *losses[1:]])


def _loss(choice: Choice, found: Hazards) -> str:
    return f"{cycles([choice.code], found)[0].loss_within(YEAR_SECONDS):.1e}"


BLOCKS: dict[str, Callable[[], str]] = {
    "an answer": an_answer, "a request": a_request, "slots": slots, "thresholds": thresholds, "intervals": intervals,
    "detection": detection, "hazards": hazards, "groups": groups,
}  # fmt: skip


def page(text: str) -> str:
    """``text`` with every block written anew."""
    for name, block in BLOCKS.items():
        start, end = f"<!-- {name}: written by scripts/durability_page -->\n", "<!-- end -->"
        if text.count(start) != 1:
            raise ValueError(f"there is no one place for {name!r}")
        before, after = text.split(start)
        text = f"{before}{start}\n{block()}\n\n{end}{after.split(end, 1)[1]}"
    return text
