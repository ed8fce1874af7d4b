"""Darwin on a trace: the controller that a live cache has, with windows replayed by the kernels."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.core.admission.controller import Controller, Stage
from agents.core.admission.experts import Expert
from agents.core.admission.objectives import Tally
from agents.core.admission.windows import Window, window
from agents.simulation.caching.levels import Cache, tally
from agents.simulation.caching.traces import Trace


@dataclass(frozen=True)
class Turn:
    """One window of a run."""

    start: int
    """Its first request."""
    stage: Stage
    expert: Expert


@dataclass(frozen=True, eq=False)
class Run:
    """A trace with Darwin."""

    outcomes: Any
    """uint8, one a request, as `Cache.replay` gives them."""
    turns: list[Turn]
    looks: int
    drifts: int
    """Times that the traffic was found to have changed."""


def seen(trace: Trace, first: int, last: int, history: int, memory: int, counted: Tally | None = None) -> Window:
    """What a cache that remembers ``history`` requests more sees of a part of a trace."""
    part = slice(max(0, first - history), last)
    times = np.arange(part.start, last)
    return window(
        trace.objects[part], trace.lengths[part], trace.ordinals[part], times, first - part.start, memory, counted or Tally()
    )


def run(cache: Cache, controller: Controller) -> Run:
    """Go to the end of the trace of ``cache``, which is at its beginning."""
    trace, length = cache.trace, controller.lengths.window
    state = controller.begin()
    outcomes = np.empty(len(trace), np.uint8)
    turns: list[Turn] = []
    for first in range(0, len(trace), length):
        last = min(first + length, len(trace))
        turns.append(Turn(first, state.stage, controller.expert(state)))
        outcomes[first:last] = cache.with_expert(last, controller.expert(state))
        half = slice(first + length // 2, last)
        if last - first == length:
            counted = tally(outcomes[half], trace.lengths[half])
            look = seen(trace, first, last, controller.lengths.history, cache.setting.memory, counted)
            state = controller.step(state, look)
    return Run(outcomes, turns, state.looks, state.drifts)
