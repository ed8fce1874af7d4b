"""Campaigns: whole lives of requests, among agents to whom things happen, on a chain that may go back.

The default run is always the same. To look further: HOLDFAST_CAMPAIGNS=2000 pytest tests/core/agents/test_campaign.py, which
draws so many campaigns anew each time; a failing one is printed as a `Plan` that `Campaign(plan).run()` repeats.
"""

import os
from collections import Counter
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.core.market.types import Ask
from tests.core.agents.actors import Kind, Trouble
from tests.core.agents.campaign import (
    DEEPEST_REORG,
    DURATION,
    LONGEST_TROUBLE,
    PRICE,
    SLOT_BYTES,
    Campaign,
    Plan,
    Reorg,
)  # fmt: skip

Mishap = TypeVar("Mishap")

PASSING = (Kind.CRASH_BEFORE, Kind.CRASH_AFTER, Kind.DELAY)

MORE = int(os.environ.get("HOLDFAST_CAMPAIGNS", "0"))


def campaigns(count: int) -> settings:
    """Settings of a run of ``count`` campaigns, the same ones each time, or of as many new ones as are asked for."""
    return settings(
        max_examples=MORE or count, derandomize=not MORE, database=None, deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    """Two to five slots, of which one or two may be lost."""
    slots = draw(st.integers(2, 5))
    loss = draw(st.integers(1, min(2, slots - 1)))
    return Ask(
        proof_probability=draw(st.integers(1, 3)), slots=slots, max_slot_loss=loss,
        repair_threshold=draw(st.integers(1, loss)), dispersal=draw(st.sampled_from([5_000, 2_500, 7_500])),
        slot_size=SLOT_BYTES, duration=DURATION, price_per_byte_per_second=PRICE, collateral_per_byte=7,
    )  # fmt: skip


@st.composite
def plans(
    draw: st.DrawFn, troubles: int = 0, losses: int = 0, deaths: int = 0, reorgs: int = 0, extensions: int = 0
) -> Plan:
    """Four to eight providers for one or two requests, and up to so many mishaps of each kind."""
    providers = draw(st.integers(4, 8))
    who, when, soon = st.integers(0, providers - 1), st.integers(0, DURATION), st.integers(0, 60)
    anybody, length = st.integers(0, providers), st.integers(1, LONGEST_TROUBLE)
    trouble = st.builds(Trouble, anybody, when, st.sampled_from(PASSING), length)
    death = st.builds(Trouble, who, soon | when, st.just(Kind.DEATH), st.just(0))
    back = st.builds(Reorg, when, st.integers(1, DEEPEST_REORG), st.integers(0, 255))

    def some(one: st.SearchStrategy[Mishap], most: int) -> tuple[Mishap, ...]:
        return tuple(draw(st.lists(one, min_size=most // 3, max_size=most)))

    return Plan(
        seed=draw(st.integers(0, 2**32)),
        stakes=tuple(draw(st.sampled_from([1_000, 1_700, 3_000])) for _ in range(providers)),
        asks=tuple(draw(st.lists(asks(), min_size=1, max_size=2))),
        expiry=draw(st.integers(64, 100)),
        apart=draw(st.integers(0, 60)),
        same=draw(st.booleans()),
        upload=draw(st.integers(0, 4)),
        troubles=some(trouble, troubles) + some(death, deaths),
        losses=some(st.tuples(who, when), losses),
        reorgs=some(back, reorgs),
        extensions=some(st.tuples(st.integers(80, DURATION), st.integers(50, 120)), extensions),
        dearer=some(st.tuples(who, st.integers(60, DURATION)), 2 * extensions),
    )


def carry_out(strategy: st.SearchStrategy[Plan], count: int) -> Counter[str]:
    """What happened in ``count`` campaigns together."""
    counted: Counter[str] = Counter()

    @campaigns(count)
    @given(strategy)
    def every(plan: Plan) -> None:
        campaign = Campaign(plan)
        campaign.run()
        counted.update(campaign.counted)

    every()
    print(sorted(counted.items()))
    return counted


def test_crashes_cost_nothing() -> None:
    """Nobody who is down for less than a period misses a proof, loses a bond or does anything twice."""
    counted = carry_out(plans(troubles=40), 30)
    assert MORE or {kind.name for kind in PASSING} | {"SlotSettled", "PayClaimed", "submit_proofs"} <= set(counted)
    assert not counted["ProofMissed"]
    assert not counted["ReservationForfeited"]


def test_what_is_lost_is_repaired() -> None:
    counted = carry_out(plans(troubles=12, losses=4, deaths=3), 45)
    assert MORE or {"SlotLost", "RepairOpened", "RequestFailed", "ReservationForfeited", "mark_proofs_missing"} <= set(
        counted
    )


def test_agents_survive_reorganisations() -> None:
    counted = carry_out(plans(troubles=12, losses=3, deaths=1, reorgs=9), 35)
    assert MORE or {"omitted", "SlotLost", "RepairOpened"} <= set(counted)


def test_who_leaves_an_extended_request_is_succeeded() -> None:
    counted = carry_out(plans(troubles=12, losses=1, deaths=1, reorgs=3, extensions=2), 20)
    assert MORE or {"ExtensionAccepted", "SlotDeparted", "RepairOpened", "FunderRefunded"} <= set(counted)
