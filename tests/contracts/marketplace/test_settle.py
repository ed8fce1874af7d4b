"""Marketplace.settle, by the same rule for all three ends of a request."""

from __future__ import annotations

from typing import Any

from agents.core.market.types import RequestState, SlotState, slot_id
from tests.contracts.ground import PROOF, SLASH, STAKE, Ground, fields
from tests.examples import ASK, MARKET


def test_pays_all_the_time_and_frees_the_collateral(ground: Ground, market: Any, registry: Any) -> None:
    id, host = ground.started(), ground.hosts[0]
    slot, ends = slot_id(id, 0), ground.record(id).endsAt
    due = ends + MARKET.settle_seconds
    ground.refused(market.Marketplace_TooEarly, market.settle, slot, by=host, notBefore=due)
    ground.next_at(due - 1)
    ground.refused(market.Marketplace_TooEarly, market.settle, slot, by=host, notBefore=due)
    ground.next_at(due)
    pay = (ends - ground.slot(slot).filledAt) * ASK.rate

    receipt = market.settle(slot, sender=ground.stranger)

    assert fields(receipt, market.SlotSettled) == [{"requestId": id, "slotIndex": 0, "host": host.address, "paid": pay}]
    assert fields(receipt, registry.Unlocked) == [{"provider": host.address, "amount": ASK.collateral}]
    assert (ground.credit(host), ground.stake(host)) == (pay, (STAKE, 0))
    record = ground.slot(slot)
    assert (record.state, int(record.host, 16)) == (SlotState.SETTLED, 0)
    assert (ground.record(id).filled, ground.record(id).active) == (2, 2)
    assert ground.record(id).state == RequestState.FINISHED
    ground.refused(market.Marketplace_NotFilled, market.settle, slot, by=host, state=SlotState.SETTLED)


def test_takes_off_what_was_claimed_and_every_miss(ground: Ground, market: Any) -> None:
    id, host = ground.started(), ground.hosts[0]
    slot, ends = slot_id(id, 0), ground.record(id).endsAt
    period = ground.new_period()
    market.submitProof(slot, period, PROOF, sender=host)
    market.claim(slot, sender=host)
    claimed = ground.slot(slot).claimed
    ground.missed(slot)
    ground.missed(slot)
    ground.next_at(ends + MARKET.settle_seconds)
    pay = (ends - ground.slot(slot).filledAt) * ASK.rate - 2 * MARKET.period_seconds * ASK.rate

    receipt = market.settle(slot, sender=host)

    assert [event["paid"] for event in fields(receipt, market.SlotSettled)] == [pay - claimed]
    assert ground.credit(host) == pay
    assert ground.stake(host) == (STAKE - 2 * SLASH, 0)


def test_slots_of_a_cancelled_request_are_paid_until_its_expiry(ground: Ground, market: Any) -> None:
    id, host = ground.on_sale(), ground.hosts[0]
    slot = ground.filled(id, 0, host)
    expires = ground.record(id).expiresAt
    ground.next_at(expires + MARKET.settle_seconds - 1)
    ground.refused(market.Marketplace_TooEarly, market.settle, slot, by=host, notBefore=expires + MARKET.settle_seconds)
    ground.next_at(expires + MARKET.settle_seconds)
    market.settle(slot, sender=host)
    assert ground.record(id).state == RequestState.CANCELLED
    assert ground.credit(host) > 0
    assert ground.stake(host) == (STAKE, 0)


def test_slots_of_a_failed_request_are_paid_until_its_failure(ground: Ground, market: Any) -> None:
    id, host = ground.started(), ground.hosts[2]
    slot, filled = slot_id(id, 2), ground.slot(slot_id(id, 2)).filledAt
    ground.lost(slot_id(id, 0), slot_id(id, 1))
    failed = ground.record(id).failedAt
    assert failed == ground.now
    ground.next_at(failed + MARKET.settle_seconds)
    market.settle(slot, sender=host)
    assert ground.credit(host) == (failed - filled) * ASK.rate


def test_refuses_what_is_not_filled(ground: Ground, market: Any) -> None:
    id = ground.on_sale()
    ground.refused(market.Marketplace_UnknownRequest, market.settle, b"\7" * 32, by=ground.stranger)
    ground.refused(
        market.Marketplace_NotFilled, market.settle, slot_id(id, 0), by=ground.stranger, state=SlotState.FREE
    )
