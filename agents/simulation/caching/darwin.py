"""Darwin on a trace: the controller that a live cache has, its windows replayed by the kernels."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.core.admission.controller import Controller
from agents.core.admission.objectives import Tally
from agents.core.admission.windows import Window, window
from agents.simulation.caching.levels import Cache, Setting, expert_admits, tally
from agents.simulation.caching.policies import Log, Replayed, windows
from agents.simulation.caching.traces import Trace


@dataclass(frozen=True, eq=False)
class Past:
    """What a cache did in the past."""

    admitted: Any
    """Which requests its memory was told to keep, uint8, one a request."""
    lead: int
    """Requests before a window in which miniatures admit by themselves."""


def seen(
    trace: Trace,
    first: int,
    last: int,
    history: int,
    memory: int,
    counted: Tally | None = None,
    past: Past | None = None,
) -> Window:
    """What a cache that remembers ``history`` requests more sees of a part of a trace.

    Without a ``past`` every miniature is of a cache that had its expert all the time.
    """
    part = slice(max(0, first - history), last)
    times: Any = np.arange(part.start, last)
    admitted = np.ones(len(times), np.uint8) if past is None else past.admitted[part]
    bounds = (0 if past is None else first - past.lead, first)
    return window(
        trace.objects[part],
        trace.lengths[part],
        trace.ordinals[part],
        times,
        admitted,
        bounds,
        memory,
        counted or Tally(),
    )


@dataclass(frozen=True)
class Darwin:
    """Experts chosen by what was learnt from other traces."""

    controller: Controller
    name: str = "darwin"

    def replay(self, trace: Trace, setting: Setting) -> Replayed:
        """As Policy."""
        controller, cache, log = self.controller, Cache(trace, setting), Log()
        state, length = controller.begin(), controller.lengths.window
        past = Past(np.zeros(len(trace), np.uint8), controller.lengths.lead)
        for first, last in windows(trace, length):
            expert = controller.expert(state)
            past.admitted[first:last] = expert_admits(trace, first, last, expert)
            outcomes = cache.with_expert(last, expert)
            log.add(first, expert.name, outcomes)
            if last - first == length:
                half = length // 2
                counted = tally(outcomes[half:], trace.lengths[first + half : last])
                history = controller.lengths.history
                state = controller.step(state, seen(trace, first, last, history, setting.memory, counted, past))
        return log.replayed()
