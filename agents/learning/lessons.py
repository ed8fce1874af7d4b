"""What every expert makes of training traces, window by window: what clusters and predictors are learnt from."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from agents.core.admission.experts import EXPERTS
from agents.simulation.caching.darwin import seen
from agents.simulation.caching.levels import HOT, ORIGIN, WRITTEN, Cache, Setting
from agents.simulation.caching.traces import Trace

SETTLING = 0.1
"""Of a phase: until then experts are not yet judged by it."""


@dataclass(frozen=True)
class Looks:
    """Where a trace is looked at."""

    window: int = 4_000
    """Requests of a window."""
    history: int = 32_000
    """Requests before it that are remembered."""
    each: int = 5
    """Windows of a phase; the first is at its very beginning."""


@dataclass(frozen=True, eq=False)
class Lessons:
    """Of many windows of requests, (n, ...)."""

    inputs: Any
    """What a predictor sees of the traffic, (n, INPUTS)."""
    later: Any
    """What it sees a window later, (n, INPUTS)."""
    together: Any
    """The share with the event under both i and j, (n, EVENTS, i, j), float32."""
    half: Any
    """Shares of EVENTS in the window's second half, (n, experts, EVENTS)."""
    miniature: Any
    """Shares of hot requests and hot bytes by miniatures, (n, experts, 2)."""
    coming: Any
    """Shares of EVENTS under each expert in the whole phase once it has settled, (n, experts, EVENTS)."""
    phase: Any
    """Which phase of all traces the window is from, (n,)."""

    @property
    def shares(self) -> Any:
        """Of EVENTS under each expert in the window, (n, experts, EVENTS)."""
        return np.diagonal(self.together, axis1=2, axis2=3).transpose(0, 2, 1)


def happened(outcomes: Any) -> tuple[Any, ...]:
    """Whether each of EVENTS happened at each request."""
    hot = outcomes == HOT
    return hot, hot, (outcomes == ORIGIN) | (outcomes == WRITTEN), outcomes == WRITTEN


def _shares(events: tuple[Any, ...], weights: Any) -> Any:
    """(experts, EVENTS) of events (experts, n) each and ``weights`` (EVENTS, n)."""
    return np.stack([(event @ weight) / weight.sum() for event, weight in zip(events, weights, strict=True)], axis=1)


def _together(events: tuple[Any, ...], weights: Any) -> Any:
    """(EVENTS, experts, experts)"""
    ones = [event.astype(np.float32) for event in events]
    return np.stack([(one * weight) @ one.T / weight.sum() for one, weight in zip(ones, weights, strict=True)])


def lessons_of(trace: Trace, setting: Setting, looks: Looks, seed: int) -> Lessons:
    """Of one trace; ``seed`` says where it is looked at."""
    rng = np.random.default_rng(seed)
    outcomes = np.stack([Cache(trace, setting).with_expert(len(trace), expert) for expert in EXPERTS])
    lengths = trace.lengths.astype(np.float32)
    weights = np.stack([np.ones_like(lengths), lengths, lengths, lengths])
    found: list[list[Any]] = [[] for _ in fields(Lessons)]
    everyone = range(len(EXPERTS))
    for number, (start, end) in enumerate(zip(trace.phases, [*trace.phases[1:], len(trace)], strict=True)):
        latest = end - 3 * looks.window
        if latest <= start:
            continue
        settled = slice(start + int((end - start) * SETTLING), end)
        coming = _shares(happened(outcomes[:, settled]), weights[:, settled])
        for first in [start, *rng.integers(start, latest, looks.each - 1).tolist()]:
            here, half = slice(first, first + looks.window), slice(first + looks.window // 2, first + looks.window)
            look = seen(trace, here.start, here.stop, looks.history, setting.memory)
            after = seen(trace, here.stop, here.stop + looks.window, looks.history, setting.memory)
            for column, value in zip(
                found,
                (
                    look.features.inputs,
                    after.features.inputs,
                    _together(happened(outcomes[:, here]), weights[:, here]),
                    _shares(happened(outcomes[:, half]), weights[:, half]),
                    look.miniature(everyone),
                    coming,
                    number,
                ),
                strict=True,
            ):
                column.append(value)
    columns: dict[str, Any] = {
        field.name: np.array(column, np.float32) for field, column in zip(fields(Lessons), found, strict=True)
    }
    return Lessons(**{**columns, "phase": columns["phase"].astype(np.int64)})


def joined(parts: Sequence[Lessons]) -> Lessons:
    """The lessons of several traces as one."""
    before = np.cumsum([0, *(int(part.phase.max()) + 1 for part in parts)])
    columns = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Lessons)}
    columns["phase"] = np.concatenate([part.phase + first for part, first in zip(parts, before[:-1], strict=True)])
    return Lessons(**columns)
