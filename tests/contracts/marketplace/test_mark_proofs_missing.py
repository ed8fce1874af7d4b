"""Marketplace.markProofsMissing: the misses of a period, marked at once."""

from __future__ import annotations

from typing import Any

from agents.core.market.types import RequestState, SlotState, slot_id
from tests.contracts.ground import PERIOD, PROOF, REWARD, SLASH, STAKE, Ground, fields
from tests.examples import ASK, MARKET

REST = ASK.collateral - MARKET.max_misses * SLASH


def slots_of(id: bytes) -> list[bytes]:
    """All slots of a request for ASK."""
    return [slot_id(id, index) for index in range(ASK.slots)]


def test_each_miss_costs_its_host_and_the_marker_is_credited_once(ground: Ground, market: Any, registry: Any) -> None:
    slots = slots_of(ground.started())
    period = ground.new_period()
    ground.after_period(period)
    marker, credit = ground.validator, ground.credit(ground.validator)
    assert market.markProofsMissing.call(slots, period, sender=marker, block_id="pending") == len(slots)

    receipt = market.markProofsMissing(slots, period, sender=marker)

    missed = {"period": period, "validator": marker.address, "slashed": SLASH, "reward": REWARD}
    assert fields(receipt, market.ProofMissed) == [{"slotId": slot, **missed} for slot in slots]
    assert fields(receipt, registry.Slashed) == [
        {"provider": host.address, "amount": SLASH} for host in ground.hosts[:3]
    ]
    assert fields(receipt, registry.Credited) == [{"account": marker.address, "amount": 3 * REWARD}]
    assert ground.credit(marker) - credit == 3 * REWARD
    assert [ground.slot(slot).misses for slot in slots] == [1, 1, 1]
    assert [ground.slot(slot).pot for slot in slots] == [SLASH - REWARD] * 3
    assert ground.record(slots[0]).pots == 3 * (SLASH - REWARD)
    for host in ground.hosts[:3]:
        assert ground.stake(host) == (STAKE - ASK.collateral, ASK.collateral - SLASH)
    for slot in slots:
        ground.refused(market.Marketplace_AlreadyMarked, market.markProofMissing, slot, period, by=marker)


def test_what_does_not_apply_is_skipped(ground: Ground, market: Any) -> None:
    id, other, brief = ground.posted(), ground.posted(), ground.on_sale(expiry=40)
    ended = ground.filled(brief, 0, ground.hosts[0])
    ground.window_over(other)
    due = ground.filled(id, 0, ground.hosts[0])
    proven = ground.filled(id, 1, ground.hosts[1])
    marked = ground.filled(other, 0, ground.hosts[0])
    period = ground.new_period()
    market.submitProof(proven, period, PROOF, sender=ground.hosts[1])
    new = ground.filled(other, 1, ground.hosts[1])
    assert ground.slot(new).fillPeriod == period
    ground.after_period(period)
    market.markProofMissing(marked, period, sender=ground.validator)
    reasons = {
        b"\7" * 32: market.Marketplace_UnknownRequest,
        slot_id(other, 2): market.Marketplace_NotFilled,
        # There is no such slot.
        slot_id(other, 9): market.Marketplace_NotFilled,
        ended: market.Marketplace_SlotEnded,
        new: market.Marketplace_ProofNotRequired,
        proven: market.Marketplace_AlreadyProven,
        marked: market.Marketplace_AlreadyMarked,
    }
    for slot, error in reasons.items():
        ground.refused(error, market.markProofMissing, slot, period, by=ground.validator)
    ground.refused(
        market.Marketplace_NothingApplies, market.markProofsMissing, list(reasons), period, by=ground.validator
    )
    credit = ground.credit(ground.stranger)

    receipt = market.markProofsMissing([*reasons, due, due], period, sender=ground.stranger)

    assert [event["slotId"] for event in fields(receipt, market.ProofMissed)] == [due]
    assert ground.credit(ground.stranger) - credit == REWARD
    assert [ground.slot(slot).misses for slot in (ended, new, proven, marked, due)] == [0, 0, 0, 1, 1]


