"""Vault's Figures 4 and 5: what churn costs, and what it leaves of a chunk."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from agents.core.durability.groups import traffic_closed_form
from agents.core.durability.hazards import YEAR_SECONDS
from agents.repro import published
from agents.repro.catalogue import Entry
from agents.repro.effort import Effort
from agents.repro.figures import Axes, Curve, Figure, Line, Measure, Value
from agents.simulation.groups import (
    LOST,
    REPLICATED,
    GroupSetting,
    GroupsResult,
    byzantine,
    even_rotation,
    simulate_groups,
    trace,
)
from agents.simulation.intervals import Interval

HOUR = 3600.0
DAY = 86_400.0
TEN_YEARS = 10 * YEAR_SECONDS
FIRST_YEAR_LIMIT, TEN_YEARS_LIMIT = 0.04, 0.02
"""Repair traffic counts as reproduced within these shares of the published values."""

BASELINE = f"{published.REPLICAS} replicas"


def setting(members: int = published.R, churn: float = published.CHURN, cache_hours: float = 0.0) -> GroupSetting:
    """Vault's evaluation without Byzantine nodes."""
    return GroupSetting(
        published.NODES, members, published.K_IN, published.N_OUT, published.K_OUT, churn=churn,
        rotation=even_rotation(churn, members), cache=cache_hours * HOUR,
    )  # fmt: skip


@dataclass(frozen=True)
class Moved:
    """Repair traffic of one setting, in object sizes per object."""

    simulated: Interval
    model: float
    """The closed form, at the rate of repairs that the simulation has."""


def moved(here: GroupSetting, years: int, chunks: int, effort: Effort) -> Moved:
    """What so many chunks moved in so many years."""
    found = simulate_groups(here, years * YEAR_SECONDS, chunks, effort.seed, runner=effort.runner)
    return Moved(found.traffic, years * traffic_closed_form(here, found.repairs_per_year.value))


def _value(group: str, at: str, x: float, paper: float, found: Moved, limit: float, drawn: bool = True) -> Value:
    ours = found.simulated
    return Value(group, at, x, paper, ours.value, ours.low, ours.high, limit=limit, model=found.model, drawn=drawn)


def figure4a(entry: Entry, effort: Effort) -> Figure:
    """Repair traffic of the first year by cache lifetime."""
    chunks = effort.count(20_000, 1_000)
    papers = published.FIRST_YEAR_BY_CACHE_HOURS
    lifetimes = sorted({*papers, *range(0, max(papers) + 1, effort.count(3, 12))})
    found = {hours: moved(setting(cache_hours=hours), 1, chunks, effort) for hours in lifetimes}
    baseline = moved(REPLICATED, 1, chunks, effort)
    values = [
        _value(VAULT, f"{hours} h", hours, paper, found[hours], FIRST_YEAR_LIMIT) for hours, paper in papers.items()
    ]
    copies = _value(BASELINE, "-", 0, published.FIRST_YEAR_REPLICATED, baseline, FIRST_YEAR_LIMIT, drawn=False)
    curves = (
        Curve.of(VAULT, lifetimes, [found[hours].simulated for hours in lifetimes]),
        Curve.of(BASELINE, [lifetimes[0], lifetimes[-1]], [baseline.simulated] * 2),
    )
    none, six, most = (found[hours].simulated.value for hours in (0, 6, 48))
    return Figure(
        entry.paper, entry.name, entry.title,
        f"object sizes moved per object in the first year, churn {published.CHURN:g}; target: within 4 %",
        "cache kept",
        Axes("hours that a chunk stays in a cache", "object sizes moved in the first year", y_range=(0, None)),
        (*values, copies), curves,
        notes=(
            MODEL,
            f"The paper's sixfold saving at 48 h is over a cache of 6 h ({six / most:.1f} times); over none it is "
            f"{none / most:.1f} times.",
            "Rotation evicts fragments in the order in which they were made. In the first year most of those due are still "
            "there; later more have left by themselves, and their turn costs nothing: the mean of ten years is a fifth lower.",
        ),
    )  # fmt: skip


MODEL = (
    "The model is the closed form for repairs at random times, at the simulation's rate of repairs. Rotation is not random: it "
    "comes at fixed times, which matters where chunks are cached for longer than that."
)

VAULT = f"Vault, any {published.K_IN} of {published.R} fragments"


