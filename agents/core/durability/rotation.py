"""Losses of a chunk group that rotates: a chain that knows where in the order of its fragments the Byzantine ones are.

Fragment i is due at (i + 1) W, whether its node is still there or not. What comes next depends on the kind of every fragment
made since the due one, Byzantine, there, or gone: some 3^100 states. Even with no departures, losing a chunk is a scan
statistic (too many hits among R trials in a row), of which no exact solution of this size is known. So the state here is how
many of these fragments are Byzantine and how many gone, and for each state the chain keeps, by position, the chance of either
kind and its covariances with the mean positions of both kinds. Departures change all this exactly. An eviction tells what the
due fragment was: what that says about the others is taken from these moments, as for normal distributions, and that alone is
an approximation. With no departures, the rates of loss are within 1 % of the exact ones where these can be counted out; with
them, within 2 % of the simulation's.
"""

from dataclasses import replace
from functools import lru_cache
from math import ceil, expm1, fsum, isfinite, log1p

import numpy as np

from agents.core.durability.group_setting import GroupSetting, hypergeometric
from agents.core.durability.observing import Floats
from agents.kernels import lives

BUSIEST = 1.0 + 1e-9
"""Departures of an all-honest group from one eviction to the next, at most; beyond it windows get long."""
OF_A_STEP = 0.6
"""Such departures in one step at most; a step has two departures in it at most, with the right mean and variance."""
NEGLIGIBLE = 1e-8
"""Share of all living groups below which the numbers of Byzantine and of gone fragments are left out at their ends."""
ENDED = 1e-15
"""Probability of living on below which the chunk is lost."""
SETTLED = 0.01
"""Share of the rate of loss that may be still to come, and is added from how it came."""
SHRINKING = 0.7
"""Ratio of one change of the rate to the one before, at most, for that."""

State = tuple[Floats, Floats]
"""Chances and moments, as `agents.kernels.group_order` has them."""


def rotates_in_order(setting: GroupSetting) -> bool:
    """Whether losses of such a group are this chain's to tell."""
    busy = setting.members * setting.leaving * setting.rotation
    return isfinite(setting.rotation) and round(setting.byzantine * setting.nodes) > 0 and busy <= BUSIEST


def lost_within(setting: GroupSetting, duration: float) -> float:
    """Probability that one chunk, which `rotates_in_order`, is lost within ``duration`` seconds."""
    return _lost_within(replace(setting, cache=0.0, chunks=1, chunks_needed=1), duration)