def test_only_while_the_window_is_open(ground: Ground, market: Any) -> None:
    slots, mark = slots_of(ground.started()), market.markProofsMissing
    period = ground.new_period()
    opens, closes = (period + 1) * PERIOD, (period + 1) * PERIOD + MARKET.mark_blocks
    window = {"fromBlock": opens, "beforeBlock": closes}
    ground.refused(market.Marketplace_NotMarkableNow, mark, slots, period, by=ground.validator, **window)
    ground.after_period(period)
    ground.refused(market.Marketplace_NothingApplies, mark, [], period, by=ground.validator)
    ground.next_is(closes)
    ground.refused(market.Marketplace_NotMarkableNow, mark, slots, period, by=ground.validator, **window)


def test_last_misses_take_the_slots_and_fail_the_request(ground: Ground, market: Any, registry: Any) -> None:
    id, (first, second, third, *_) = ground.started(), ground.hosts
    slots = slots_of(id)
    proven = ground.new_period()
    for slot, host in zip(slots, ground.hosts, strict=False):
        market.submitProof(slot, proven, PROOF, sender=host)
    pays = [(ground.slot(slot).provenAt - ground.slot(slot).filledAt) * ASK.rate for slot in slots]
    ground.missed(*slots[:2])
    ground.missed(*slots[:2])
    last = ground.new_period()
    ground.after_period(last)
    credit = ground.credit(ground.validator)

    receipt = market.markProofsMissing(slots, last, sender=ground.validator)

    lost = {"requestId": id, "slashed": REST}
    assert fields(receipt, market.SlotLost) == [
        {**lost, "slotIndex": 0, "host": first.address, "paid": pays[0]},
        {**lost, "slotIndex": 1, "host": second.address, "paid": pays[1]},
    ]
    assert fields(receipt, market.RepairOpened) == fields(receipt, market.RequestFailed) == [{"requestId": id}]
    # The failure spares nobody: the third was not proven either.
    assert fields(receipt, registry.Slashed) == [
        {"provider": first.address, "amount": SLASH + REST},
        {"provider": second.address, "amount": SLASH + REST},
        {"provider": third.address, "amount": SLASH},
    ]
    assert fields(receipt, registry.Credited) == [
        {"account": first.address, "amount": pays[0]},
        {"account": second.address, "amount": pays[1]},
        {"account": ground.validator.address, "amount": 3 * REWARD},
    ]
    assert ground.credit(ground.validator) - credit == 3 * REWARD
    assert [ground.slot(slot).state for slot in slots] == [SlotState.LOST, SlotState.LOST, SlotState.FILLED]
    record = ground.record(id)
    assert (record.state, record.failedAt, record.vacant, record.filled) == (RequestState.FAILED, ground.now, 2, 1)
    assert record.unspent == ASK.price - sum(pays[:2])


def test_misses_of_a_slot_that_ended_before_its_request(ground: Ground, market: Any) -> None:
    id = ground.started()
    ends = ground.ends(id)
    ground.extended(id, 500, ground.stranger)
    leaves, stays = slot_id(id, 0), slot_id(id, 1)
    market.acceptExtension(stays, ends + 500, sender=ground.hosts[1])
    period = ground.new_period()
    # The last block of `period` is exactly at the end; the one of the next is a period later.
    ground.next_is((period + 1) * PERIOD - 1)
    ground.pass_until(ends)
    mark = market.markProofsMissing
    receipt = mark([leaves, stays], period, sender=ground.validator)
    assert [event["slotId"] for event in fields(receipt, market.ProofMissed)] == [leaves, stays]
    ground.after_period(period + 1)
    receipt = mark([leaves, stays], period + 1, sender=ground.validator)
    assert [event["slotId"] for event in fields(receipt, market.ProofMissed)] == [stays]
    ground.refused(
        market.Marketplace_SlotEnded, market.markProofMissing, leaves, period + 1, by=ground.validator, end=ends
    )
