"""Marketplace.markProofMissing: misses, the loss of a slot, the opening of a repair, the failure of a request."""

from __future__ import annotations

from typing import Any

from agents.core.market.types import RequestState, SlotState, slot_id
from agents.core.units import TOKEN
from tests.contracts.ground import PERIOD, PROOF, REWARD, SLASH, STAKE, Ground, fields
from tests.examples import ASK, MARKET

REST = ASK.collateral - MARKET.max_misses * SLASH


def test_a_miss_costs_the_host_and_pays_the_marker_and_the_pot(ground: Ground, market: Any, registry: Any) -> None:
    id, host = ground.started(), ground.hosts[0]
    slot = slot_id(id, 0)
    period = ground.new_period()
    ground.after_period(period)
    credit = ground.credit(ground.validator)

    receipt = market.markProofMissing(slot, period, sender=ground.validator)

    assert (SLASH, REWARD) == (TOKEN, TOKEN // 5)
    assert fields(receipt, market.ProofMissed) == [
        {
            "slotId": slot, "period": period, "validator": ground.validator.address, "slashed": SLASH,
            "reward": REWARD,
        }
    ]  # fmt: skip
    assert fields(receipt, registry.Slashed) == [{"provider": host.address, "amount": SLASH}]
    assert ground.credit(ground.validator) - credit == REWARD
    assert ground.stake(host) == (STAKE - ASK.collateral, ASK.collateral - SLASH)
    assert (ground.slot(slot).misses, ground.slot(slot).pot, ground.record(id).pots) == (
        1, SLASH - REWARD, SLASH - REWARD,
    )  # fmt: skip
    assert ground.slot(slot).state == SlotState.FILLED
    ground.refused(market.Marketplace_AlreadyMarked, market.markProofMissing, slot, period, by=ground.stranger)


def test_only_while_the_window_is_open(ground: Ground, market: Any) -> None:
    slot, mark = slot_id(ground.started(), 0), market.markProofMissing
    period = ground.new_period()
    opens, closes = (period + 1) * PERIOD, (period + 1) * PERIOD + MARKET.mark_blocks
    window = {"fromBlock": opens, "beforeBlock": closes}
    ground.next_is(opens - 1)
    ground.refused(market.Marketplace_NotMarkableNow, mark, slot, period, by=ground.validator, **window)
    ground.next_is(closes - 1)
    # Later periods first: order does not matter.
    mark(slot, period + 1, sender=ground.validator)
    ground.refused(market.Marketplace_NotMarkableNow, mark, slot, period, by=ground.validator, **window)
    assert ground.slot(slot).misses == 1


def test_only_what_was_required_of_a_filled_slot(ground: Ground, market: Any) -> None:
    id, mark = ground.on_sale(), market.markProofMissing
    period = ground.new_period()
    ground.after_period(period)
    slot = slot_id(id, 0)
    ground.refused(market.Marketplace_UnknownRequest, mark, b"\7" * 32, period, by=ground.validator)
    ground.refused(market.Marketplace_NotFilled, mark, slot, period, by=ground.validator, state=SlotState.FREE)
    ground.reserved(id, 0, ground.hosts[0])
    ground.refused(market.Marketplace_NotFilled, mark, slot, period, by=ground.validator, state=SlotState.RESERVED)
    period = ground.new_period()
    market.fillSlot(slot, PROOF, sender=ground.hosts[0])
    ground.after_period(period)
    # Neither the period of the fill, nor one before it.
    for free in (period, period - 1):
        ground.refused(market.Marketplace_ProofNotRequired, mark, slot, free, by=ground.validator, period=free)


def test_the_last_miss_takes_the_slot_and_opens_the_repair(ground: Ground, market: Any, registry: Any) -> None:
    id, host = ground.started(), ground.hosts[0]
    slot = slot_id(id, 0)
    proven = ground.new_period()
    market.submitProof(slot, proven, PROOF, sender=host)
    paid = (ground.now - ground.slot(slot).filledAt) * ASK.rate
    ground.missed(slot)
    ground.missed(slot)
    last = ground.new_period()
    ground.after_period(last)
    credit, unspent = ground.credit(host), ground.record(id).unspent

    receipt = market.markProofMissing(slot, last, sender=ground.validator)

    assert fields(receipt, market.SlotLost) == [
        {"requestId": id, "slotIndex": 0, "host": host.address, "paid": paid, "slashed": REST}
    ]
    assert fields(receipt, market.RepairOpened) == [{"requestId": id}]
    assert fields(receipt, registry.Slashed) == [{"provider": host.address, "amount": SLASH + REST}]
    assert ground.credit(host) - credit == paid
    assert ground.stake(host) == (STAKE - ASK.collateral, 0)
    record, request = ground.slot(slot), ground.record(id)
    assert (record.state, int(record.host, 16)) == (SlotState.LOST, 0)
    assert (record.vacatedAt, record.vacatedBlock, record.reservations) == (ground.now, ground.block, 0)
    assert record.pot == request.pots == ASK.collateral - MARKET.max_misses * REWARD
    assert (request.state, request.filled, request.active, request.vacant) == (RequestState.STARTED, 2, 2, 1)
    assert (request.repairOpenedAt, request.repairOpenedBlock) == (ground.now, ground.block)
    assert unspent - request.unspent == paid
    ground.refused(market.Marketplace_NotFilled, market.markProofMissing, slot, last, by=ground.validator)


def test_one_loss_too_many_fails_the_request(ground: Ground, market: Any) -> None:
    id = ground.started()
    first, second = slot_id(id, 0), slot_id(id, 1)
    ground.missed(first, second)
    ground.missed(first, second)
    period = ground.missed(first)

    receipt = market.markProofMissing(second, period, sender=ground.validator)

    assert fields(receipt, market.RequestFailed) == [{"requestId": id}]
    assert fields(receipt, market.RepairOpened) == []
    record = ground.record(id)
    assert (record.state, record.failedAt, record.vacant, record.filled) == (RequestState.FAILED, ground.now, 2, 1)
    # The third slot stays markable for what was over before the failure.
    market.markProofMissing(slot_id(id, 2), period, sender=ground.validator)
    assert ground.slot(slot_id(id, 2)).misses == 1


def test_a_loss_below_the_threshold_opens_no_repair(ground: Ground, market: Any) -> None:
    id = ground.started(slots=4, max_slot_loss=2, repair_threshold=2)
    first, second = slot_id(id, 0), slot_id(id, 1)
    ground.missed(first, second)
    ground.missed(first, second)
    ground.missed(first)
    record = ground.record(id)
    assert (record.vacant, record.repairOpenedAt) == (1, 0)
    ground.refused(market.Marketplace_NotForSale, market.reserveSlot, id, 0, by=ground.hosts[5])
    vacated = ground.slot(first).vacatedBlock

    ground.missed(second)

    record = ground.record(id)
    assert (record.vacant, record.repairOpenedAt, record.repairOpenedBlock) == (2, ground.now, ground.block)
    assert record.repairOpenedBlock > vacated
    # The slot that waited is sold from the opening on.
    ground.repair_on_sale(first)
    ground.reserved(id, 0, ground.hosts[5])


def test_a_loss_near_the_end_opens_no_repair(ground: Ground, market: Any) -> None:
    id = ground.on_sale(duration=320)
    for index in range(3):
        ground.filled(id, index, ground.hosts[index])
    slot, ends = slot_id(id, 0), ground.record(id).endsAt
    ground.missed(slot)
    ground.missed(slot)
    ground.pass_until(max(ground.now + 1, ends - MARKET.repair_window - 15))
    ground.missed(slot)
    assert ground.now > ends - MARKET.repair_window
    record = ground.record(id)
    assert (record.state, record.vacant, record.repairOpenedAt) == (RequestState.STARTED, 1, 0)
    ground.refused(market.Marketplace_TermTooShort, market.reserveSlot, id, 0, by=ground.hosts[3])


def test_periods_over_before_the_end_are_markable_after_it(ground: Ground, market: Any) -> None:
    id = ground.started()
    slot, ends = slot_id(id, 0), ground.record(id).endsAt
    period = ground.new_period()
    # The last block of `period` is exactly at the end; the one of the next is a period later.
    ground.next_is((period + 1) * PERIOD - 1)
    ground.pass_until(ends)
    assert ground.record(id).state == RequestState.FINISHED
    market.markProofMissing(slot, period, sender=ground.validator)
    ground.after_period(period + 1)
    ground.refused(
        market.Marketplace_SlotEnded, market.markProofMissing, slot, period + 1, by=ground.validator, end=ends
    )


def test_a_slot_lost_after_the_end_is_settled(ground: Ground, market: Any) -> None:
    id = ground.started()
    slot, ends = slot_id(id, 0), ground.record(id).endsAt
    ground.missed(slot)
    ground.missed(slot)
    period = ground.new_period()
    ground.next_is((period + 1) * PERIOD - 1)
    ground.pass_until(ends)

    receipt = market.markProofMissing(slot, period, sender=ground.validator)

    assert [event["slashed"] for event in fields(receipt, market.SlotLost)] == [REST]
    assert fields(receipt, market.RequestFailed) == fields(receipt, market.RepairOpened) == []
    record = ground.record(id)
    assert (ground.slot(slot).state, record.state, record.vacant) == (SlotState.SETTLED, RequestState.FINISHED, 0)
