"""Codex's table and figures, from our chain of a dataset's slots and our detection model."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from agents.core.durability.detection import samples_for
from agents.core.durability.slots import Code, Hazards, loss_probability, smallest
from agents.repro import published
from agents.repro.catalogue import Entry
from agents.repro.effort import Effort
from agents.repro.figures import Axes, Curve, Figure, Line, Measure, Value
from agents.simulation.slots import simulate_slots

DAY = 86_400.0
YEAR = 365 * DAY
MTTF = published.MEAN_TIME_TO_FAILURE_DAYS * DAY
MTTR = published.MEAN_TIME_TO_REPAIR_DAYS * DAY
MTBP = published.MEAN_TIME_BETWEEN_PROOFS_DAYS * DAY
HAZARDS = Hazards(MTTF, MTTR, MTBP)


def _loss(code: Code, between_proofs: float = MTBP) -> float:
    return loss_probability(code, Hazards(MTTF, MTTR, between_proofs), YEAR)


def _group(row: published.SmallestCode) -> str:
    return f"{row.expansion:g}x, l0 = {row.threshold}"


def _code(row: published.SmallestCode) -> Code:
    return Code(row.data, row.parity, row.threshold)


def table1(entry: Entry, effort: Effort) -> Figure:
    """The fewest slots whose yearly loss is below 1e-9, by expansion and lazy threshold."""
    values = tuple(_smallest(row) for row in published.TABLE_1)
    wrong = [value for value in values if value.explained]
    return Figure(
        entry.paper, entry.name, entry.title,
        "k+m whose yearly loss is below 1e-9; MTTF 1 year, MTTR 1 day, a proof a day",
        "expansion, threshold",
        Axes("expansion and lazy threshold", "slots, k + m", names=tuple(_group(row) for row in published.TABLE_1)),
        values,
        beside="loss, paper's / ours",
        wrong=tuple(f"{value.at}: {value.explained}" for value in wrong),
    )  # fmt: skip


def _smallest(row: published.SmallestCode) -> Value:
    theirs, ours = _code(row), smallest(row.expansion, row.threshold, HAZARDS, published.TARGET_LOSS, YEAR)
    loss, best = _loss(theirs), _loss(ours)
    slots, fewest = theirs.data + theirs.parity, ours.data + ours.parity
    explained = ""
    if fewest < slots and best < published.TARGET_LOSS and loss < published.TARGET_LOSS:
        explained = (
            f"{theirs.data}+{theirs.parity} meets the target ({loss:.1e}) but is not the smallest: "
            f"under the same chain {ours.data}+{ours.parity} already loses only {best:.2e} a year."
        )
    return Value(
        "", _group(row), published.TABLE_1.index(row), slots, fewest, fewest, fewest, Measure.ABSOLUTE, 0.0,
        explained=explained,
        read=(f"{theirs.data}+{theirs.parity}", f"{ours.data}+{ours.parity}", f"{loss:.2e} / {best:.2e}"),
        details={
            "paper_code": [theirs.data, theirs.parity], "our_code": [ours.data, ours.parity],
            "paper_code_loss": loss, "our_code_loss": best,
        },
    )  # fmt: skip


NINES = (
    ("found with 99.9 %", 1e-3), ("found with 99.9999 %", published.SIX_NINES_MISSED), ("found with 99.9999999 %", 1e-9)
)  # fmt: skip


def figure3(entry: Entry, effort: Effort) -> Figure:
    """Samples that find a loss, by its share of what is sampled."""
    values = []
    for share, samples in published.SAMPLES_FOR_SIX_NINES.items():
        top, bottom = (int(part) for part in share.split("/"))
        ours = samples_for(top / bottom, published.SIX_NINES_MISSED)
        values.append(
            Value("found with 99.9999 %", share, top / bottom, samples, ours, ours, ours, Measure.ABSOLUTE, 0.0)
        )
    shares = np.geomspace(0.005, 0.5, 120)
    curves = tuple(
        Curve(name, shares, np.array([samples_for(float(share), missed) for share in shares], dtype=np.float64))
        for name, missed in NINES
    )
    return Figure(
        entry.paper, entry.name, entry.title,
        "samples j with 1 - (1 - x)^j of at least 99.9999 %, by the share x of what is sampled that is lost",
        "lost share",
        Axes("share of what is sampled that is lost", "samples", x_log=True, y_log=True),
        tuple(values), curves, digits=0,
    )  # fmt: skip


def figure9(entry: Entry, effort: Effort) -> Figure:
    """Yearly loss by the number of slots."""
    values = tuple(
        Value(
            _group(row), f"{row.data}+{row.parity}", row.data + row.parity, published.TARGET_LOSS, _loss(_code(row)),
            _loss(_code(row)), _loss(_code(row)), Measure.BELOW,
        )
        for row in published.TABLE_1
    )  # fmt: skip
    curves = tuple(_by_slots(row) for row in published.TABLE_1)
    return Figure(
        entry.paper, entry.name, entry.title,
        "loss within a year of Table 1's codes, which the paper says is below 1e-9",
        "k+m",
        Axes(
            "slots, k + m", "probability that a dataset is lost within a year", y_log=True, x_range=(0, MOST_SLOTS),
            y_range=(1e-14, 1), marker="Table 1's codes",
        ),
        values, curves,
        (Line(published.TARGET_LOSS, "the paper's target"),),
        digits=None,
        notes=("The paper prints no numbers of its curves; the markers are ours at Table 1's codes.",),
    )  # fmt: skip


MOST_SLOTS = 60


def _by_slots(row: published.SmallestCode) -> Curve:
    """The loss of every code of this expansion and threshold, whose m is at least the threshold."""
    codes = [
        Code(data, parity, row.threshold)
        for data in range(1, MOST_SLOTS)
        if (parity := round((row.expansion - 1) * data)) == (row.expansion - 1) * data
        and data + parity <= MOST_SLOTS
        and parity >= row.threshold
    ]
    slots = np.array([code.data + code.parity for code in codes], dtype=np.float64)
    return Curve(_group(row), slots, np.array([_loss(code) for code in codes]), dashed=row.threshold > 1)


def figure10(entry: Entry, effort: Effort) -> Figure:
    """Yearly loss by the mean time between proofs."""
    days = np.union1d(np.geomspace(0.02, 100, 60), SIMULATED_DAYS)
    values, curves, notes = [], [], []
    for row in published.TABLE_1:
        name, code = f"{row.data}+{row.parity}, l0 = {row.threshold}", _code(row)
        at_a_day = _loss(code)
        values.append(Value(name, name, 1.0, published.TARGET_LOSS, at_a_day, at_a_day, at_a_day, Measure.BELOW))
        losses = np.array([_loss(code, float(each) * DAY) for each in days])
        curves.append(Curve(name, days, losses, dashed=row.threshold > 1))
    curves += [_simulated(row, f"{row.data}+{row.parity}, l0 = {row.threshold}", effort) for row in published.TABLE_1]
    gains = [value.ours / curve.y[0] for value, curve in zip(values, curves, strict=False)]
    risks = [_loss(_code(row), 10 * DAY) / value.ours for row, value in zip(published.TABLE_1, values, strict=True)]
    notes.append(
        "The paper says that proofs more often than daily make no significant difference: without any pause between them the "
        f"loss is {min(gains):.1f} to {max(gains):.1f} times smaller. A proof every ten days makes it {min(risks):,.0f} to "
        f"{max(risks):,.0f} times larger."
    )
    return Figure(
        entry.paper, entry.name, entry.title,
        "loss within a year of Table 1's codes, which the paper says is below 1e-9 at one proof a day",
        "code",
        Axes(
            "mean time between proofs, days", "probability that a dataset is lost within a year", x_log=True, y_log=True,
            y_range=(1e-12, 1), marker="Table 1's codes",
        ),
        tuple(values), tuple(curves),
        (Line(published.TARGET_LOSS, "the paper's target"), Line(1.0, "Table 1", upright=True)),
        digits=None,
        notes=("The paper prints no numbers of its curves; the markers are ours at Table 1's codes.", *notes),
    )  # fmt: skip


SIMULATED_DAYS = (30.0, 50.0, 80.0)
"""Between proofs, where losses are frequent enough to be seen in a simulation."""


def _simulated(row: published.SmallestCode, group: str, effort: Effort) -> Curve:
    """Datasets lost in a simulation that follows each slot, where some are."""
    days, found = [], []
    for each in SIMULATED_DAYS:
        hazards = Hazards(MTTF, MTTR, each * DAY)
        lost = simulate_slots(_code(row), hazards, YEAR, effort.count(20_000, 4_000), effort.seed, runner=effort.runner)
        if lost.losses >= FEWEST_LOSSES:
            days.append(each)
            found.append(lost.loss)
    return Curve.of(group, days, found, points=True)


FEWEST_LOSSES = 10
"""Below, an interval is too wide to say much."""

FIGURES: Mapping[str, Callable[[Entry, Effort], Figure]] = MappingProxyType(
    {"table1": table1, "3": figure3, "9": figure9, "10": figure10}
)
