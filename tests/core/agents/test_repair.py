"""Several lost slots from one reconstruction: who makes them all, who waits, and what becomes of those made for others."""

from dataclasses import replace

from agents.core.agents.provider import duties
from agents.core.agents.provider_duties import Forget, Policy, Rebuild, Reserve, UnderWay
from agents.core.agents.provider_repair import ASKED, OFFERED, may_repair, partners
from agents.core.market import events as e
from agents.core.market.view import MarketView
from tests.core.agents.test_duties import (
    BLOCK,
    CONFIG,
    ID,
    ME,
    OTHER,
    POLICY,
    START,
    at,
    clock,
    filled,
    mine,
    reserved,
    two_lost,
)  # fmt: skip

NOW = BLOCK + 145
SALE = START + 90
"""When both slots went on sale."""


def rebuild_of(view: MarketView, who: str, block: int = NOW, policy: Policy = POLICY) -> Rebuild:
    (duty,) = duties(view, who, policy, frozenset(), clock(block))
    assert isinstance(duty, Rebuild)
    return duty


def test_every_lost_slot_is_made_in_one_pass_as_far_as_there_is_room() -> None:
    view = two_lost()
    duty = rebuild_of(view, ME)
    assert {duty.index, *duty.spares} == {0, 2}
    assert rebuild_of(view, ME, policy=Policy(quota=199)).spares == ()
    # What is on its way has its room already; what is here whole is made no more.
    spare = (ID, duty.spares[0])
    going = UnderWay(rebuilding={(ID, duty.index)}, spares={spare}, arriving={spare})
    (again,) = mine(view, NOW, begun=going, policy=Policy(quota=200))
    assert again == duty
    (whole,) = mine(view, NOW, held=frozenset({spare}))
    assert isinstance(whole, Reserve) and whole.index == spare[1]


def test_no_second_rebuilding_is_begun_for_what_the_first_one_makes() -> None:
    view = two_lost()
    duty = rebuild_of(view, ME)
    going = UnderWay(rebuilding={(ID, duty.index)}, spares={(ID, duty.spares[0])})
    taken = reserved(view, duty.index, OTHER, NOW)  # the one it was after
    assert mine(taken, NOW + 1, begun=going) == []
    alone = UnderWay(rebuilding={(ID, duty.index)})
    (second,) = mine(taken, NOW + 1, begun=alone)
    assert isinstance(second, Rebuild) and (second.index, second.spares) == (duty.spares[0], ())


def test_of_two_providers_one_is_ahead_and_nobody_who_could_not_take_a_slot() -> None:
    view = two_lost()
    (first,) = [who for who in (ME, OTHER) if not rebuild_of(view, who).ahead]
    second = OTHER if first == ME else ME
    assert rebuild_of(view, second).ahead == (first,)
    poor = view.after(e.UnstakeStarted(at=at(BLOCK + 95), provider=first, amount=901, release_at=1))
    assert rebuild_of(poor, second).ahead == ()
    # Before the window is over those count who may reserve already.
    for block in range(BLOCK + 91, NOW):
        found = duties(view, second, POLICY, frozenset(), clock(block))
        if found:
            assert isinstance(found[0], Rebuild) and set(found[0].ahead) <= {first}
    # Who reserved a slot of the round is no more ahead but a partner.
    on = reserved(view, 0, first, NOW)
    assert rebuild_of(on, second, NOW + 1) == Rebuild(ID, 2)
    assert partners(on.requests[ID], second) == [first]
    assert partners(on.requests[ID], first) == []
    done = on.after(e.SlotFilled(at=at(NOW + 3), request_id=ID, slot_index=0, host=first, bounty=0, to_client=0))
    assert partners(done.requests[ID], second) == [first]


def test_everybody_has_a_place_in_one_order_and_no_more_than_a_few_are_asked() -> None:
    view = MarketView(two_lost().config, two_lost().stake)
    crowd = [f"0x{number:040x}" for number in range(256, 276)]
    for number, who in enumerate(crowd):
        view = view.after_all(
            (
                e.Registered(at=at(20 + number), provider=who, id=bytes([number * 12]) * 32, endpoint="http://x"),
                e.Deposited(at=at(20 + number, 1), provider=who, amount=1_000),
            )
        )
    whole = replace(two_lost(), providers={**two_lost().providers, **view.providers})
    asked = {who: rebuild_of(whole, who).ahead for who in (*crowd, ME, OTHER)}
    ranks = sorted(len(others) for others in asked.values())
    assert ranks == [*range(ASKED), *[ASKED] * (len(asked) - ASKED)]
    assert len({others for others in asked.values() if len(others) == ASKED}) == 1
    assert not any(one in asked[two] and two in asked[one] for one in asked for two in asked)


def test_a_slot_made_for_others_is_kept_until_somebody_fills_it_or_for_a_while() -> None:
    view = reserved(two_lost(), 0, ME, NOW)
    spare, lasts = frozenset({(ID, 2)}), CONFIG.repair_window + OFFERED * CONFIG.reserve_seconds
    assert Forget(ID, 2) not in mine(view, NOW + 1, spare)
    taken = reserved(view, 2, OTHER, NOW + 2)
    assert Forget(ID, 2) not in mine(taken, NOW + 3, spare)
    done = taken.after(e.SlotFilled(at=at(NOW + 4), request_id=ID, slot_index=2, host=OTHER, bounty=0, to_client=0))
    assert Forget(ID, 2) in mine(done, NOW + 5, spare)
    end = BLOCK + SALE - START + lasts
    hosting = view.after(e.SlotFilled(at=at(NOW + 4), request_id=ID, slot_index=0, host=ME, bounty=0, to_client=0))
    assert Forget(ID, 2) not in mine(hosting, end - 1, spare)
    assert Forget(ID, 2) in mine(hosting, end, spare)
    # What a kill left half made is of no use to anybody; what is being made is left alone.
    assert Forget(ID, 2) in mine(hosting, NOW + 5, begun=UnderWay(arriving=spare))
    assert Forget(ID, 2) not in mine(hosting, NOW + 5, begun=UnderWay(arriving=spare, spares=spare))
    # Who hosts nothing of it yet will need it.
    assert Forget(ID, 2) not in mine(two_lost(), NOW, begun=UnderWay(arriving=spare))


def test_who_may_come_to_host_a_lost_slot() -> None:
    view = two_lost().requests[ID]
    assert may_repair(view, 0, ME) and not may_repair(view, 1, ME)
    for who in "1234":  # those who lost one, and those who host another
        assert not may_repair(view, 0, "0x" + who * 40)
    on = reserved(two_lost(), 0, ME, NOW)
    assert may_repair(on.requests[ID], 0, ME) and not may_repair(on.requests[ID], 2, ME)
    assert may_repair(on.requests[ID], 0, OTHER)
    done = filled(two_lost(), 0, ME, NOW)
    assert not may_repair(done.requests[ID], 0, OTHER)
    assert may_repair(done.requests[ID], 2, OTHER)
