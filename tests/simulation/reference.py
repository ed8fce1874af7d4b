"""Slow simulators, written another way: every slot and every node has its own clock, and all that happens is kept in a heap."""

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from agents.core.durability.hazards import YEAR_SECONDS, Code, Hazards
from agents.simulation.groups import GroupSetting
from agents.simulation.slots import Periodic


@dataclass
class Dataset:
    """One dataset's slots; ``since`` counts a slot's lives, so that what was due to an earlier one is dropped."""

    code: Code
    hazards: Hazards
    chance: random.Random
    periodic: Periodic | None
    missed: dict[int, int] = field(default_factory=dict)
    since: int = 0
    repairs: int = 0
    written: int = 0
    mending: bool = False
    heap: list[tuple[float, int, str, int, int]] = field(default_factory=list)

    def due(self, wait: float, now: float, kind: str, about: int) -> None:
        heapq.heappush(self.heap, (now + wait, len(self.heap) + self.chance.getrandbits(40), kind, about, self.since))

    def start(self, now: float) -> None:
        for slot in range(self.code.slots):
            self.due(self.chance.expovariate(1 / self.hazards.mttf), now, "fail", slot)

    def lose(self, slot: int, now: float) -> None:
        if slot not in self.missed:
            self.missed[slot] = 0
            self.due(self.next_proof(now), now, "proof", slot)

    def next_proof(self, now: float) -> float:
        if self.periodic is None:
            return self.chance.expovariate(1 / self.hazards.mtbp)
        period = self.periodic.period
        return (math.floor(now / period + 1e-9) + 1) * period - now

    def life(self, duration: float) -> float:
        """When the dataset is lost; inf if it is not within ``duration``."""
        groups = -(-self.code.slots // self.hazards.group_size)
        self.start(0.0)
        for group in range(groups):
            if math.isfinite(self.hazards.group_mttf):
                self.due(self.chance.expovariate(1 / self.hazards.group_mttf), 0.0, "strike", group)
        while self.heap:
            now, _, kind, about, since = heapq.heappop(self.heap)
            if now >= duration:
                break
            if kind == "strike":
                size = self.hazards.group_size
                for slot in range(about * size, min(about * size + size, self.code.slots)):
                    self.lose(slot, now)
                self.due(self.chance.expovariate(1 / self.hazards.group_mttf), now, "strike", about)
            elif since != self.since:
                continue
            elif kind == "fail":
                self.lose(about, now)
            elif kind == "proof":
                self.prove(about, now)
            else:
                self.repairs += 1
                self.written += len(self.missed)
                self.missed.clear()
                self.mending = False
                self.since += 1
                self.start(now)
            if len(self.missed) > self.code.parity:
                return now
        return math.inf

    def prove(self, slot: int, now: float) -> None:
        if self.periodic is None or self.chance.random() < self.periodic.asked:
            self.missed[slot] += 1
        if self.missed[slot] < self.code.misses:
            self.due(self.next_proof(now), now, "proof", slot)
        seen = sum(missed >= self.code.misses for missed in self.missed.values())
        if seen >= self.code.repair_threshold and not self.mending:
            self.mending = True
            self.due(self.chance.expovariate(1 / self.hazards.mttr), now, "mend", 0)


@dataclass
class Network:
    """All nodes of a network and all groups on them: a node that leaves is missed by every group it is in."""

    setting: GroupSetting
    groups: int
    chance: random.Random

    def __post_init__(self) -> None:
        nodes = self.setting.nodes
        self.faulty = set(self.chance.sample(range(nodes), round(self.setting.byzantine * nodes)))
        self.honest = [node for node in range(nodes) if node not in self.faulty]
        self.everyone = list(range(nodes))
        self.newest = nodes
        self.fragments: list[dict[int, int]] = []
        """Of each group: number of the fragment -> node."""
        self.made = [self.setting.members] * self.groups
        self.held: dict[int, set[int]] = {}
        """By a node: groups."""
        self.lost_at = [math.inf] * self.groups
        self.repairs = [0] * self.groups
        self.fetched = [0] * self.groups
        self.repaired = [-math.inf] * self.groups
        for group in range(self.groups):
            members = self.chance.sample(self.everyone, self.setting.members)
            self.fragments.append(dict(enumerate(members)))
            for node in members:
                self.held.setdefault(node, set()).add(group)
            self.judge(group, 0.0)

    def judge(self, group: int, now: float) -> bool:
        """Whether the group lives."""
        alive = sum(node not in self.faulty for node in self.fragments[group].values())
        if alive < self.setting.needed:
            self.lost_at[group] = min(self.lost_at[group], now)
        return math.isinf(self.lost_at[group])

    def leave_group(self, group: int, number: int, now: float) -> None:
        node = self.fragments[group].pop(number)
        self.held[node].discard(group)
        if not self.judge(group, now):
            return
        while (found := self.chance.choice(self.everyone)) in self.fragments[group].values() or found == node:
            pass
        self.fragments[group][self.made[group]] = found
        self.made[group] += 1
        self.held.setdefault(found, set()).add(group)
        self.repairs[group] += 1
        self.fetched[group] += now - self.repaired[group] >= self.setting.cache
        self.repaired[group] = now

    def leave(self, now: float) -> None:
        """An honest node; another one joins once the groups have their new members."""
        at = self.chance.randrange(len(self.honest))
        node = self.honest[at]
        for group in list(self.held.pop(node, ())):
            number = next(number for number, holder in self.fragments[group].items() if holder == node)
            self.held.setdefault(node, set()).add(group)
            if math.isinf(self.lost_at[group]):
                self.leave_group(group, number, now)
        self.held.pop(node, None)
        self.everyone[self.everyone.index(node)] = self.honest[at] = self.newest
        self.newest += 1

    def live(self, duration: float) -> None:
        setting = self.setting
        for now, number in self.times(duration):
            if number is None:
                self.leave(now)
                continue
            for group in range(self.groups):
                if number in self.fragments[group] and math.isinf(self.lost_at[group]):
                    self.leave_group(group, number, now)
        assert all(
            len(fragments) == setting.members
            for fragments, lost in zip(self.fragments, self.lost_at, strict=True)
            if math.isinf(lost)
        )

    def times(self, duration: float) -> Iterator[tuple[float, int | None]]:
        """Departures (None), and the numbers of fragments that are due."""
        rate = self.setting.churn * self.setting.nodes / YEAR_SECONDS
        departure, due = self.chance.expovariate(rate), 0
        while True:
            eviction = (due + 1) * self.setting.rotation
            now = min(departure, eviction)
            if now >= duration:
                return
            if departure < eviction:
                yield now, None
                departure += self.chance.expovariate(rate)
            else:
                yield now, due
                due += 1
