"""Synthetic traces: what a cache at the edge of a network may be asked for, with all that makes its life hard.

Nothing here was measured on real users. A trace is made of kinds of content, each with its footprint, sizes, popularity and
the way it changes; of phases, in which the kinds have other shares; of flash crowds; and of objects that are requested once
and never again, as many as it takes to make them ``WONDERS`` of all objects. A seed draws all of that anew, from the ranges of
KINDS: other seeds are other networks.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from agents.core.dataset.segments import SEGMENT_BYTES
from agents.core.errors import Misuse
from agents.simulation.caching.traces import Trace

SMALLEST = 100
"""Bytes of the smallest."""

WONDERS = 0.7
"""Of all objects of a trace, requested once."""

BLOCKS = 200
"""Pieces of a trace between which popularity drifts."""
SMALLEST_BLOCK = 2000
"""Requests of such a piece, at least: readings do not go on beyond it."""

RATE = 500.0
"""Requests a second, on average."""

SMALLEST_REQUESTS = 1000


@dataclass(frozen=True)
class Kind:
    """One kind of content."""

    name: str
    objects: int
    """Known at a time."""
    exponent: float
    """Of Zipf's law of their popularity."""
    median: int
    """Bytes."""
    spread: float
    """Standard deviation of the sizes' logarithm."""
    parts: int
    """Of a file. Half of its readers read it whole, the others up to any part; one after the other all the same."""
    drift: float
    """Of the files, replaced by new ones or exchanged in popularity, in a BLOCKS-th of the trace."""
    wonders: float
    """How readily its requests are for objects that nobody asks for again, beside the other kinds."""


KINDS = (
    Kind("web", 30_000, 0.95, 8_000, 1.3, 1, 0.004, 1.0),
    Kind("images", 60_000, 0.85, 24_000, 0.9, 1, 0.004, 1.5),
    Kind("media", 10_000, 0.9, 200_000, 0.6, 6, 0.006, 0.5),
    Kind("downloads", 10_000, 1.0, SEGMENT_BYTES, 0.3, 24, 0.001, 0.2),
)
"""What seeds vary: see `drawn`."""

LEADS = (1.0, 1.0, 0.5, 0.3)
"""How often each kind leads a phase, and has most of what the leader leaves."""
LEADERS_SHARE = 0.65
"""Of a phase's requests, at least."""


@dataclass(frozen=True)
class Phase:
    """A stretch of a trace with one mix."""

    start: int
    """The first request of it."""
    shares: tuple[float, ...]
    """Of requests, of each kind."""
    reach: tuple[float, ...]
    """Of each kind's objects that are asked for at all."""
    sharpness: tuple[float, ...]
    """Added to each kind's exponent."""
    haste: tuple[float, ...]
    """Times each kind's drift."""


def drawn(rng: np.random.Generator) -> tuple[Kind, ...]:
    """KINDS with other footprints (a third to three times), sizes (half to double), popularity and drift."""

    def scaled(value: float, most: float) -> float:
        return float(value * most ** rng.uniform(-1.0, 1.0))

    return tuple(
        replace(
            kind,
            objects=round(scaled(kind.objects, 3.0)),
            exponent=kind.exponent + rng.uniform(-0.2, 0.2),
            median=min(SEGMENT_BYTES, round(scaled(kind.median, 2.0))),
            spread=scaled(kind.spread, 1.3),
            parts=max(1, round(scaled(kind.parts, 1.5))),
            drift=scaled(kind.drift, 2.0),
        )
        for kind in KINDS
    )


def phases_of(rng: np.random.Generator, requests: int, count: int) -> tuple[Phase, ...]:
    """Phases of unequal lengths. In each one kind leads, another than in the phase before."""
    cuts = np.cumsum(rng.uniform(0.7, 1.3, count))
    starts = [0, *(int(requests * cut / cuts[-1]) for cut in cuts[:-1])]
    found: list[Phase] = []
    leader = -1
    for start in starts:
        chances = np.array([0.0 if kind == leader else LEADS[kind] for kind in range(len(KINDS))])
        leader = int(rng.choice(len(KINDS), p=chances / chances.sum()))
        shares = rng.dirichlet(LEADS) * (1.0 - LEADERS_SHARE)
        shares[leader] += LEADERS_SHARE
        found.append(
            Phase(
                start,
                tuple(float(share) for share in shares),
                tuple(float(reach) for reach in rng.uniform(0.3, 1.0, len(KINDS))),
                tuple(float(more) for more in rng.uniform(-0.15, 0.25, len(KINDS))),
                tuple(float(haste) for haste in np.exp(rng.uniform(np.log(0.2), np.log(8.0), len(KINDS)))),
            )
        )
    return tuple(found)


def synthetic(seed: int, requests: int = 2_000_000, phases: int = 5) -> Trace:
    """A trace that ``seed`` draws: the same one for the same arguments. Raises Misuse."""
    if seed < 0:
        raise Misuse(f"{seed} is not a seed", "", "Take 0 or more.")
    if requests < SMALLEST_REQUESTS or not 1 <= phases <= requests // SMALLEST_REQUESTS:
        raise Misuse(
            f"{requests} requests cannot have {phases} phases",
            f"a phase has {SMALLEST_REQUESTS} requests or more",
            "Ask for more requests, or fewer phases.",
        )
    rng = np.random.default_rng(seed)
    kinds, plan = drawn(rng), phases_of(rng, requests, phases)
    return _Making(rng, kinds, plan, requests).trace(f"synthetic, seed {seed}")