@lru_cache(maxsize=64)
def _lost_within(setting: GroupSetting, duration: float) -> float:
    group = _Window(setting)
    spared = [log1p(-group.lost) if group.lost < 1 else -np.inf]
    turns, part = int(duration / setting.rotation), max(2, setting.members // 2)
    for turn in range(1, turns + 1):
        if group.alive < ENDED:
            return 1.0
        spared.append(group.turn())
        if turn >= 4 * part and turn % part == 0:
            last = _settled(*(fsum(spared[turn + 1 - back * part :][:part]) / part for back in (3, 2, 1)))
            if last is not None:
                return -expm1(fsum(spared) + last * (duration / setting.rotation - turn))
    if group.alive >= ENDED:
        spared.append(group.rest(duration - turns * setting.rotation))
    return -expm1(fsum(spared))


def _settled(first: float, second: float, third: float) -> float | None:
    """Where three values come to, if their changes shrink like a geometric series of which little is left."""
    change, before = third - second, second - first
    if abs(change) <= SETTLED**2 * abs(third):
        return third
    shrinking = change / before if before else 1.0
    left = change * shrinking / (1 - shrinking) if 0 <= shrinking <= SHRINKING else np.inf
    return third + left if abs(left) <= SETTLED * abs(third) else None


class _Window:
    """The fragments made since the due one, of the groups that live."""

    def __init__(self, setting: GroupSetting) -> None:
        self.setting = setting
        byzantine, members = round(setting.byzantine * setting.nodes), setting.members
        self.rows = members - setting.needed + 1
        rows = np.arange(self.rows, dtype=np.float64)
        others = setting.nodes - members + 1
        self.replaced = np.maximum(byzantine - rows, 0.0) / others
        self.restored = (byzantine - rows + 1) / others
        self.steps = max(1, ceil(members * setting.leaving * setting.rotation / OF_A_STEP))
        self.columns = 0
        self.states: list[State] = []
        self._widen(32)
        chances, moments = self.states[0]
        at = np.arange(members)
        for row in range(self.rows):
            chance = chances[row, 0] = hypergeometric(setting.nodes, byzantine, members, row)
            share = row / members
            both = share * (row - 1) / max(1, members - 1)
            moments[row, 0, 0, :members] = chance * share
            moments[row, 0, 2, :members] = chance * (share * at + both * (at.sum() - at))
        self.lost = max(0.0, 1.0 - float(chances.sum()))
        """Probability that the chunk is lost at once."""

    @property
    def alive(self) -> float:
        """Probability that the chunk is not lost."""
        return float(self.states[0][0].sum())

    def turn(self) -> float:
        """From one eviction to the next: the logarithm of the chance to outlive it."""
        alive, lost = self.alive, 0.0
        for _ in range(self.steps):
            lost += self._depart(self.setting.rotation / self.steps)
        return log1p(-min(1 - ENDED, (lost + self._evict()) / alive))

    def rest(self, seconds: float) -> float:
        """The same for departures alone, for less than a turn."""
        alive = self.alive
        return log1p(-min(1 - ENDED, fsum(self._depart(seconds / self.steps) for _ in range(self.steps)) / alive))

    def _widen(self, columns: int) -> None:
        """Room for so many gone fragments."""
        shape = (self.rows, columns), (self.rows, columns, 6, self.setting.members + columns)
        wider: list[State] = [(np.zeros(shape[0]), np.zeros(shape[1])) for _ in range(3)]
        if self.states:
            (chances, moments), (roomy, rooms) = self.states[0], wider[0]
            roomy[:, : self.columns] = chances
            rooms[:, : self.columns, :, : moments.shape[3]] = moments
        self.states, self.columns = wider, columns

    def _forget(self) -> tuple[int, int, int]:
        """Drops what is negligible. Returns (fewest Byzantine, fewest gone, most gone) of the rest."""
        chances, moments = self.states[0]
        floor = NEGLIGIBLE * self.alive
        least = int(np.argmax(chances.sum(axis=1) > floor))
        columns = np.flatnonzero(chances.sum(axis=0) > floor)
        if not len(columns):
            return 0, 0, 0
        low, high = int(columns[0]), int(columns[-1])
        for part in (chances, moments):
            part[:least] = 0.0
            part[:, :low] = 0.0
            part[:, high + 1 :] = 0.0
        return least, low, high

    def _depart(self, seconds: float) -> float:
        """Departures in that time, each replaced at once. Returns the probability lost."""
        depart, _ = lives.group_order()
        least, low, high = self._forget()
        if high + 3 > self.columns:
            self._widen(2 * self.columns)
        now, once, twice = self.states
        share = self.setting.leaving * seconds
        common = (self.setting.members, share, self.replaced)
        lost = depart(*now, *once, least, low, high, *common)
        lost += depart(*once, *twice, least, low, high + 1, common[0], share / 2, self.replaced)
        for total, first, second in zip(now, once, twice, strict=True):
            total[:, low : high + 2] += first[:, low : high + 2]
            total[:, low : high + 3] += second[:, low : high + 3]
        return float(lost)

    def _evict(self) -> float:
        """The due fragment's turn. Returns the probability lost."""
        _, evict = lives.group_order()
        least, low, high = self._forget()
        now, following, other = self.states
        # Of the moments further right, which may be those of a turn before, `_forget` sets those read to 0.
        following[0][:] = 0.0
        following[1][:, : high + 1] = 0.0
        counted = np.zeros(2)
        evict(*now, *following, least, low, high, self.setting.members, self.replaced, self.restored, counted)
        self.states = [following, now, other]
        return float(counted[0])
