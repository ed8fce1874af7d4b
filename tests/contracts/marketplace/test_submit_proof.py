"""Marketplace.submitProof, and the views that tell when: currentPeriod, challengeOf, isProofRequired."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak

from agents.core.market.types import SlotState, slot_id
from tests.contracts.ground import PERIOD, PROOF, Ground, fields
from tests.examples import BAD_PROOF


def test_a_proof_of_the_current_period_is_kept(ground: Ground, market: Any) -> None:
    slot, host = slot_id(ground.started(), 0), ground.hosts[0]
    filled = ground.slot(slot).filledAt
    period = ground.new_period()
    assert market.isProofRequired(slot, period, block_id="pending")

    receipt = market.submitProof(slot, period, PROOF, sender=host)

    assert fields(receipt, market.ProofSubmitted) == [{"slotId": slot, "period": period}]
    record = ground.slot(slot)
    assert (record.filledAt, record.provenAt, record.misses) == (filled, ground.now, 0)
    ground.refused(market.Marketplace_AlreadyProven, market.submitProof, slot, period, PROOF, by=host, period=period)
    ground.after_period(period)
    ground.refused(market.Marketplace_AlreadyProven, market.markProofMissing, slot, period, by=ground.validator)


def test_the_challenge_is_the_hash_of_the_periods_first_block(ground: Ground, market: Any) -> None:
    slot = slot_id(ground.started(), 0)
    period = ground.new_period()
    first = ground.chain.blocks[period * PERIOD]
    assert market.currentPeriod(block_id="pending") == period
    assert market.challengeOf(slot, period, block_id="pending") == keccak(bytes(first.hash) + slot)
    ground.refused(market.Marketplace_ChallengeUnknown, market.challengeOf, slot, period + 1, by=ground.validator)


def test_only_the_host_of_a_filled_slot(ground: Ground, market: Any) -> None:
    id, (host, other, *_) = ground.on_sale(), ground.hosts
    slot, submit = slot_id(id, 0), market.submitProof
    period = ground.new_period()
    ground.refused(market.Marketplace_UnknownRequest, submit, b"\7" * 32, period, PROOF, by=host)
    ground.refused(market.Marketplace_NotFilled, submit, slot, period, PROOF, by=host, state=SlotState.FREE)
    ground.filled(id, 0, host)
    period = ground.new_period()
    ground.refused(
        market.Marketplace_NotHost, submit, slot, period, PROOF, by=other, host=host.address, caller=other.address
    )
    ground.refused(market.Marketplace_InvalidProof, submit, slot, period, BAD_PROOF.as_abi(), by=host)
    # Also before the request has started.
    submit(slot, period, PROOF, sender=host)


def test_only_of_the_current_period_from_its_second_block_on(ground: Ground, market: Any) -> None:
    slot, host, submit = slot_id(ground.started(), 0), ground.hosts[0], market.submitProof
    period = ground.new_period()
    for wrong in (period - 1, period + 1):
        ground.refused(
            market.Marketplace_WrongPeriod, submit, slot, wrong, PROOF, by=host, period=wrong, current=period
        )
    ground.next_is((period + 1) * PERIOD)
    ground.refused(market.Marketplace_ChallengeUnknown, submit, slot, period + 1, PROOF, by=host, period=period + 1)
    ground.next_is((period + 2) * PERIOD - 1)
    submit(slot, period + 1, PROOF, sender=host)


def test_not_in_the_period_of_the_fill(ground: Ground, market: Any) -> None:
    id, host = ground.on_sale(), ground.hosts[0]
    slot = ground.reserved(id, 0, host)
    period = ground.new_period()
    market.fillSlot(slot, PROOF, sender=host)
    assert ground.period == period
    assert not market.isProofRequired(slot, period, block_id="pending")
    ground.refused(market.Marketplace_ProofNotRequired, market.submitProof, slot, period, PROOF, by=host)
    ground.in_period(period + 1)
    market.submitProof(slot, period + 1, PROOF, sender=host)


def test_not_in_a_period_that_the_challenge_spares(ground: Ground, market: Any) -> None:
    probability = 3
    slot, host = slot_id(ground.started(proof_probability=probability), 0), ground.hosts[0]
    seen = set()
    for _ in range(40):
        period = ground.new_period()
        challenge = int.from_bytes(market.challengeOf(slot, period, block_id="pending"))
        required = challenge <= (2**256 - 1) // probability
        assert market.isProofRequired(slot, period, block_id="pending") == required
        if required in seen:
            continue
        seen.add(required)
        if required:
            market.submitProof(slot, period, PROOF, sender=host)
        else:
            ground.refused(market.Marketplace_ProofNotRequired, market.submitProof, slot, period, PROOF, by=host)
        if len(seen) == 2:
            return
    raise AssertionError("in forty periods at p = 3 the lottery never went both ways")


def test_not_after_the_end(ground: Ground, market: Any) -> None:
    id, host = ground.started(), ground.hosts[0]
    slot, ends = slot_id(id, 0), ground.record(id).endsAt
    period = ground.new_period()
    ground.next_at(ends)
    ground.refused(market.Marketplace_SlotEnded, market.submitProof, slot, period, PROOF, by=host, end=ends)
    ground.next_at(ends - 1)
    market.submitProof(slot, period, PROOF, sender=host)
