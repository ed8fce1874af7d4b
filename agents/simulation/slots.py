"""Datasets of slots under Codex's rules (its section 5): losses, proofs missed, lazy repair and its traffic.

The states are those of `agents.core.durability.slots`, but each slot is followed by itself and nothing is approximated, so
that the model can be checked. Two things the model leaves out can be had as well: proofs at the ends of fixed periods, as the
market asks for them, and times to loss that are not exponential.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.core.durability.hazards import Code, Hazards
from agents.core.errors import Misuse
from agents.kernels import lives
from agents.simulation import intervals
from agents.simulation.intervals import Interval
from agents.simulation.running import HERE, Runner, cut

PIECE = 5_000
"""Datasets at most that are simulated without a break."""


@dataclass(frozen=True)
class SlotsResult:
    """What became of many datasets; one entry a dataset in each array."""

    code: Code
    duration: float
    """Seconds each of them was watched, unless it was lost before."""
    lost_at: Any
    """float64 seconds; inf where the dataset lived on."""
    repairs: Any
    """int32, completed ones."""
    written: Any
    """int32, slots made anew by them."""

    @property
    def datasets(self) -> int:
        """How many."""
        return len(self.lost_at)

    @property
    def losses(self) -> int:
        """Datasets lost."""
        return int(np.isfinite(self.lost_at).sum())

    @property
    def loss(self) -> Interval:
        """The probability that a dataset is lost within the duration."""
        return intervals.share(self.losses, self.datasets)

    @property
    def repair_rate(self) -> Interval:
        """Repairs per dataset and second of life."""
        return self._rate(self.repairs)

    @property
    def traffic_rate(self) -> Interval:
        """Slots' sizes moved per dataset and second of life: whoever is first fetches k and hands on what others take."""
        return self._rate(self.repairs * float(self.code.data - 1) + self.written)

    def _rate(self, counts: Any) -> Interval:
        """Of a ratio of two means (delta method)."""
        lived = np.minimum(self.lost_at, self.duration)
        ratio = float(counts.sum() / lived.sum())
        spread = intervals.mean((counts - ratio * lived) / lived.mean())
        return Interval(ratio, ratio + spread.low - spread.value, ratio + spread.high - spread.value)


@dataclass(frozen=True)
class Periodic:
    """Proofs as the market asks for them: at the end of each period, of each slot by chance."""

    period: float
    """Seconds."""
    asked: float
    """The probability that a slot is asked for one; period / asked is the mean time between proofs."""


@dataclass(frozen=True)
class _Piece:
    code: Code
    hazards: Hazards
    duration: float
    periodic: Periodic | None
    datasets: int
    seed: np.random.SeedSequence


def simulate_slots(
    code: Code,
    hazards: Hazards,
    duration: float,
    datasets: int,
    seed: int = 0,
    *,
    periodic: Periodic | None = None,
    runner: Runner = HERE,
) -> SlotsResult:
    """The lives of so many datasets over ``duration`` seconds. With ``periodic``, hazards.mtbp is not used.

    Raises Misuse.
    """
    if not 0.0 < duration < math.inf:
        raise Misuse(f"{duration} seconds cannot be simulated", "", "Take a duration above 0 that ends.")
    if periodic is not None and not (0.0 < periodic.period < math.inf and 0.0 < periodic.asked <= 1.0):
        raise Misuse(
            f"proofs cannot be asked for each {periodic.period} s with probability {periodic.asked}",
            "a period is longer than 0, a probability is above 0 and at most 1",
        )
    pieces = [_Piece(code, hazards, duration, periodic, *part) for part in cut(datasets, PIECE, seed)]
    found = runner.run(_live, pieces)
    lost_at, repairs, written = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return SlotsResult(code, duration, lost_at, repairs, written)


def _live(piece: _Piece) -> tuple[Any, Any, Any]:
    code, hazards, periodic = piece.code, piece.hazards, piece.periodic
    slots = code.data + code.parity
    lost_at = np.empty(piece.datasets, np.float64)
    repairs, written = np.empty(piece.datasets, np.int32), np.empty(piece.datasets, np.int32)
    lives.slot_lives()(
        lives.seeded(piece.seed), slots, code.parity, code.repair_threshold, code.misses, hazards.group_size,
        1.0 / hazards.mttf, 1.0 / hazards.group_mttf, 1.0 / hazards.mtbp, 1.0 / hazards.mttr,
        periodic.period if periodic else 0.0, periodic.asked if periodic else 0.0, piece.duration,
        np.empty(3 * slots, np.int64), lost_at, repairs, written,
    )  # fmt: skip
    return lost_at, repairs, written
