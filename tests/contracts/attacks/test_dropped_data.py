"""Attacks of hosts that stop storing what they are paid for, and of clients that wish they would."""

from __future__ import annotations

from typing import Any

from agents.core.market.types import RequestState, SlotState, slot_id
from agents.core.units import TOKEN
from tests.contracts.ground import PERIOD, PROOF, REWARD, SLASH, STAKE, Ground
from tests.examples import ASK, MARKET


def test_all_hosts_drop_and_the_failure_spares_none(ground: Ground, market: Any) -> None:
    id = ground.started()
    slots = [slot_id(id, index) for index in range(3)]
    ground.missed(*slots)
    ground.missed(*slots)
    last = ground.missed(*slots[:2])
    assert ground.record(id).state == RequestState.FAILED
    # The request is over, yet the third host does not escape with its collateral.
    ground.refused(market.Marketplace_TooEarly, market.settle, slots[2], by=ground.hosts[2])
    market.markProofMissing(slots[2], last, sender=ground.validator)
    assert ground.slot(slots[2]).state == SlotState.SETTLED
    assert [sum(ground.stake(host)) for host in ground.hosts[:3]] == [STAKE - ASK.collateral] * 3
    market.closeRequest(id, sender=ground.client)
    assert ground.credit(ground.client) == ASK.price + 3 * (ASK.collateral - MARKET.max_misses * REWARD)


def test_fill_discard_and_collect_pay_for_periods_without_a_challenge(ground: Ground, market: Any) -> None:
    # A proof is asked for so rarely that none is for a long time; pay runs only up to the last one, the fill.
    id = ground.started(proof_probability=65_535)
    slot = slot_id(id, 0)
    ground.chain.mine(20 * PERIOD)
    assert market.claimable(slot) == 0
    ground.refused(market.Marketplace_NothingToClaim, market.claim, slot, by=ground.hosts[0])


def test_who_drops_a_slot_to_repair_it_loses(ground: Ground, market: Any) -> None:
    id, dropper, accomplice = ground.started(), ground.hosts[0], ground.hosts[3]
    slot = slot_id(id, 0)
    wealth = sum(sum(ground.stake(who)) + ground.credit(who) for who in (dropper, accomplice, ground.validator))
    ground.lost(slot)
    ground.repair_on_sale(slot)
    ground.reserved(id, 0, accomplice)
    ground.challenge_known()
    market.fillSlot(slot, PROOF, sender=accomplice)
    # Even as host, repairer and validator in one, a tenth of the collateral at the least is gone.
    after = sum(sum(ground.stake(who)) + ground.credit(who) for who in (dropper, accomplice, ground.validator))
    assert wealth - after >= ASK.collateral // 10
    bounty = ASK.collateral * MARKET.bounty_bps // 10_000
    assert wealth - after == ASK.collateral - bounty - MARKET.max_misses * REWARD


def test_no_lost_slot_is_filled_in_the_last_period_for_the_bounty(ground: Ground, market: Any) -> None:
    id, late = ground.started(), ground.hosts[3]
    slot, ends = slot_id(id, 0), ground.record(id).endsAt
    ground.lost(slot)
    ground.next_at(ends - PERIOD)
    ground.refused(market.Marketplace_TermTooShort, market.reserveSlot, id, 0, by=late)


def test_forcing_a_failure_stores_nothing_for_free(ground: Ground, market: Any) -> None:
    id, honest = ground.started(), ground.hosts[2]
    filled = ground.slot(slot_id(id, 2)).filledAt
    period = ground.new_period()
    market.submitProof(slot_id(id, 2), period, PROOF, sender=honest)
    ground.lost(slot_id(id, 0), slot_id(id, 1))
    failed = ground.record(id).failedAt
    ground.pass_until(failed + MARKET.settle_seconds)
    market.settle(slot_id(id, 2), sender=honest)
    # The host that kept its slot keeps its pay up to the failure, and all of its collateral.
    assert ground.credit(honest) == (failed - filled) * ASK.rate
    assert ground.stake(honest) == (STAKE, 0)


def test_the_slash_is_of_the_original_collateral(ground: Ground) -> None:
    slot = slot_id(ground.started(), 0)
    lost = []
    for _ in range(2):
        before = sum(ground.stake(ground.hosts[0]))
        ground.missed(slot)
        lost.append(before - sum(ground.stake(ground.hosts[0])))
    assert lost == [SLASH, SLASH] == [TOKEN, TOKEN]


def test_the_challenge_cannot_be_known_before_the_period(ground: Ground, market: Any) -> None:
    slot, host = slot_id(ground.started(), 0), ground.hosts[0]
    period = ground.period + 1
    ground.next_is(period * PERIOD)
    # Its first block is not mined, so its hash, the challenge, is nobody's.
    ground.refused(market.Marketplace_ChallengeUnknown, market.submitProof, slot, period, PROOF, by=host)
    ground.refused(market.Marketplace_ChallengeUnknown, market.challengeOf, slot, period, by=host)
    ground.refused(market.Marketplace_ChallengeUnknown, market.challengeOf, slot, period + 5, by=host)
