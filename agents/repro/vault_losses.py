"""Vault's Figure 6: what Byzantine nodes and targeted attacks cost."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from agents.core.durability.targeted import lost, lost_at, share_attacked
from agents.repro import published
from agents.repro.catalogue import Entry
from agents.repro.crossings import crossing
from agents.repro.effort import Effort
from agents.repro.figures import Axes, Curve, Figure, Floats, Measure, Value
from agents.repro.vault_repairs import BASELINE, TEN_YEARS, setting
from agents.simulation.groups import REPLICATED, byzantine, object_losses
from agents.simulation.targeted import targeted_losses

POINTS_LIMIT = 2.0
"""Percentage points, where the published loss is below LEAST or above MOST percent."""

LEAST, MOST = 5.0, 95.0
FRACTION_LIMIT = 0.01
"""Of the shares of nodes with which half of all objects are lost."""

STEEP = {80: (0.300, 0.375), 100: (0.400, 0.475), 120: (0.470, 0.545)}
"""Where each code goes from losing nothing to losing all: shares of Byzantine nodes simulated closely, by R."""

PARTIAL = (1.0, 99.0)
"""Published percentages between these tell where their curve is steep; others only that it is elsewhere."""


def figure6a(entry: Entry, effort: Effort) -> Figure:
    """Objects lost by the share of Byzantine nodes."""
    values: list[Value] = []
    curves: list[Curve] = []
    for members, row in published.LOST_BY_BYZANTINE.items():
        curve = _byzantine(members, list(row), effort)
        values += [_percent(curve, fraction, paper) for fraction, paper in row.items()]
        values.append(_half(curve, row))
        curves.append(curve)
    baseline = _replicated(effort)
    values += [_percent(baseline, fraction, paper) for fraction, paper in published.LOST_REPLICATED.items()]
    curves.append(baseline)
    return Figure(
        entry.paper, entry.name, entry.title,
        "% of objects lost in ten years; targets: 2 points below 5 % and above 95 %; half lost: 0.01",
        "Byzantine",
        Axes("share of Byzantine nodes", "objects lost in ten years, %", x_range=(0, 0.56)),
        tuple(values), tuple(curves),
        wrong=(
            "The text says a one-year trace; the published values are those of ten years.",
            "The text says that an object is lost when fewer than k_out of its chunks are irrecoverable; recoverable is meant.",
        ),
        notes=(
            "Half is lost, paper: each published percentage from 1 to 99, moved along our curve to 50, and their mean.",
            "The published baseline rotates its three copies as Vault rotates groups of 80; so does ours.",
        ),
        digits=2,
    )  # fmt: skip


def _byzantine(members: int, fractions: list[float], effort: Effort) -> Curve:
    """Percent of objects lost, at the published shares and closely where it is steep."""
    steep = np.linspace(*STEEP[members], effort.count(16, 5)).tolist()
    shares = sorted({round(share, 4) for share in (*fractions, *steep)})
    losses = object_losses(
        byzantine(setting(members), shares), TEN_YEARS, effort.count(800, 60), effort.seed, runner=effort.runner
    )
    return Curve.of(f"R = {members}", shares, [loss.share.scaled(100) for loss in losses])


def _replicated(effort: Effort) -> Curve:
    shares = [0.0, 0.005, 0.01, 0.02, 0.03, 0.04]
    objects = effort.count(20_000, 2_000)
    losses = object_losses(
        byzantine(REPLICATED, shares, members=published.R), TEN_YEARS, objects, effort.seed, runner=effort.runner
    )
    return Curve.of(BASELINE, shares, [loss.share.scaled(100) for loss in losses])


def _percent(curve: Curve, fraction: float, paper: float) -> Value:
    at = int(np.argmin(np.abs(curve.x - fraction)))
    assert curve.low is not None and curve.high is not None
    return Value(
        curve.group, f"{fraction:.2f}", fraction, paper, float(curve.y[at]), float(curve.low[at]), float(curve.high[at]),
        Measure.POINTS, POINTS_LIMIT if paper < LEAST or paper > MOST else None,
    )  # fmt: skip


def _half(curve: Curve, row: Mapping[float, float]) -> Value:
    """Where half of all objects are lost: the paper's own curve is ours moved sideways through its points."""
    assert curve.low is not None and curve.high is not None
    ours = crossing(curve.x, curve.y, 50.0)
    moved = [
        fraction - crossing(curve.x, curve.y, lost) for fraction, lost in row.items() if PARTIAL[0] < lost < PARTIAL[1]
    ]
    low, high = crossing(curve.x, curve.high, 50.0), crossing(curve.x, curve.low, 50.0)
    paper = ours + float(np.mean(moved))
    return Value(
        curve.group, "half lost", ours, paper, ours, low, high, Measure.ABSOLUTE, FRACTION_LIMIT,
        read=(f"at {paper:.3f}", f"at {ours:.3f}", f"{low:.3f} to {high:.3f}"), drawn=False,
    )  # fmt: skip


def _exact(chunks: int, share: float) -> float:
    """Percent of objects lost by the hypergeometric law."""
    return 100 * lost_at(
        share, members=published.R, nodes=published.NODES, objects=OBJECTS, chunks=chunks, chunks_needed=published.K_OUT
    )


OBJECTS = 100
"""In the network that is attacked."""

MOST_GROUPS = 560
"""That an attacker reaches, on the plot."""


def figure6b(entry: Entry, effort: Effort) -> Figure:
    """Objects lost to an attacker who disconnects whole groups, by the share of nodes it disconnects."""
    values: list[Value] = []
    curves: list[Curve] = []
    groups = range(0, MOST_GROUPS + 1, 10)
    shares = np.array([share_attacked(each, published.R, published.NODES) for each in groups])
    for chunks, row in published.LOST_BY_ATTACKED.items():
        group = f"{published.K_OUT} of {chunks} chunks"
        here = replace(setting(), chunks=chunks)
        attacked = targeted_losses(
            here, list(row), OBJECTS, networks=effort.count(400, 80), seed=effort.seed, runner=effort.runner
        )
        for (share, paper), loss in zip(row.items(), attacked, strict=True):
            found = loss.share.scaled(100)
            values.append(
                Value(
                    group, f"{share:.3f}", share, paper, found.value, max(0.0, found.low), found.high, Measure.POINTS,
                    POINTS_LIMIT if paper < LEAST or paper > MOST else None, model=_exact(chunks, share),
                )
            )  # fmt: skip
        exact: Floats = np.array([100 * lost(each, OBJECTS, chunks, published.K_OUT) for each in groups], np.float64)
        curves.append(Curve(group, shares, exact))
    return Figure(
        entry.paper, entry.name, entry.title,
        "% of objects lost; model: hypergeometric; target: 2 points below 5 %",
        "attacked",
        Axes("share of nodes attacked", "objects lost, %", x_range=(0, 0.36), y_range=(0, 100)),
        tuple(values), tuple(curves),
        wrong=(
            "The text says that with 14 chunks no object is lost until a fifth of all nodes are attacked; its own "
            "values have losses below.",
        ),
        digits=2,
    )  # fmt: skip
