"""Marketplace.claim and the view claimable: running pay."""

from __future__ import annotations

from typing import Any

from agents.core.market.types import SlotState, slot_id
from tests.contracts.ground import PROOF, Ground, fields
from tests.examples import ASK, MARKET

MISS = MARKET.period_seconds * ASK.rate
"""A miss is a period without pay."""


def proven(ground: Ground, slot: bytes, host: Any) -> int:
    """A proof of a new period; seconds since the fill."""
    period = ground.new_period()
    ground.market.submitProof(slot, period, PROOF, sender=host)
    return ground.now - int(ground.slot(slot).filledAt)


def test_pays_up_to_the_last_proof_and_once(ground: Ground, market: Any, registry: Any) -> None:
    id, host = ground.started(), ground.hosts[0]
    slot = slot_id(id, 0)
    unspent = ground.record(id).unspent
    ground.refused(market.Marketplace_NothingToClaim, market.claim, slot, by=host)
    seconds = proven(ground, slot, host)
    ground.chain.mine(3)
    assert market.claimable(slot) == seconds * ASK.rate

    # Anybody may call; the host is paid.
    receipt = market.claim(slot, sender=ground.stranger)

    paid = {"slotId": slot, "host": host.address, "amount": seconds * ASK.rate}
    assert fields(receipt, market.PayClaimed) == [paid]
    assert fields(receipt, registry.Credited) == [{"account": host.address, "amount": seconds * ASK.rate}]
    assert ground.credit(host) == seconds * ASK.rate == unspent - ground.record(id).unspent
    assert (ground.slot(slot).claimed, market.claimable(slot)) == (seconds * ASK.rate, 0)
    ground.refused(market.Marketplace_NothingToClaim, market.claim, slot, by=host)
    later = proven(ground, slot, host)
    market.claim(slot, sender=host)
    assert ground.credit(host) == later * ASK.rate


def test_a_miss_before_the_last_proof_costs_a_period(ground: Ground, market: Any) -> None:
    slot, host = slot_id(ground.started(), 0), ground.hosts[0]
    ground.missed(slot)
    # Not yet: the miss is of a period after the last proof, the fill.
    assert market.claimable(slot) == 0
    seconds = proven(ground, slot, host)
    assert market.claimable(slot) == seconds * ASK.rate - MISS
    # And a miss after it counts from the next proof on.
    ground.missed(slot)
    assert market.claimable(slot) == seconds * ASK.rate - MISS
    assert proven(ground, slot, host) * ASK.rate - 2 * MISS == market.claimable(slot)


def test_a_miss_marked_after_a_later_proof_counts_at_once(ground: Ground, market: Any) -> None:
    slot, host = slot_id(ground.started(), 0), ground.hosts[0]
    missed = ground.new_period()
    seconds = proven(ground, slot, host)
    assert market.claimable(slot) == seconds * ASK.rate
    market.markProofMissing(slot, missed, sender=ground.validator)
    assert market.claimable(slot) == seconds * ASK.rate - MISS


def test_what_was_claimed_is_not_clawed_back(ground: Ground, market: Any) -> None:
    slot, host = slot_id(ground.started(), 0), ground.hosts[0]
    missed = ground.new_period()
    seconds = proven(ground, slot, host)
    market.claim(slot, sender=host)
    market.markProofMissing(slot, missed, sender=ground.validator)
    assert (market.claimable(slot), ground.credit(host)) == (0, seconds * ASK.rate)
    # What was paid too much is taken off later pay.
    assert proven(ground, slot, host) * ASK.rate - MISS - seconds * ASK.rate == market.claimable(slot)


def test_pay_stops_at_the_end_the_host_agreed_to(ground: Ground, market: Any) -> None:
    id, (leaves, stays, *_) = ground.started(), ground.hosts
    ends, first, second = ground.ends(id), slot_id(id, 0), slot_id(id, 1)
    ground.extended(id, 500, ground.stranger)
    market.acceptExtension(second, ends + 500, sender=stays)
    period = ground.new_period()
    ground.next_at(ends - 1)
    market.submitProof(first, period, PROOF, sender=leaves)
    market.submitProofs([second], [PROOF], sender=stays)
    # The second's proof, at the first's end, is one that the first could not give any more.
    assert (ground.slot(first).provenAt, ground.slot(second).provenAt) == (ends - 1, ends)
    due = {slot: (ground.slot(slot).provenAt - ground.slot(slot).filledAt) * ASK.rate for slot in (first, second)}
    later = ground.new_period()
    ground.refused(market.Marketplace_SlotEnded, market.submitProof, first, later, PROOF, by=leaves, end=ends)
    market.submitProof(second, later, PROOF, sender=stays)
    due[second] += (ground.now - ends) * ASK.rate
    assert ground.now > ends
    for slot, host in ((first, leaves), (second, stays)):
        market.claim(slot, sender=ground.stranger)
        assert ground.credit(host) == due[slot]
    # The last second is paid when the slot is settled, and none of those after it.
    ground.departed(first)
    assert ground.credit(leaves) == due[first] + ASK.rate


def test_only_of_filled_slots(ground: Ground, market: Any) -> None:
    id = ground.on_sale()
    slot = slot_id(id, 0)
    ground.refused(market.Marketplace_UnknownRequest, market.claim, b"\7" * 32, by=ground.stranger)
    ground.refused(market.Marketplace_NotFilled, market.claim, slot, by=ground.stranger, state=SlotState.FREE)
    assert market.claimable(slot) == 0
