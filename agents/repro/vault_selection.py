"""Vault's selection rule, as printed and with the right expectation."""

import numpy as np

from agents.core.durability.selection import picked_as_printed, picked_exponentially
from agents.repro import published
from agents.repro.catalogue import Entry
from agents.repro.effort import Effort
from agents.repro.figures import Axes, Curve, Figure, Floats, Line, Value
from agents.repro.selection import Rule, printed, selected, sound
from agents.simulation import intervals

PRINTED, SOUND = "as printed", "exp(-2 d / R)"
LIMIT = 0.02
MOST = 130
"""Nodes selected, on the plot."""


def rules(entry: Entry, effort: Effort) -> Figure:
    """How many nodes each rule selects for a chunk; the paper means R."""
    chunks = effort.count(20_000, 2_000)
    mean = picked_as_printed(published.R, published.NODES)
    wrong, wrong_curve, enough = _rule(PRINTED, printed, mean, chunks, effort)
    right, right_curve, _ = _rule(SOUND, sound, picked_exponentially(published.R, published.NODES), chunks, effort)
    return Figure(
        entry.paper, entry.name, entry.title,
        f"nodes selected of {published.NODES:,} where the paper means R = {published.R}; target: within 2 %",
        "rule",
        Axes("nodes selected for a chunk", "chunks, %", x_range=(0, MOST), y_range=(0, None)),
        (wrong, right), (wrong_curve, right_curve),
        (Line(published.R, f"R = {published.R}", upright=True), Line(published.K_IN, f"k_in = {published.K_IN}", upright=True)),
        wrong=(
            f"The printed rule selects 2 (log2 R - 1 + 1 / ln 2) = {mean:.1f} nodes. A chunk needs {published.K_IN} fragments "
            f"to be read: {100 * enough:.2g} % of our {chunks:,} chunks would get so many.",
        ),
        notes=(
            "The authors ask in a comment left in the text what the expectation is. With exp(-2 d / R), d in mean distances "
            "between nodes, it is R.",
        ),
        digits=2,
    )  # fmt: skip


def _rule(group: str, rule: Rule, mean: float, chunks: int, effort: Effort) -> tuple[Value, Curve, float]:
    """The rule's value and its distribution, and the share of chunks that get enough fragments."""
    found = selected(rule, published.R, published.NODES, chunks, np.random.SeedSequence((effort.seed, rule is sound)))
    here = intervals.mean(found)
    value = Value(
        group, group, 0.0, published.R, here.value, here.low, here.high, limit=LIMIT, model=mean, drawn=False,
        explained="" if rule is sound else "the text's rule does not select R nodes",
    )  # fmt: skip
    counts: Floats = np.bincount(found, minlength=MOST + 1)[: MOST + 1] * (100 / chunks)
    curve = Curve(group, np.arange(MOST + 1.0), counts, np.zeros(MOST + 1), counts)
    return value, curve, float((found >= published.K_IN).mean())
