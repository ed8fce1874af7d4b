"""Marketplace.submitProofs: a host's proofs of the current period, checked at once."""

from __future__ import annotations

from typing import Any

import pytest

from agents.core.market.types import SlotState, slot_id
from tests.contracts.ground import PERIOD, PROOF, Ground, fields
from tests.examples import BAD_PROOF, EXPIRY

BAD = BAD_PROOF.as_abi()


@pytest.fixture
def holdings(ground: Ground) -> list[bytes]:
    """Slots of the first host, each of a request of its own, that nobody else has a slot of."""
    return held(ground, 3)


def held(ground: Ground, count: int) -> list[bytes]:
    """As many slots of the first host."""
    ids = [ground.posted(expiry=2 * EXPIRY) for _ in range(count)]
    ground.window_over(ids[-1])
    return [ground.filled(id, 0, ground.hosts[0]) for id in ids]


def test_all_slots_are_proven_at_once(ground: Ground, market: Any, holdings: list[bytes]) -> None:
    host, count = ground.hosts[0], len(holdings)
    period = ground.new_period()
    assert market.submitProofs.call(holdings, [PROOF] * count, sender=host, block_id="pending") == count

    receipt = market.submitProofs(holdings, [PROOF] * count, sender=host)

    assert fields(receipt, market.ProofSubmitted) == [{"slotId": slot, "period": period} for slot in holdings]
    assert [ground.slot(slot).provenAt for slot in holdings] == [ground.now] * count
    for slot in holdings:
        ground.refused(market.Marketplace_AlreadyProven, market.submitProof, slot, period, PROOF, by=host)
    ground.after_period(period)
    ground.refused(market.Marketplace_NothingApplies, market.markProofsMissing, holdings, period, by=ground.validator)


def test_what_does_not_apply_is_skipped(ground: Ground, market: Any) -> None:
    host, other = ground.hosts[:2]
    fresh = ground.posted(expiry=2 * EXPIRY)
    brief = ground.on_sale(expiry=40)
    ended = ground.filled(brief, 0, host)
    due, proven = held(ground, 2)
    strangers = ground.filled(proven[:31] + b"\0", 1, other)
    ground.new_period()
    new = ground.filled(fresh, 0, host)
    period = ground.period
    market.submitProof(proven, period, PROOF, sender=host)
    reasons = {
        b"\7" * 32: market.Marketplace_UnknownRequest,
        slot_id(fresh, 1): market.Marketplace_NotFilled,
        # There is no such slot.
        slot_id(fresh, 9): market.Marketplace_NotFilled,
        strangers: market.Marketplace_NotHost,
        ended: market.Marketplace_SlotEnded,
        new: market.Marketplace_ProofNotRequired,
        proven: market.Marketplace_AlreadyProven,
    }
    for slot, error in reasons.items():
        ground.refused(error, market.submitProof, slot, period, PROOF, by=host)
    skipped = list(reasons)
    # Of what is skipped not even the proof is looked at.
    ground.refused(market.Marketplace_NothingApplies, market.submitProofs, skipped, [PROOF] * len(skipped), by=host)
    slots, proofs = [*skipped, due, due], [*[BAD] * len(skipped), PROOF, BAD]

    receipt = market.submitProofs(slots, proofs, sender=host)

    assert fields(receipt, market.ProofSubmitted) == [{"slotId": due, "period": period}]
    assert ground.slot(due).provenAt == ground.now
    assert ground.slot(strangers).provenAt == ground.slot(strangers).filledAt
    assert ground.slot(new).provenAt == ground.slot(new).filledAt
    assert ground.slot(ended).state == SlotState.FILLED


def test_one_bad_proof_rejects_them_all(ground: Ground, market: Any, holdings: list[bytes]) -> None:
    host, submit = ground.hosts[0], market.submitProofs
    ground.new_period()
    for bad in range(len(holdings)):
        proofs = [BAD if index == bad else PROOF for index in range(len(holdings))]
        ground.refused(market.Marketplace_InvalidProof, submit, holdings, proofs, by=host)
    submit(holdings[1:], [PROOF] * 2, sender=host)
    # The first has still to be proven.
    ground.refused(market.Marketplace_InvalidProof, submit, holdings, [BAD, PROOF, PROOF], by=host)
    submit(holdings, [PROOF, BAD, BAD], sender=host)
    assert ground.slot(holdings[0]).provenAt == ground.now == ground.slot(holdings[1]).provenAt + 1


def test_only_as_many_proofs_as_slots_and_at_least_one(ground: Ground, market: Any) -> None:
    (slot,), host, submit = held(ground, 1), ground.hosts[0], market.submitProofs
    ground.new_period()
    for slots, proofs in (([slot], []), ([slot], [PROOF, PROOF]), ([], [PROOF])):
        ground.refused(
            market.Marketplace_LengthMismatch, submit, slots, proofs, by=host, slots=len(slots), proofs=len(proofs)
        )
    ground.refused(market.Marketplace_NothingApplies, submit, [], [], by=host)


def test_not_in_the_block_whose_hash_is_the_challenge(ground: Ground, market: Any) -> None:
    (slot,), host, submit = held(ground, 1), ground.hosts[0], market.submitProofs
    period = ground.period + 1
    ground.next_is(period * PERIOD)
    ground.refused(market.Marketplace_ChallengeUnknown, submit, [slot], [PROOF], by=host, period=period)
    ground.in_period(period)
    submit([slot], [PROOF], sender=host)
    ground.next_is((period + 1) * PERIOD - 1)
    # The whole period is the same one.
    ground.refused(market.Marketplace_NothingApplies, submit, [slot], [PROOF], by=host)


def test_until_the_end_the_host_agreed_to(ground: Ground, market: Any) -> None:
    id, (first, second, *_) = ground.started(), ground.hosts
    ends, submit = ground.ends(id), market.submitProofs
    ground.extended(id, 500, ground.stranger)
    stays, leaves = slot_id(id, 1), slot_id(id, 0)
    market.acceptExtension(stays, ends + 500, sender=second)
    period = ground.new_period()
    ground.next_at(ends)
    ground.refused(market.Marketplace_NothingApplies, submit, [leaves], [PROOF], by=first)
    ground.refused(market.Marketplace_SlotEnded, market.submitProof, leaves, period, PROOF, by=first, end=ends)
    ground.next_at(ends)
    submit([stays], [PROOF], sender=second)
    ground.new_period()
    ground.next_at(ends + 500)
    ground.refused(market.Marketplace_NothingApplies, submit, [stays], [PROOF], by=second)
    ground.next_at(ends + 499)
    submit([stays], [PROOF], sender=second)
