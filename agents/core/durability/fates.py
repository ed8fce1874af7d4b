"""Groups of slots that share a fate, as a Markov chain of two numbers.

Which groups were struck, and how many slots of the others are lost on their own. Which slots those are is uniform, given how
many: so when a group is struck, how many of its slots had been lost already is hypergeometric, and no more needs to be known.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import comb

import numpy as np

from agents.core.durability.hazards import Code, Hazards
from agents.core.durability.observing import Floats


@dataclass(frozen=True)
class Struck:
    """Groups struck so far."""

    whole: int = 0
    """Of full size."""

    rest: int = 0
    """1 if the last, smaller one was, else 0."""


@dataclass(frozen=True)
class Groups:
    """The slots of a dataset in their groups. Slots that fail one by one are in no group."""

    slots: int
    parity: int
    size: int
    """Slots of a group; of the last one perhaps fewer."""
    rate: float
    """At which one group is struck, per second; 0 for no groups."""

    @classmethod
    def of(cls, code: Code, hazards: Hazards) -> "Groups":
        """The groups of ``code``'s slots."""
        return cls(code.slots, code.parity, hazards.group_size, hazards.striking)

    @property
    def whole(self) -> int:
        """Groups of full size."""
        return self.slots // self.size if self.rate else 0

    @property
    def rest(self) -> int:
        """Slots of the last group if it is smaller, else 0."""
        return self.slots % self.size if self.rate else 0

    def lost(self, struck: Struck) -> int:
        """Slots of the groups struck."""
        return self.size * struck.whole + self.rest * struck.rest

    def spare(self, struck: Struck) -> int:
        """Slots of the other groups that may be lost besides."""
        return self.parity - self.lost(struck)

    def survivable(self) -> list[Struck]:
        """What may have been struck while the dataset lives, each after all that lead to it."""
        found = (Struck(whole, rest) for whole in range(self.whole + 1) for rest in range(2 if self.rest else 1))
        alive = (struck for struck in found if self.spare(struck) >= 0)
        return sorted(alive, key=lambda struck: struck.whole + struck.rest)

    def next_strikes(self, struck: Struck) -> Iterator[tuple[Struck, int, float]]:
        """(what is struck then, slots of the group, rate) of each kind of next strike."""
        if self.whole > struck.whole:
            yield Struck(struck.whole + 1, struck.rest), self.size, self.rate * (self.whole - struck.whole)
        if self.rest and not struck.rest:
            yield Struck(struck.whole, 1), self.rest, self.rate

    def inside(self, struck: Struck, size: int, lost: int) -> list[float]:
        """Of so many lost slots outside the groups struck, the chances that 0, 1, ... are in a given group of ``size``."""
        others = self.slots - self.lost(struck)
        return [float(_inside(others, size, hit)[lost]) for hit in range(min(size, lost) + 1)]

    def fatal(self, struck: Struck, failing: float) -> Floats:
        """[lost slots of the others]: rate at which the dataset is lost."""
        others, spare = self.slots - self.lost(struck), self.spare(struck)
        rates = np.zeros(spare + 1)
        rates[spare] = (others - spare) * failing
        for _, size, rate in self.next_strikes(struck):
            for inside in range(min(size, spare) + 1):
                chances = _inside(others, size, inside)[: spare + 1].copy()
                chances[: max(0, spare + 1 + inside - size)] = 0.0
                rates += rate * chances
        return rates


def until_repair(
    groups: Groups, triggered: dict[Struck, Floats], failing: float, mending: float
) -> dict[Struck, Floats]:
    """Seconds spent in each state from the trigger until repair or loss, given the chance of the trigger in each state."""
    arriving = {struck: chances.copy() for struck, chances in triggered.items()}
    spent = {}
    for struck in groups.survivable():
        others = groups.slots - groups.lost(struck)
        striking = sum(rate for _, _, rate in groups.next_strikes(struck))
        seconds = np.empty_like(arriving[struck])
        carried = 0.0
        for lost, chance in enumerate(arriving[struck]):
            fails = (others - lost) * failing
            seconds[lost] = (chance + carried) / (fails + striking + mending)
            carried = seconds[lost] * fails
        spent[struck] = seconds
        for then, size, rate in groups.next_strikes(struck):
            if then in arriving:
                _strike(arriving[then], rate * seconds, others, size)
    return spent


def _strike(arriving: Floats, leaving: Floats, others: int, size: int) -> None:
    """Adds those that leave, by lost slots among ``others``, to where a strike of ``size`` of these takes them."""
    for inside in range(min(size, len(leaving) - 1) + 1):
        moved = (leaving * _inside(others, size, inside)[: len(leaving)])[inside : inside + len(arriving)]
        arriving[: len(moved)] += moved


@lru_cache(maxsize=4096)
def _inside(others: int, size: int, inside: int) -> Floats:
    """[lost]: probability that of so many lost slots among ``others``, ``inside`` are in a given group of ``size``."""
    return np.array(
        [
            comb(size, inside) * comb(others - size, lost - inside) / comb(others, lost) if lost >= inside else 0.0
            for lost in range(others + 1)
        ]
    )
