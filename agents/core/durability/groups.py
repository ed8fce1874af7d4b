"""Chunk groups under churn, Byzantine members and rotation: Vault's Markov chain (§4.4.1) for one group, and its repairs.

A chunk's R fragments lie on R random nodes, a share f of which is Byzantine: those store nothing and never leave. Honest ones
leave at rate churn / (1 - f); whoever leaves is replaced at once by a random node. Every W seconds the fragment that was made
next in order is due: if its node is still there, it is evicted and replaced. The chunk is lost once fewer than k_in fragments
are on honest nodes, the one being replaced not counted.

The state is how many of the R are honest and how many fragments have been made since the one that is due. Without rotation that
is exact. With it the order of the fragments would have to be known too: losses then come from `rotation`, which knows enough of
it, as long as no more than one departure is expected from one eviction to the next. For repairs, and for the losses of groups
that rotate more slowly, two things are approximated here: the chance that the due fragment is Byzantine, and, if it is honest,
that it is still there. Repairs come out within 1 % of a simulation, such losses up to a third too low.
"""

from collections import deque
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, exp, expm1, isfinite, sqrt

import numpy as np

from agents.core.durability import rotation
from agents.core.durability.group_setting import GroupSetting, hypergeometric
from agents.core.durability.hazards import YEAR_SECONDS, positive
from agents.core.durability.observing import Floats

CERTAIN = 1e-15
"""Chance below which a state is left out."""


def chunk_loss(setting: GroupSetting, duration: float) -> float:
    """Probability that one chunk is lost within ``duration`` seconds. Raises Misuse."""
    positive("The duration", duration)
    if rotation.rotates_in_order(setting):
        return rotation.lost_within(setting, duration)
    return life(setting, duration).lost_within(duration)


def object_loss(setting: GroupSetting, duration: float) -> float:
    """Probability that more than n_out - k_out of an object's chunks are, each by itself. Raises Misuse."""
    return setting.object_loss(chunk_loss(setting, duration))


def repairs_per_year(setting: GroupSetting, duration: float) -> float:
    """Fragments of one living chunk made anew a year, on average over ``duration`` seconds. Raises Misuse."""
    return life(setting, duration).repairs_within(duration) * YEAR_SECONDS / duration


def traffic(setting: GroupSetting, duration: float) -> float:
    """Repair traffic of one object over ``duration`` seconds, in sizes of the object. Raises Misuse.

    A chunk is 1/k_out of it, a fragment 1/k_in of a chunk; a repair fetches k_in fragments, or the one it needs from who
    has the chunk in its cache.
    """
    made, fetched = life(setting, duration).repairs_and_fetches(duration)
    return (fetched + (made - fetched) / setting.needed) * setting.chunks / setting.chunks_needed


def traffic_closed_form(setting: GroupSetting, repairs: float) -> float:
    """Repair traffic of one object a year at ``repairs`` a chunk a year, taken as purely random, in sizes of the object.

    (n_out / k_out) L (exp(-L t) + (1 - exp(-L t)) / k_in), with t the years that a chunk is cached. Evictions are not random
    but W apart, so it is too high where the cache lasts longer than W (`traffic` is not).
    """
    fresh = exp(-repairs * setting.cache / YEAR_SECONDS)
    return setting.chunks / setting.chunks_needed * repairs * (fresh + (1 - fresh) / setting.needed)


