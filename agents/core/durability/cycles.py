"""One cycle of a dataset's life: from all slots there until they are there again, or too many are lost.

Repair is the only way back in Codex's chain (§5.4), and it leads to the start. Between two repairs the chain only moves
forward, so the chance to be in a state, times the time spent in it, is one pass of additions and multiplications of
numbers above zero: nothing cancels, and a loss of 1e-200 is as exact as one of a half.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import expm1, inf

import numpy as np

from agents.core.durability.fates import Groups, until_repair
from agents.core.durability.hazards import Code, Hazards
from agents.core.durability.waiting import Grid, grid, until_trigger


@dataclass(frozen=True)
class Cycle:
    """What happens between two starts with all slots there."""

    seconds: float
    """Its mean length."""

    loss: float
    """Probability that it ends with the dataset lost."""

    repair: float
    """Probability that it ends with a repair."""

    lost_slots: float
    """Mean number of slots lost when it ends with a repair."""

    @property
    def mean_time_to_loss(self) -> float:
        """Seconds until a cycle ends with the dataset lost, on average; infinite above what a float holds."""
        return self.seconds / self.loss if self.loss else inf

    @property
    def repairs_per_second(self) -> float:
        """Repairs a second, in the long run."""
        return self.repair / self.seconds

    def loss_within(self, duration: float) -> float:
        """Probability that the dataset is lost within ``duration`` seconds, 1 - exp(-duration / mean time to loss)."""
        return -expm1(-duration / self.seconds * self.loss)


def cycles(codes: Sequence[Code], hazards: Hazards) -> list[Cycle]:
    """The cycle of each code under the same hazards. The codes share a threshold and a number of misses."""
    if codes[0].misses == 1 and not hazards.striking:
        return _independent(codes, hazards)
    at = grid(hazards, codes[0].misses)
    return [_observed_late(code, Groups.of(code, hazards), at) for code in codes]


def _observed_late(code: Code, groups: Groups, at: Grid) -> Cycle:
    """Slots that fail in groups, or are observed after more than one missed proof."""
    failing, mending = at.hazards.failing, 1 / at.hazards.mttr
    waiting, triggered = until_trigger(code, groups, at)
    mended = until_repair(groups, triggered, failing, mending)
    seconds = loss = repair = vacant = 0.0
    for struck, after in mended.items():
        both = waiting[struck] + after
        seconds += float(both.sum())
        loss += float(both @ groups.fatal(struck, failing))
        repair += float(after.sum()) * mending
        vacant += float(after @ (groups.lost(struck) + np.arange(len(after)))) * mending
    return Cycle(seconds, loss, repair, vacant / repair if repair else 0.0)


def _independent(codes: Sequence[Code], hazards: Hazards) -> list[Cycle]:
    """Slots that fail one by one and are observed at the first missed proof: all codes at once.

    States are (l lost, f observed); from f = l0 on, more observations change nothing, so that f stops there.
    """
    slots = np.array([code.slots for code in codes], float)
    parity = np.array([code.parity for code in codes])
    threshold = codes[0].repair_threshold
    failing, proving, mending = hazards.failing, 1 / hazards.mtbp, 1 / hazards.mttr
    seconds, loss, repair, vacant = (np.zeros(len(codes)) for _ in range(4))
    arriving = np.zeros((threshold + 1, len(codes)))
    arriving[0] = 1.0
    for lost in range(int(parity.max()) + 1):
        arriving[:, parity < lost] = 0.0
        fails = np.maximum(slots - lost, 0.0) * failing
        onward = np.zeros_like(arriving)
        for seen in range(threshold + 1):
            observes = (lost - seen) * proving if seen < min(threshold, lost) else 0.0
            mends = mending if seen == threshold else 0.0
            stay = arriving[seen] / (fails + observes + mends)
            seconds += stay
            onward[seen] = stay * fails
            if observes:
                arriving[seen + 1] += stay * observes
            if mends:
                repair += stay * mends
                vacant += stay * mends * lost
        loss += np.where(parity == lost, onward.sum(axis=0), 0.0)
        arriving = onward
    return [
        Cycle(float(s), float(p), float(r), float(v / r) if r else 0.0)
        for s, p, r, v in zip(seconds, loss, repair, vacant, strict=True)
    ]