class _Making:
    """A trace in the making."""

    def __init__(
        self, rng: np.random.Generator, kinds: tuple[Kind, ...], plan: tuple[Phase, ...], requests: int
    ) -> None:
        self._rng, self._kinds, self._plan, self._requests = rng, kinds, plan, requests
        self._objects = 0
        self._sizes: list[Any] = []
        self._blocks = max(1, min(BLOCKS, requests // SMALLEST_BLOCK))
        self._files = [self._new(kind, max(2, kind.objects // kind.parts), kind.parts) for kind in kinds]
        """Of each kind, by rank of popularity: the first object of each file, whose other parts have the next numbers."""

    def _new(self, kind: Kind, files: int, parts: int = 1) -> Any:
        """The first objects of so many new files, whose sizes are drawn."""
        drawn_sizes = np.exp(self._rng.normal(np.log(kind.median), kind.spread, files * parts))
        self._sizes.append(np.clip(drawn_sizes, SMALLEST, SEGMENT_BYTES).astype(np.int64))
        self._objects += files * parts
        return np.arange(self._objects - files * parts, self._objects, parts, dtype=np.int64)

    def trace(self, source: str) -> Trace:
        """Make it."""
        starts = [phase.start for phase in self._plan]
        edges = np.unique(np.concatenate([np.linspace(0, self._requests, self._blocks + 1).astype(np.int64), starts]))
        objects = np.empty(self._requests, dtype=np.int64)
        kinds = np.empty(self._requests, dtype=np.int8)
        for first, last in pairwise(edges.tolist()):
            phase = self._plan[int(np.searchsorted(starts, first, side="right")) - 1]
            objects[first:last], kinds[first:last] = self._block(phase, last - first)
            self._drift(phase)
        self._crowds(objects, kinds)
        self._wonders(objects, kinds)
        times = np.cumsum(self._rng.exponential(1.0 / RATE, self._requests)).round(6)
        numbers, dense = np.unique(objects, return_inverse=True)
        return Trace(
            times, dense.astype(np.int32), np.concatenate(self._sizes)[numbers], source, tuple(starts), synthetic=True
        )

    def _block(self, phase: Phase, count: int) -> tuple[Any, Any]:
        """Requests of a block: objects and kinds. Files are read at the same time, by as many readers as it takes."""
        readings = [(1 + 3 * kind.parts) / 4 for kind in self._kinds]
        weights = np.array(phase.shares) / readings
        begun = self._rng.choice(len(self._kinds), size=count, p=weights / weights.sum())
        turns, objects, kinds = [], [], []
        for number, kind in enumerate(self._kinds):
            at, files = np.flatnonzero(begun == number), self._files[number]
            known = max(2, int(len(files) * phase.reach[number]))
            first = files[self._ranks(known, kind.exponent + phase.sharpness[number], len(at))]
            whole = self._rng.random(len(at)) < 0.5
            parts = np.where(whole, kind.parts, self._rng.integers(1, kind.parts + 1, len(at)))
            part = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
            objects.append(np.repeat(first, parts) + part)
            # A reader's next part comes some requests later: the others' requests are in between.
            turns.append(np.repeat(at + 0.0, parts) + part * np.repeat(self._rng.uniform(0.5, 3.0, len(at)), parts))
            kinds.append(np.full(len(part), number, dtype=np.int8))
        order = np.argsort(np.concatenate(turns), kind="stable")[:count]
        return np.concatenate(objects)[order], np.concatenate(kinds)[order]

    def _ranks(self, known: int, exponent: float, count: int) -> Any:
        """Ranks below ``known`` by Zipf's law."""
        chances = np.cumsum(np.arange(1, known + 1) ** -exponent)
        return np.searchsorted(chances, self._rng.random(count) * chances[-1])

    def _drift(self, phase: Phase) -> None:
        """Some files are replaced by new ones, more change places."""
        for number, kind in enumerate(self._kinds):
            files = self._files[number]
            share = kind.drift * phase.haste[number] * BLOCKS / self._blocks
            count = self._rng.binomial(len(files) // 2, min(1.0, 2.0 * share))
            ranks = self._rng.choice(len(files), size=2 * count, replace=False)
            files[ranks[:count]], files[ranks[count:]] = files[ranks[count:]], files[ranks[:count]]
            replaced = ranks[: count // 2]
            files[replaced] = self._new(kind, len(replaced), kind.parts)

    def _crowds(self, objects: Any, kinds: Any) -> None:
        """Now and then everybody wants a few objects: most of their kind's requests at first, fewer and fewer then."""
        for _ in range(self._rng.poisson(1.5 * len(self._plan))):
            first = self._rng.integers(self._requests)
            length = max(100, int(self._requests * self._rng.uniform(0.005, 0.03)))
            number = int(self._rng.integers(2))  # a page or a picture: it spreads
            wanted = self._new(self._kinds[number], int(self._rng.integers(1, 6)))
            at = first + np.flatnonzero(kinds[first : first + length] == number)
            joins = self._rng.random(len(at)) < 0.8 * np.exp(-3.0 * (at - first) / length)
            objects[at[joins]] = self._rng.choice(wanted, int(joins.sum()))

    def _wonders(self, objects: Any, kinds: Any) -> None:
        """Replace as many requests by ones for objects that are nobody's as makes these WONDERS of all objects."""
        liability = np.array([kind.wonders for kind in self._kinds])[kinds]
        turn = self._rng.random(self._requests) / liability
        low, high = 0.0, 1.0
        for _ in range(16):
            middle = (low + high) / 2.0
            replaced = turn < middle
            counts = np.bincount(objects[~replaced])
            once, lone = int(replaced.sum()), int((counts == 1).sum())
            if once + lone < WONDERS * (once + int((counts > 0).sum())):
                low = middle
            else:
                high = middle
        for number, kind in enumerate(self._kinds):
            at = np.flatnonzero((turn < high) & (kinds == number))
            objects[at] = self._new(kind, len(at))