def figure4b(entry: Entry, effort: Effort) -> Figure:
    """Repair traffic of ten years by churn."""
    rows = [
        _ten_years(
            f"cache kept {hours} h",
            [setting(churn=churn, cache_hours=hours) for churn in published.CHURNS],
            row,
            effort,
        )
        for hours, row in published.TEN_YEARS_BY_CACHE_HOURS.items()
    ]
    copies = [replace(REPLICATED, churn=float(churn)) for churn in published.CHURNS]
    rows.append(_ten_years(BASELINE, copies, published.TEN_YEARS_REPLICATED, effort))
    values, curves = [value for each, _ in rows for value in each], [curve for _, curve in rows]
    return Figure(
        entry.paper, entry.name, entry.title,
        "object sizes moved per object in ten years; target: within 2 %",
        "churn",
        Axes("departures per node and year", "object sizes moved in ten years", y_log=True),
        tuple(values), tuple(curves),
        wrong=(
            "The text calls all of Figure 4 the first year's traffic; the published values of this half are of ten years.",
            "The text says that Vault's traffic grows with churn as the baseline's does. With a cache it does not: it falls "
            "once repairs come faster than caches expire.",
        ),
        notes=(MODEL,),
    )  # fmt: skip


def _ten_years(
    group: str, settings: list[GroupSetting], papers: tuple[float, ...], effort: Effort
) -> tuple[list[Value], Curve]:
    """The values and the curve of one row of churns."""
    found = [moved(here, 10, effort.count(4_000, 200), effort) for here in settings]
    values = [
        _value(group, f"{churn}", churn, paper, each, TEN_YEARS_LIMIT)
        for churn, paper, each in zip(published.CHURNS, papers, found, strict=True)
    ]
    return values, Curve.of(group, published.CHURNS, [each.simulated for each in found])


def figure5(entry: Entry, effort: Effort) -> Figure:
    """Fragments of one chunk on honest nodes over ten years."""
    chunks = effort.count(20_000, 2_000)
    values: list[Value] = []
    curves: list[Curve] = []
    notes = []
    for members, paper in published.ALIVE.items():
        here = attacked(members)
        found = simulate_groups(here, TEN_YEARS, chunks, effort.seed, runner=effort.runner)
        group = f"R = {members}"
        for name, theirs, each in (
            ("fewest", paper.least, found.least), ("mean", paper.mean, found.mean), ("most", paper.most, found.most)
        ):  # fmt: skip
            low, high = np.quantile(each[lived(found)], (0.025, 0.975))
            centre = float(each[lived(found)].mean())
            values.append(Value(group, name, 10.2, theirs, centre, float(low), float(high), Measure.RANGE))
        curves.append(_trace(here, group, effort.seed))
        lost = found.loss
        notes.append(
            f"{group}: {100 * lost.value:.2f} % of all such chunks fall below {published.K_IN} within ten years and are lost "
            f"({100 * lost.low:.2f} to {100 * lost.high:.2f} %)."
        )
    return Figure(
        entry.paper, entry.name, entry.title,
        "a third of the nodes is Byzantine; target: the paper's one chunk is in our range",
        "in ten years",
        Axes("years", "fragments on honest nodes", x_range=(0, 10.4), marker="paper: fewest, mean, most"),
        tuple(values), tuple(curves),
        (Line(published.K_IN, f"{published.K_IN} recover the chunk"),),
        notes=(
            *notes,
            "Ours are the chunks that lived on, as the paper's did.",
            "The published trace of R = 100 is that of a group rotated as those of 80 are; so is ours.",
        ),
        beside="range of 95 %",
    )  # fmt: skip


def attacked(members: int) -> GroupSetting:
    """A third of the nodes Byzantine, and rotation as for groups of 80, whatever the size."""
    (here,) = byzantine(setting(members), [published.BYZANTINE_OF_FIGURE_5], members=published.R)
    return here


def lived(found: GroupsResult) -> npt.NDArray[np.bool_]:
    """Which groups were not lost: the paper's chunks were not."""
    there: npt.NDArray[np.bool_] = np.isinf(found.lost_at)
    return there


def _trace(here: GroupSetting, group: str, seed: int) -> Curve:
    """One chunk that lived, as the paper's did, looked at every ten days."""
    for attempt in range(ATTEMPTS):
        alive = trace(here, TEN_YEARS, 10 * DAY, seed + attempt)
        if alive[-1] != LOST:
            break
    years = np.arange(len(alive)) * 10 * DAY / YEAR_SECONDS
    return Curve(group, years, np.where(alive == LOST, 0, alive).astype(np.float64))


ATTEMPTS = 20
"""To find a chunk that lived: at worst one in eight does not."""
