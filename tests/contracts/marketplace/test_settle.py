"""Marketplace.settle, by the same rule for all three ends of a request."""

from __future__ import annotations

from typing import Any

from agents.core.market.types import RequestState, SlotState, slot_id
from tests.contracts.ground import PROOF, REWARD, SLASH, STAKE, Ground, fields
from tests.examples import ASK, MARKET

EXTRA = 500


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


def test_a_host_that_agreed_to_no_more_leaves_a_vacant_slot(ground: Ground, market: Any, registry: Any) -> None:
    id, host = ground.started(), ground.hosts[0]
    slot, ends = slot_id(id, 0), ground.ends(id)
    due = ends + MARKET.settle_seconds
    price = ground.extended(id, EXTRA, ground.stranger)
    ground.missed(slot)
    pay = (ends - ground.slot(slot).filledAt - MARKET.period_seconds) * ASK.rate
    ground.next_at(due - 1)
    ground.refused(market.Marketplace_TooEarly, market.settle, slot, by=host, notBefore=due)
    ground.next_at(due)

    receipt = market.settle(slot, sender=ground.stranger)

    assert fields(receipt, market.SlotDeparted) == [
        {"requestId": id, "slotIndex": 0, "host": host.address, "paid": pay}
    ]
    assert fields(receipt, market.RepairOpened) == [{"requestId": id}]
    assert fields(receipt, market.SlotSettled) == fields(receipt, market.RequestFailed) == []
    assert fields(receipt, registry.Unlocked) == [{"provider": host.address, "amount": ASK.collateral - SLASH}]
    assert (ground.credit(host), ground.stake(host)) == (pay, (STAKE - SLASH, 0))
    left = ground.slot(slot)
    assert (left.state, int(left.host, 16), left.heldUntil) == (SlotState.DEPARTED, 0, 0)
    assert (left.departedAt, left.vacatedAt, left.vacatedBlock) == (ends, ground.now, ground.block)
    assert (left.reservations, left.expired, left.pot) == (0, 0, SLASH - REWARD)
    record = ground.record(id)
    assert (record.state, record.filled, record.active, record.vacant) == (RequestState.STARTED, 2, 2, 1)
    assert (record.repairOpenedAt, record.repairOpenedBlock) == (ground.now, ground.block)
    assert (record.unspent, record.pots) == (ASK.price + price - pay, SLASH - REWARD)
    # Nobody was committed to the time that was added.
    assert ground.idle(id) == [(ground.stranger.address, ends, ends + EXTRA, price)]
    ground.refused(market.Marketplace_NotFilled, market.settle, slot, by=host, state=SlotState.DEPARTED)


def test_one_departure_too_many_fails_the_request(ground: Ground, market: Any, registry: Any) -> None:
    id, (_, _, stays, *_) = ground.started(), ground.hosts
    first, second, third = (slot_id(id, index) for index in range(3))
    ends, filled = ground.ends(id), ground.slot(third).filledAt
    price = ground.extended(id, EXTRA, ground.stranger)
    market.acceptExtension(third, ends + EXTRA, sender=stays)
    ground.departed(first)

    receipt = market.settle(second, sender=ground.hosts[1])

    failed = ground.now
    assert fields(receipt, market.RequestFailed) == [{"requestId": id}]
    assert fields(receipt, market.RepairOpened) == []
    assert len(fields(receipt, market.SlotDeparted)) == 1
    record = ground.record(id)
    assert (record.state, record.failedAt, record.vacant, record.filled) == (RequestState.FAILED, failed, 2, 1)
    assert ground.slot(second).state == SlotState.DEPARTED
    # Who had agreed to stay is paid until the failure; what it was to earn after that is nobody's again.
    due = failed + MARKET.settle_seconds
    ground.next_at(due - 1)
    ground.refused(market.Marketplace_TooEarly, market.settle, third, by=stays, notBefore=due)
    ground.next_at(due)
    receipt = market.settle(third, sender=stays)
    pay = (failed - filled) * ASK.rate
    assert fields(receipt, market.SlotSettled) == [
        {"requestId": id, "slotIndex": 2, "host": stays.address, "paid": pay}
    ]
    assert fields(receipt, registry.Credited) == [{"account": stays.address, "amount": pay}]
    assert ground.idle(id) == [
        (ground.stranger.address, ends, ends + EXTRA, price - (failed - ends) * ASK.rate)
    ]  # fmt: skip


def test_a_departure_near_the_end_opens_no_repair(ground: Ground, market: Any) -> None:
    id = ground.started()
    slot, ends = slot_id(id, 0), ground.ends(id)
    ground.extended(id, MARKET.min_extension, ground.stranger)
    ground.next_at(ends + MARKET.min_extension - MARKET.repair_window + 1)
    receipt = market.settle(slot, sender=ground.stranger)
    assert fields(receipt, market.RepairOpened) == []
    assert (ground.record(id).vacant, ground.record(id).repairOpenedAt) == (1, 0)
    ground.refused(market.Marketplace_TermTooShort, market.reserveSlot, id, 0, by=ground.hosts[3])
    # Whoever adds time then has it repaired.
    receipt = market.extendRequest(id, EXTRA, sender=ground.stranger)
    assert fields(receipt, market.RepairOpened) == [{"requestId": id}]


def test_once_the_request_is_over_all_are_settled_each_for_its_time(ground: Ground, market: Any) -> None:
    id, (leaves, stays, *_) = ground.started(), ground.hosts
    ends, until = ground.ends(id), ground.ends(id) + EXTRA
    first, second = slot_id(id, 0), slot_id(id, 1)
    filled = [ground.slot(slot).filledAt for slot in (first, second)]
    price = ground.extended(id, EXTRA, ground.stranger)
    market.acceptExtension(second, until, sender=stays)
    ground.next_at(until)
    receipt = market.settle(first, sender=ground.stranger)
    pay = (ends - filled[0]) * ASK.rate
    assert fields(receipt, market.SlotDeparted) == fields(receipt, market.RequestFailed) == []
    assert [event["paid"] for event in fields(receipt, market.SlotSettled)] == [pay]
    assert ground.slot(first).state == SlotState.SETTLED
    ground.refused(
        market.Marketplace_TooEarly, market.settle, second, by=stays, notBefore=until + MARKET.settle_seconds
    )
    ground.next_at(until + MARKET.settle_seconds)
    market.settle(second, sender=ground.stranger)
    assert (ground.credit(leaves), ground.credit(stays)) == (pay, (until - filled[1]) * ASK.rate)
    assert ground.idle(id) == [(ground.stranger.address, ends, until, price - EXTRA * ASK.rate)]


def test_refuses_what_is_not_filled(ground: Ground, market: Any) -> None:
    id = ground.on_sale()
    ground.refused(market.Marketplace_UnknownRequest, market.settle, b"\7" * 32, by=ground.stranger)
    ground.refused(
        market.Marketplace_NotFilled, market.settle, slot_id(id, 0), by=ground.stranger, state=SlotState.FREE
    )
