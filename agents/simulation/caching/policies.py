"""Policies that replay a trace: what each does before its next requests is decided by those before them alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from agents.core.admission.experts import EXPERTS, FREQUENCIES, SIZES, Expert
from agents.core.admission.objectives import Objective
from agents.simulation.caching.levels import Cache, Setting, tally
from agents.simulation.caching.traces import Trace

FIRST = Expert(4, 100_000)
"""In force before anything is known."""


@dataclass(frozen=True)
class Replayed:
    """What became of a trace under a policy."""

    outcomes: Any
    """uint8, one a request: see agents/simulation/caching/levels.py."""
    choices: tuple[tuple[int, str], ...] = ()
    """The request from which on another choice was in force, and which."""


class Policy(Protocol):
    """A way to run a cache."""

    @property
    def name(self) -> str:
        """For tables, at most 14 letters."""

    def replay(self, trace: Trace, setting: Setting) -> Replayed:
        """The whole trace, from an empty cache."""


@dataclass(frozen=True)
class Eviction:
    """Everything is admitted; memory evicts by one of the orders of agents/kernels/caches.py."""

    order: str

    @property
    def name(self) -> str:
        """That of the order."""
        return self.order

    def replay(self, trace: Trace, setting: Setting) -> Replayed:
        """As Policy."""
        return Replayed(Cache(trace, setting, self.order).replay(len(trace)))


@dataclass(frozen=True)
class Static:
    """One expert for ever."""

    expert: Expert

    @property
    def name(self) -> str:
        """That of the expert."""
        return self.expert.name

    def replay(self, trace: Trace, setting: Setting) -> Replayed:
        """As Policy."""
        return Replayed(Cache(trace, setting).with_expert(len(trace), self.expert))


def windows(trace: Trace, length: int) -> Iterator[tuple[int, int]]:
    """First and last request of each piece of ``length`` requests."""
    for first in range(0, len(trace), length):
        yield first, min(first + length, len(trace))


@dataclass
class Log:
    """Outcomes and choices as they come."""

    outcomes: list[Any] = field(default_factory=list)
    choices: list[tuple[int, str]] = field(default_factory=list)

    def add(self, first: int, choice: str, outcomes: Any) -> None:
        """What ``choice`` made of requests from ``first`` on."""
        self.outcomes.append(outcomes)
        if not self.choices or self.choices[-1][1] != choice:
            self.choices.append((first, choice))

    def replayed(self) -> Replayed:
        """All of it."""
        return Replayed(np.concatenate(self.outcomes), tuple(self.choices))


def nearest(frequency: float, size: float) -> Expert:
    """The expert of EXPERTS with the nearest thresholds, sizes compared by their ratio."""
    return Expert(
        min(FREQUENCIES, key=lambda known: abs(known - frequency)),
        min(SIZES, key=lambda known: abs(float(np.log(known / size)))),
    )


@dataclass(frozen=True)
class Percentile:
    """Thresholds that the last window's 60th percentile of objects' requests and 90th of sizes are nearest to."""

    window: int
    """Requests."""
    frequencies: float = 60.0
    sizes: float = 90.0
    name: str = "percentile"

    def replay(self, trace: Trace, setting: Setting) -> Replayed:
        """As Policy."""
        cache, log, expert = Cache(trace, setting), Log(), FIRST
        for first, last in windows(trace, self.window):
            log.add(first, expert.name, cache.with_expert(last, expert))
            objects, counts = np.unique(trace.objects[first:last], return_counts=True)
            size = np.percentile(trace.sizes[objects], self.sizes)
            expert = nearest(float(np.percentile(counts, self.frequencies)), float(size))
        return log.replayed()


@dataclass(frozen=True)
class HillClimbing:
    """Two shadow caches try a neighbour in frequency and one in size; the best of the three goes on."""

    window: int
    """Requests."""
    objective: Objective
    seed: int = 0
    name: str = "hillclimbing"

    def replay(self, trace: Trace, setting: Setting) -> Replayed:
        """As Policy."""
        rng = np.random.default_rng(self.seed)
        cache, log = Cache(trace, setting), Log()
        experts = (FIRST, *_neighbours(FIRST, rng))
        shadows = [cache.copy(), cache.copy()]
        for first, last in windows(trace, self.window):
            found = [each.with_expert(last, expert) for each, expert in zip([cache, *shadows], experts, strict=True)]
            log.add(first, experts[0].name, found[0])
            lengths = trace.lengths[first:last]
            rewards = [float(self.objective.reward(tally(outcomes, lengths).shares)) for outcomes in found]
            best = experts[int(np.argmax(rewards))]
            experts = (best, *_neighbours(best, rng))
        return log.replayed()


def _neighbours(expert: Expert, rng: np.random.Generator) -> tuple[Expert, Expert]:
    """One step in frequency and one in size, up or down; at an end of the scale there is one way only."""
    frequency, size = FREQUENCIES.index(expert.frequency), SIZES.index(expert.size)
    return (
        Expert(FREQUENCIES[_step(frequency, len(FREQUENCIES), rng)], expert.size),
        Expert(expert.frequency, SIZES[_step(size, len(SIZES), rng)]),
    )


def _step(at: int, count: int, rng: np.random.Generator) -> int:
    return min(at + 1, count - 1) if at == 0 or (at < count - 1 and rng.random() < 0.5) else at - 1


def statics(experts: Sequence[Expert] = EXPERTS) -> list[Static]:
    """Every one alone."""
    return [Static(expert) for expert in experts]
