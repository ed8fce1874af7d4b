"""Policies by name; those that learnt replay a trace with whatever model they are given."""

import numpy as np
import pytest

from agents.core.admission.controller import lengths
from agents.core.admission.experts import EXPERTS, Expert
from agents.core.admission.model import Model
from agents.core.admission.objectives import OBJECT_HITS
from agents.core.errors import Misuse
from agents.simulation.caching.catalogue import NAMES, Options, policies_named
from agents.simulation.caching.darwin import seen
from agents.simulation.caching.levels import HOT, Setting
from agents.simulation.caching.mixes import synthetic
from agents.simulation.caching.policies import Static
from tests.core.admission.models import knowing

SMALL = Setting(5_000_000, 100_000_000)
TRACE = synthetic(41, 60_000, 2)
EPOCH = 30_000


def options(model: Model | None = None) -> Options:
    def given() -> Model:
        assert model is not None
        return model

    return Options(OBJECT_HITS, lengths(EPOCH, window=0.05), given)


def test_all_names_are_policies_of_that_name() -> None:
    model = knowing([seen(TRACE, 0, 1500, 0, SMALL.memory).features], [[3]])
    assert tuple(policy.name for policy in policies_named("all", options(model))) == NAMES
    found = policies_named(" lru  static:3,500KiB ", options())
    assert found[1] == Static(Expert(3, 500 << 10))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no policy is named"),
        ("mru", "no policy named 'mru'"),
        ("lru sieve lru", "lru is named twice"),
        ("all darwin", "darwin is named twice"),
        ("static:3", "Type it like static:3,500KiB"),
        ("static:x,500KiB", "'x' is not a whole number"),
        ("static:0,500KiB", "both must be 1 or more"),
    ],
)
def test_other_names_are_refused(text: str, says: str) -> None:
    model = knowing([seen(TRACE, 0, 1500, 0, SMALL.memory).features], [[3]])
    with pytest.raises(Misuse) as raised:
        policies_named(text, options(model))
    assert says in str(raised.value)


def test_a_mapping_follows_what_the_traffic_looks_like() -> None:
    first, second = (seen(TRACE, at, at + 1500, 12_000, SMALL.memory).features for at in (10_000, 50_000))
    model = knowing([first, second], [[5], [30]])
    (mapping,) = policies_named("mapping", options(model))
    replayed = mapping.replay(TRACE, SMALL)
    chosen = {name for _, name in replayed.choices}
    assert {EXPERTS[5].name, EXPERTS[30].name} <= chosen
    assert len(replayed.outcomes) == len(TRACE)


def test_darwin_finds_an_expert_as_good_as_the_best_it_was_told_of() -> None:
    looks = [seen(TRACE, at, at + 1500, 12_000, SMALL.memory).features for at in (10_000, 50_000)]
    everyone = list(range(len(EXPERTS)))
    (darwin,) = policies_named("darwin", options(knowing(looks, [everyone, everyone])))
    replayed = darwin.replay(TRACE, SMALL)
    hits = (replayed.outcomes == HOT).mean()
    statics = [float((Static(expert).replay(TRACE, SMALL).outcomes == HOT).mean()) for expert in EXPERTS]
    assert hits > float(np.median(statics))
    assert replayed.choices[0][0] == 0