@dataclass(frozen=True)
class GroupLife:
    """What becomes of one group, step by step. What it settled to goes on for ever."""

    setting: GroupSetting
    step: float
    """Seconds."""
    fatal: Floats
    """Probability that a chunk which lived to this step is lost in it; the first entry is that of the start."""
    honest: Floats
    """Mean number of fragments on honest nodes in each step, of the groups that live."""
    steps_a_turn: int
    """Steps from one eviction to the next."""
    evicted: Floats
    """Chance that the due fragment is evicted when it next is, in each step."""

    def lost_within(self, duration: float) -> float:
        """Probability that the chunk is lost within ``duration`` seconds; too low if the group rotates (`chunk_loss`)."""
        if self.fatal.max() >= 1:
            return 1.0
        spared = np.log1p(-self.fatal[:1]).sum() + np.log1p(-self._lasting(self.fatal[1:], duration)).sum()
        return abs(float(np.expm1(spared)))

    def repairs_within(self, duration: float) -> float:
        """Fragments made anew in ``duration`` seconds, of a chunk that lives."""
        return self.repairs_and_fetches(duration)[0]

    def repairs_and_fetches(self, duration: float) -> tuple[float, float]:
        """(fragments made anew, those of them that nobody had the chunk cached for) in ``duration`` seconds."""
        setting = self.setting
        leaving = setting.leaving * self._lasting(self.honest, duration)
        evicted = self._lasting(self.evicted, duration)
        made = float((leaving * self.step + evicted / self.steps_a_turn).sum())
        if setting.cache == 0:
            return made, made
        # No departure within the cache's lifetime, and no success in the evictions due in it.
        quiet = np.exp(-leaving * min(setting.cache, duration))
        passed, rest = divmod(setting.cache / setting.rotation, 1.0)
        spared = (1 - evicted) ** passed
        fetched = leaving * self.step * quiet * spared * (1 - rest * evicted)
        fetched += evicted / self.steps_a_turn * quiet * (spared if rest else spared / np.maximum(1 - evicted, CERTAIN))
        return made, float(fetched.sum())

    def _lasting(self, values: Floats, duration: float) -> Floats:
        steps = max(1, round(duration / self.step))
        found = np.full(steps, values[-1])
        found[: len(values)] = values[:steps]
        return found


def life(setting: GroupSetting, duration: float) -> GroupLife:
    """One group over ``duration`` seconds. Raises Misuse."""
    positive("The duration", duration)
    return GroupLife(setting, *_steps(replace(setting, cache=0.0, chunks=1, chunks_needed=1), duration))


@lru_cache(maxsize=32)
def _steps(setting: GroupSetting, duration: float) -> tuple[float, Floats, Floats, int, Floats]:
    """What a `GroupLife` holds, which neither the cache nor the other chunks change."""
    group = _Group(setting, duration)
    fatal, honest, evicted = [group.start()], [], []
    for number in range(max(1, round(duration / group.step))):
        if group.alive < CERTAIN:
            fatal.append(1.0)
            break
        before = group.alive
        honest.append(group.mean_honest)
        group.depart()
        evicted.append(group.evict(number) / before)
        fatal.append(min(1.0, group.take_lost() / before))
        group.forget()
        if group.parts == 1 and _settled((fatal, honest, evicted), setting.members):
            break
    turns = np.repeat(evicted[group.parts - 1 :: group.parts] or [0.0], group.parts)
    return group.step, np.array(fatal), np.array(honest or [0.0]), group.parts, turns


def _settled(series: tuple[list[float], ...], back: int) -> bool:
    """Whether nothing has changed for so many steps."""
    size = len(series[0])
    if size < 4 * back or size % back:
        return False
    return all(abs(part[-1] - part[-1 - back]) <= 1e-5 * abs(part[-1]) + CERTAIN for part in series)


