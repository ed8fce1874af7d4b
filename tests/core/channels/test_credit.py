"""Whoever has many lanes, readers or epochs is served one interval ahead in all of them together."""

import random
from dataclasses import replace

from agents.core.channels.credit import Credit, Risk
from agents.core.channels.lanes import Lane
from agents.core.channels.terms import MIB, Terms
from tests.core.channels.actors import CACHE, LANE, SPONSOR, SPONSORED, STRANGER

TERMS = Terms(3)
INTERVAL = TERMS.cost(MIB)
SIBLING = replace(SPONSORED, reader=STRANGER.address)


def risk(lane: Lane, paid: int, exposed: int) -> Risk:
    return Risk(lane.reader, lane.payer, paid, exposed)


def test_a_stranger_has_one_interval() -> None:
    assert Credit(TERMS).left(LANE) == INTERVAL


def test_what_is_owed_in_one_lane_is_missing_in_the_others_of_its_reader() -> None:
    credit = Credit(TERMS)
    credit.note(LANE.id, risk(LANE, 0, 100))
    assert credit.left(LANE) == INTERVAL, "its own debt is the lane's own affair"
    for other in (replace(LANE, expiry=1), replace(LANE, epoch=7), SPONSORED):
        assert credit.left(other) == INTERVAL - 100
    assert credit.left(SIBLING) == INTERVAL, "its payer and its reader are others"
    credit.note(SPONSORED.id, risk(SPONSORED, 0, 30))
    assert credit.left(LANE) == INTERVAL - 30, "whoever pays for it"


def test_a_payer_answers_for_all_its_readers() -> None:
    credit = Credit(TERMS)
    credit.note(SPONSORED.id, risk(SPONSORED, 0, 100))
    own = Lane(SPONSOR.address, SPONSOR.address, CACHE.address, 0, 1)
    assert credit.left(SIBLING) == credit.left(own) == INTERVAL - 100
    credit.note(own.id, risk(own, 0, INTERVAL))
    assert credit.left(SIBLING) == -100


def test_what_lanes_paid_makes_the_interval_of_all_longer() -> None:
    credit = Credit(TERMS)
    credit.note(SPONSORED.id, risk(SPONSORED, INTERVAL, INTERVAL))
    assert credit.left(SIBLING) == INTERVAL, "one bad reader of a payer that has paid stops nobody else"
    assert credit.left(replace(SPONSORED, expiry=1)) == INTERVAL, "nor what is in flight in a reader's lane that ends"


def test_a_lane_says_what_it_said_last() -> None:
    credit = Credit(TERMS)
    for exposed in (5, 7, 0):
        credit.note(SPONSORED.id, risk(SPONSORED, 3, exposed))
        assert credit.left(SIBLING) == INTERVAL - exposed
    credit.drop(SPONSORED.id)
    credit.drop(SPONSORED.id)
    assert len(credit) == 0, "nobody is remembered for nothing"


def test_no_party_is_ever_more_than_one_interval_ahead() -> None:
    chance = random.Random(1)
    people = [f"0x{number:040x}" for number in range(4)]
    lanes = [Lane(chance.choice(people), chance.choice(people), CACHE.address, 0, number) for number in range(30)]
    credit, risks = Credit(TERMS), {lane: risk(lane, 0, 0) for lane in lanes}
    for _ in range(3000):
        lane = chance.choice(lanes)
        before = risks[lane]
        left = credit.left(lane) - before.exposed
        if left > 0 and chance.random() < 0.7:
            after = replace(before, exposed=before.exposed + chance.randint(1, left))
        else:
            signed = chance.randint(0, before.exposed)
            after = replace(before, paid=before.paid + signed, exposed=before.exposed - signed)
        credit.note(lane.id, after)
        risks[lane] = after
        for party in people:
            mine = [each for each in risks.values() if party in each.parties]
            assert sum(each.exposed for each in mine) <= TERMS.cost(TERMS.window(sum(each.paid for each in mine)))
    assert any(each.paid > 10 * INTERVAL for each in risks.values())
