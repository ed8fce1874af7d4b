"""Chunk groups under Vault's rules (its sections 4.3 and 6.1): churn, Byzantine members, rotation, repairs, chunk caches.

Each group is simulated by itself. Its members are random nodes, so each honest one of them leaves at the rate at which honest
nodes leave, and whoever takes the place is Byzantine with the share of such nodes among those not in the group: that is the
exact law of one group. Two groups are tied only by the nodes they share, R^2/N = 0.064 of 80 on average among 100,000 nodes;
what that does to the objects lost is far below the intervals given. (`tests/simulation` has the network with all its nodes.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from agents.core.durability.group_setting import REPLICATED, GroupSetting, even_rotation, safe_rotation
from agents.core.durability.hazards import YEAR_SECONDS
from agents.core.errors import Misuse
from agents.kernels import lives
from agents.simulation import intervals
from agents.simulation.intervals import Interval
from agents.simulation.running import HERE, Runner, cut

__all__ = [
    "LOST", "REPLICATED", "GroupSetting", "GroupsResult", "ObjectLoss", "byzantine", "even_rotation", "half_lost",
    "object_losses", "safe_rotation", "simulate_groups", "trace",
]  # fmt: skip

PIECE = 250
"""Groups at most that are simulated without a break."""
LOST = -1
"""In a trace: the group is lost."""


@dataclass(frozen=True)
class GroupsResult:
    """What became of many groups; one entry a group in each array."""

    setting: GroupSetting
    duration: float
    """Seconds each of them was watched, unless it was lost before."""
    lost_at: Any
    """float64 seconds; inf where the group lived on."""
    repairs: Any
    """int32, of one fragment each."""
    fetched: Any
    """int32: those of them that fetched fragments, as no member had the chunk in its cache."""
    least: Any
    """int32, the fewest fragments on honest members at any time; below the needed ones where the group was lost."""
    most: Any
    """int32, the most of them."""
    mean: Any
    """float64, of them over the time lived."""

    @property
    def groups(self) -> int:
        """How many."""
        return len(self.lost_at)

    @property
    def losses(self) -> int:
        """Groups lost."""
        return int(np.isfinite(self.lost_at).sum())

    @property
    def loss(self) -> Interval:
        """The probability that a chunk is lost within the duration."""
        return intervals.share(self.losses, self.groups)

    @property
    def lived(self) -> float:
        """Seconds lived by all together."""
        return float(np.minimum(self.lost_at, self.duration).sum())

    @property
    def repairs_per_year(self) -> Interval:
        """Fragment repairs of one chunk a year, over groups that all lived on."""
        return intervals.mean(self.repairs).scaled(self.groups * YEAR_SECONDS / self.lived)

    @property
    def traffic(self) -> Interval:
        """Repair traffic of one object over the duration, in sizes of the object.

        A chunk is 1/k_out of it, a fragment 1/k_in of a chunk; a repair fetches k_in fragments, or the one it needs from who
        has the chunk in its cache.
        """
        setting = self.setting
        cost = self.fetched + (self.repairs - self.fetched) / setting.needed
        return intervals.mean(cost * (setting.chunks / setting.chunks_needed))


@dataclass(frozen=True)
class _Piece:
    setting: GroupSetting
    duration: float
    groups: int
    seed: np.random.SeedSequence


def simulate_groups(
    setting: GroupSetting, duration: float, groups: int, seed: int = 0, *, runner: Runner = HERE
) -> GroupsResult:
    """The lives of so many groups over ``duration`` seconds. Raises Misuse."""
    _check(duration)
    pieces = [_Piece(setting, duration, *part) for part in cut(groups, PIECE, seed)]
    found = runner.run(_live, pieces)
    return GroupsResult(setting, duration, *(np.concatenate(arrays) for arrays in zip(*found, strict=True)))


def trace(setting: GroupSetting, duration: float, every: float, seed: int = 0) -> Any:
    """Fragments of one chunk on honest members, int32, now and every ``every`` seconds; LOST once it is. Raises Misuse."""
    _check(duration)
    if not 0.0 < every <= duration:
        raise Misuse(f"a chunk cannot be looked at every {every} s for {duration} s")
    samples = np.empty(int(duration / every) + 1, np.int32)
    _fill(_Piece(setting, duration, *cut(1, 1, seed)[0]), every, samples)
    return samples


def _check(duration: float) -> None:
    if not 0.0 < duration < math.inf:
        raise Misuse(f"{duration} seconds cannot be simulated", "", "Take a duration above 0 that ends.")


def _live(piece: _Piece) -> tuple[Any, ...]:
    return _fill(piece, 1.0, np.empty(0, np.int32))


def _fill(piece: _Piece, every: float, samples: Any) -> tuple[Any, ...]:
    setting = piece.setting
    lost_at, mean = np.empty(piece.groups, np.float64), np.empty(piece.groups, np.float64)
    repairs, fetched, least, most = (np.empty(piece.groups, np.int32) for _ in range(4))
    lives.group_lives()(
        lives.seeded(piece.seed), setting.nodes, round(setting.byzantine * setting.nodes), setting.members, setting.needed,
        setting.leaving, setting.rotation, setting.cache, piece.duration, every,
        np.empty(5 * setting.members, np.int64), lost_at, repairs, fetched, least, most, mean, samples,
    )  # fmt: skip
    return lost_at, repairs, fetched, least, most, mean


@dataclass(frozen=True)
class ObjectLoss:
    """Objects lost in one setting."""

    setting: GroupSetting
    objects: int
    lost: int
    """Objects, counted."""
    chunks_lost: int

    @property
    def share(self) -> Interval:
        """The probability that an object is lost, from the share of all chunks lost: closer than a count of objects is.

        The chunks of an object are lost independently, so that the number of them is binomial; the interval is that of the
        chunks' share, carried over.
        """
        chunks = intervals.share(self.chunks_lost, self.objects * self.setting.chunks)
        return Interval(*map(self.setting.object_loss, (chunks.value, chunks.low, chunks.high)))

    @property
    def counted(self) -> Interval:
        """The same from the objects lost."""
        return intervals.share(self.lost, self.objects)


def object_losses(
    settings: Sequence[GroupSetting], duration: float, objects: int, seed: int = 0, *, runner: Runner = HERE
) -> list[ObjectLoss]:
    """Objects lost in each setting within ``duration`` seconds: those of which more than n_out - k_out chunks are.

    The settings share their random numbers, so that a curve over them is smooth. Raises Misuse.
    """
    _check(duration)
    pieces = [
        [
            _Piece(setting, duration, whole * setting.chunks, chance)
            for whole, chance in cut(objects, max(1, PIECE // setting.chunks), seed)
        ]
        for setting in settings
    ]
    found = iter(runner.run(_lost_chunks, [piece for row in pieces for piece in row]))
    losses = []
    for setting, row in zip(settings, pieces, strict=True):
        lost = np.concatenate([next(found) for _ in row])
        fatal = int((lost > setting.chunks - setting.chunks_needed).sum())
        losses.append(ObjectLoss(setting, objects, fatal, int(lost.sum())))
    return losses


def _lost_chunks(piece: _Piece) -> Any:
    """Chunks lost of each object."""
    return np.isfinite(_live(piece)[0]).reshape(-1, piece.setting.chunks).sum(axis=1)


def byzantine(
    setting: GroupSetting, fractions: Sequence[float], *, rotates: bool = True, members: int | None = None
) -> list[GroupSetting]:
    """``setting`` with each share of Byzantine nodes, and, unless not ``rotates``, with the `safe_rotation` for that share.

    ``members``: of the groups that the rotation is made for, where those are others. In Vault's figure 6 the three copies of
    the baseline, and in its figure 5 the group of 100, are rotated as groups of 80.
    """
    size = members or setting.members
    return [
        replace(
            setting,
            byzantine=fraction,
            rotation=safe_rotation(setting.churn, size, fraction) if rotates else setting.rotation,
        )
        for fraction in fractions
    ]


def half_lost(losses: Sequence[ObjectLoss]) -> float:
    """The share of Byzantine nodes with which half of all objects are lost, on the line between the points around it.

    ``losses`` come with rising shares; nan where half is never crossed.
    """
    for before, after in pairwise(losses):
        low, high = before.share.value, after.share.value
        if low < 0.5 <= high:
            step = (0.5 - low) / (high - low)
            return before.setting.byzantine + step * (after.setting.byzantine - before.setting.byzantine)
    return math.nan