class _Group:
    """The probabilities of all states of one group: rows by honest members, columns by fragments made since the due one."""

    def __init__(self, setting: GroupSetting, duration: float) -> None:
        self.setting = setting
        self.byzantine = round(setting.byzantine * setting.nodes)
        least = setting.needed if self.byzantine else setting.members
        self.honest: Floats = np.arange(least, setting.members + 1, dtype=np.float64)[:, None]
        # Departures of a group of honest members only: no state has more of them.
        self.busiest = setting.members * setting.leaving
        self.rotates = isfinite(setting.rotation)
        self.parts = max(1, ceil(self.busiest * setting.rotation - 1e-9)) if self.rotates else 1
        if self.rotates:
            self.step = setting.rotation / self.parts
        else:
            self.step = duration / max(1, ceil(self.busiest * duration))
        self.first = setting.members
        """Fragments made since the due one, in the first column."""
        self.lost = 0.0
        self.made_by: deque[tuple[float, float]] = deque()
        """(time, fragments made by then on average), from the due one on."""
        self.chances = np.zeros((len(self.honest), 1))
        others = setting.nodes - setting.members + 1
        self.replaced = (self.byzantine - (setting.members - self.honest)) / others if self.byzantine else 0.0
        self.restored = (self.byzantine - (setting.members - self.honest) + 1) / others if self.byzantine else 0.0
        """Chances that who replaces an honest member, or a Byzantine one, is Byzantine."""

    @property
    def alive(self) -> float:
        """Probability that the chunk is not lost."""
        return float(self.chances.sum())

    @property
    def mean_honest(self) -> float:
        """Mean number of honest members of a chunk that is not."""
        return float((self.chances.sum(axis=1) @ self.honest[:, 0]) / self.alive)

    def start(self) -> float:
        """Members drawn at random: hypergeometric. Returns the probability that the chunk is lost at once."""
        setting = self.setting
        for row, honest in enumerate(map(int, self.honest[:, 0])):
            self.chances[row, 0] = hypergeometric(
                setting.nodes, self.byzantine, setting.members, setting.members - honest
            )
        drawn = range(setting.members - int(self.honest[0, 0]) + 1, setting.members + 1)
        return sum(hypergeometric(setting.nodes, self.byzantine, setting.members, byzantine) for byzantine in drawn)

    def depart(self) -> None:
        """One step of departures, each replaced at once: an exponential series of probabilities."""
        if not self.busiest:
            return
        rate = self.busiest * self.step
        terms = ceil(rate + 8 * sqrt(rate) + 8)
        if self.rotates:
            self.chances = np.pad(self.chances, ((0, 0), (0, terms)))
        share = self.honest / self.setting.members
        term = self.chances * np.exp(-rate)
        total, lost = term.copy(), 0.0
        for number in range(1, terms + 1):
            leaving = term * share
            term = term - leaving
            lost = (lost + self._fatal(leaving)) * rate / number
            self.lost += lost
            self._replace(term, leaving, 1 if self.rotates else 0)
            term *= rate / number
            total += term
        self.chances = total

    def evict(self, number: int) -> float:
        """The due fragment's turn, if it is this step's end. Returns the chance that it was there."""
        if not self.rotates or (number + 1) % self.parts:
            return 0.0
        setting = self.setting
        made = self._made()
        turn = (number + 1) // self.parts
        due = self.chances * self._due_byzantine(made, turn)
        there = self._still_there(made - (setting.members - self.honest), turn)
        honest = self.chances - due
        leaving = honest * there
        evicted = float(due.sum() + leaving.sum())
        # A column to the left for those whose due fragment had left before.
        following = np.zeros((len(self.honest), made.shape[1] + 1))
        following[:, :-1] = honest - leaving
        stay = following[:, 1:]
        self.lost += self._fatal(leaving)
        self._replace(stay, leaving, 0)
        stay += due * self.restored
        stay[1:] += (due * (1 - self.restored))[:-1]
        self.first -= 1
        self.chances = following
        return evicted

    def _made(self) -> Floats:
        """(1, columns): fragments made since the due one."""
        return self.first + np.arange(self.chances.shape[1], dtype=np.float64)[None, :]

    def _age(self, made: Floats, turn: int) -> float:
        """Seconds since the due fragment was made, if as many had been made at each time as are on average."""
        now = turn * self.setting.rotation
        self.made_by.append((now, turn - 1 + float((self.chances * made).sum()) / self.alive))
        if turn <= self.setting.members:
            return now
        while self.made_by[0][1] < turn:
            self.made_by.popleft()
        return now - self.made_by[0][0]

    def _due_byzantine(self, made: Floats, turn: int) -> Floats:
        """Chance that the due fragment is Byzantine, by state: f on average, and linear in the state.

        Had it been honest, its place would have been lost and filled anew in its time, by a Byzantine node with probability
        1 - exp(-f x), x departures at one honest node's rate, and (1 - exp(-f x)) / f times on average. That gives its
        covariances with the members that are Byzantine and with the fragments made; of these, the variances are taken as
        binomial over R members, and as their excess over R.
        """
        share, members = self.setting.byzantine, self.setting.members
        byzantine = members - self.honest
        plain = byzantine / made
        if self.alive <= 0 or not self.byzantine:
            return plain
        part = self.chances / self.alive
        mean_byzantine, mean_made = float((part * byzantine).sum()), float((part * made).sum())
        refilled = -expm1(-share * self.setting.leaving * self._age(made, turn))
        spread = mean_byzantine * (1 - mean_byzantine / members)
        by_byzantine = share * (1 - share) * (1 - refilled) / spread - 1 / mean_made
        excess = mean_made - members
        by_made = (mean_byzantine / mean_made**2 - (1 - share) * refilled / excess) if excess > 0.5 else 0.0
        found = plain + by_byzantine * (byzantine - mean_byzantine) + by_made * (made - mean_made)
        return np.where(byzantine > 0, np.clip(found, 0.0, 1.0), 0.0)

    def _still_there(self, made: Floats, turn: int) -> Floats:
        """Chance that the due fragment is on its node, if that is honest, by state; ``made`` on honest nodes since."""
        if turn <= self.setting.members:
            return np.where(made > self.honest, exp(-self.setting.leaving * turn * self.setting.rotation), 1.0)
        return _oldest(self.honest, np.maximum(made, self.honest), self._made())

    def take_lost(self) -> float:
        """Probability of the losses since it was last asked for."""
        lost, self.lost = self.lost, 0.0
        return lost

    def _fatal(self, leaving: Floats) -> float:
        """Takes out the groups that lose one fragment too many: with what is left nobody could make another."""
        if self.honest[0, 0] > self.setting.needed:
            return 0.0
        lost = float(leaving[0].sum())
        leaving[0] = 0.0
        return lost

    def _replace(self, into: Floats, leaving: Floats, shift: int) -> None:
        """Adds honest members' successors, made ``shift`` columns on."""
        width = into.shape[1] - shift
        fewer = (leaving * self.replaced)[1:, :width]
        into[:, shift:] += (leaving * (1 - self.replaced))[:, :width]
        into[:-1, shift:] += fewer

    def forget(self) -> None:
        """Drops columns at either end that hold nothing to speak of."""
        columns = np.flatnonzero(self.chances.sum(axis=0) > CERTAIN * 1e-3)
        if len(columns):
            self.first += int(columns[0])
            self.chances = np.ascontiguousarray(self.chances[:, columns[0] : columns[-1] + 1])


_AGES = np.concatenate([[0.0], np.geomspace(1e-6, 60, 4_000)])
_ALIVE = np.concatenate([[1.0], -np.expm1(-_AGES[1:]) / _AGES[1:]])


def _oldest(there: Floats, made: Floats, spread: Floats) -> Floats:
    """Chance that the oldest is there if ``there`` of ``made`` are, all made at even intervals among ``spread``.

    With n of these and exp(-x) for the oldest, their mean is (1 - exp(-x)) (1 / x - 1 / 2n).
    """
    share = there / made
    ages = np.interp(-share, -_ALIVE, _AGES)
    share = np.minimum(1.0, share / (1 - np.minimum(ages / (2 * spread), 0.5)))
    return np.asarray(np.exp(-np.interp(-share, -_ALIVE, _AGES)))
