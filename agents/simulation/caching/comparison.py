"""Many policies on one trace, and what the best static expert would have made of it for whoever knew the future."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from agents.core.admission.objectives import Objective, Tally
from agents.simulation.caching.levels import Setting, tallies
from agents.simulation.caching.policies import Policy, statics
from agents.simulation.caching.traces import Trace

POINTS = 100
"""Of a curve over time."""

BEST, HINDSIGHT = "best static", "hindsight"
"""Names of what takes all statics to know: the best one of all, and the best one of every phase."""


@dataclass(frozen=True)
class Row:
    """What one policy made of the trace."""

    name: str
    phases: tuple[Tally, ...]
    curve: tuple[Tally, ...]
    """POINTS pieces of the trace, or as many as it has requests."""
    choices: tuple[tuple[int, str], ...] = ()
    """The request from which on another choice was in force, and which."""
    seconds: float = 0.0
    """Of this thread's own time; 0 where nothing was run for it alone."""

    @property
    def total(self) -> Tally:
        """Of the whole trace."""
        return reduce(add, self.phases)


@dataclass(frozen=True)
class Comparison:
    """Of policies on a trace."""

    trace: Trace
    setting: Setting
    objective: Objective
    edges: tuple[int, ...]
    """Of the phases, ends included."""
    points: tuple[int, ...]
    """Of the curves' pieces, ends included."""
    rows: tuple[Row, ...] = ()
    statics: tuple[Row, ...] = ()
    """Of every static expert, in the order of EXPERTS, if they were run."""

    def reward(self, tally: Tally) -> float:
        """Under the objective; the more the better."""
        return float(self.objective.reward(tally.shares))


def compare(
    trace: Trace,
    setting: Setting,
    policies: Sequence[Policy],
    objective: Objective,
    phase: int = 0,
    hindsight: bool = True,
    told: Callable[[str, int, int], None] = lambda what, done, total: None,
    known: Sequence[Row] = (),
) -> Comparison:
    """Replay ``trace`` under every policy, and with ``hindsight`` under every static expert.

    ``phase``: so many requests are a phase; 0: the trace's own phases. ``told`` hears of the work. ``known``: the statics of
    another comparison with the same trace, setting and phases, which are the same under any objective.
    """
    edges = (*trace.phases, len(trace)) if not phase else (*range(0, len(trace), phase), len(trace))
    points = tuple(int(point) for point in np.unique(np.linspace(0, len(trace), POINTS + 1).astype(np.int64)))
    found = Comparison(trace, setting, objective, edges, points)
    trace.known.sum(), trace.lengths.sum()  # found out once, and nobody's time
    wanted: list[Policy] = [*policies, *(statics() if hindsight and not known else ())]
    rows = []
    for number, policy in enumerate(wanted):
        told("replaying", number, len(wanted))
        rows.append(_row(found, policy))
    told("replaying", len(wanted), len(wanted))
    own, others = tuple(rows[: len(policies)]), tuple(known) or tuple(rows[len(policies) :])
    return replace(found, rows=(*own, *(_in_hindsight(found, others) if hindsight else ())), statics=others)


def _row(comparison: Comparison, policy: Policy) -> Row:
    """Run one policy."""
    trace = comparison.trace
    began = time.thread_time()
    replayed = policy.replay(trace, comparison.setting)
    seconds = time.thread_time() - began

    def counted(edges: tuple[int, ...]) -> tuple[Tally, ...]:
        return tuple(tallies(replayed.outcomes, trace.lengths, edges))

    return Row(policy.name, counted(comparison.edges), counted(comparison.points), replayed.choices, seconds)


def _in_hindsight(comparison: Comparison, rows: Sequence[Row]) -> tuple[Row, Row]:
    """The best static of all, and the best of each phase.

    Each static has been in force from the start, so the best of a phase found the cache as it likes it.
    """
    best = rows[int(np.argmax([comparison.reward(row.total) for row in rows]))]
    each = [
        int(np.argmax([comparison.reward(row.phases[phase]) for row in rows]))
        for phase in range(len(comparison.edges) - 1)
    ]
    middles = [(first + last - 1) // 2 for first, last in zip(comparison.points, comparison.points[1:], strict=False)]
    at: Any = np.searchsorted(comparison.edges, middles, side="right") - 1
    return (
        Row(BEST, best.phases, best.curve, ((0, best.name),)),
        Row(
            HINDSIGHT,
            tuple(rows[choice].phases[phase] for phase, choice in enumerate(each)),
            tuple(rows[each[phase]].curve[point] for point, phase in enumerate(at)),
            tuple((comparison.edges[phase], rows[choice].name) for phase, choice in enumerate(each)),
        ),
    )
