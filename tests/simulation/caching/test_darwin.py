"""Darwin on a trace against the Darwin of a live cache, which sees the same requests one by one."""

from collections import OrderedDict
from typing import Any

import numpy as np

from agents.core.admission.controller import Controller, lengths
from agents.core.admission.online import Darwin as Live
from agents.core.admission.policy import Found
from agents.runtime.shipped import shipped_model
from agents.simulation.caching.darwin import Darwin
from agents.simulation.caching.levels import HOT, Cache, Setting
from agents.simulation.caching.mixes import synthetic
from agents.simulation.caching.traces import Trace

SETTING = Setting(20_000_000, 10**12)
LENGTHS = lengths(2_000)


def live(trace: Trace, policy: Live) -> tuple[list[bool], list[str]]:
    """Which requests memory answered, and the expert in force at each."""
    held, used, hits, experts = OrderedDict[int, int](), 0, [], []
    stored: set[int] = set()
    counts: dict[int, int] = {}
    for thing, size in zip(trace.objects.tolist(), trace.lengths.tolist(), strict=True):
        hot = thing in held
        hits.append(hot)
        experts.append(policy.expert.name)
        found = Found.HOT if hot else Found.DISK if thing in stored else Found.ORIGIN
        decision = policy.request(thing, size, found)
        counts[thing] = counts.get(thing, 0) + 1
        if counts[thing] > 1 and not hot:
            stored.add(thing)
        if hot:
            held.move_to_end(thing)
        elif decision.hot:
            held[thing] = size
            used += size
            while used > SETTING.memory:
                used -= held.popitem(last=False)[1]
        if work := policy.due():
            work()
    return hits, experts


def test_a_simulation_is_what_a_live_cache_does() -> None:
    trace = synthetic(12, 30_000, 3)
    model = shipped_model()
    replayed = Darwin(Controller(model, LENGTHS)).replay(trace, SETTING)
    hits, experts = live(trace, Live(Controller(model, LENGTHS), SETTING.memory))
    choices = [(at, name) for at, name in enumerate(experts) if not at or experts[at - 1] != name]
    assert replayed.choices == tuple(choices) and len(choices) > 5
    assert (replayed.outcomes == HOT).tolist() == hits
    again = Darwin(Controller(model, LENGTHS)).replay(trace, SETTING)
    assert (again.outcomes == replayed.outcomes).all()


def test_in_every_phase_it_is_as_good_as_the_best_expert_of_that_phase() -> None:
    trace = synthetic(14, 60_000, 2)
    controller = Controller(shipped_model(), LENGTHS)

    def hits(outcomes: Any) -> Any:
        return np.add.reduceat(outcomes == HOT, trace.phases)

    found = hits(Darwin(controller).replay(trace, SETTING).outcomes)
    statics = [hits(Cache(trace, SETTING).with_expert(len(trace), expert)) for expert in controller.model.experts]
    assert (found >= 0.99 * np.max(statics, axis=0)).all()
    assert (found > statics[controller.begin().expert]).all()
