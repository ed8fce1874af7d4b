"""Marketplace.closeReservation."""

from __future__ import annotations

from typing import Any

from agents.core.market.types import RequestState, SlotState, slot_id
from tests.contracts.ground import STAKE, Ground, fields
from tests.examples import ASK, MARKET, SINK

BOND = ASK.collateral * MARKET.bond_bps // 10_000


def test_the_bond_of_an_expired_reservation_goes_to_the_sink(ground: Ground, market: Any, registry: Any) -> None:
    id, host = ground.on_sale(), ground.hosts[0]
    slot = ground.reserved(id, 0, host)
    deadline = ground.slot(slot).heldUntil
    ground.next_at(deadline - 1)
    ground.refused(market.Marketplace_ReservationHeld, market.closeReservation, slot, by=host, deadline=deadline)
    sunk = ground.credit(SINK)
    ground.next_at(deadline)

    receipt = market.closeReservation(slot, sender=ground.stranger)

    assert fields(receipt, market.ReservationForfeited) == [
        {"requestId": id, "slotIndex": 0, "provider": host.address, "bond": BOND}
    ]
    assert fields(receipt, registry.Unlocked) == [{"provider": host.address, "amount": ASK.collateral - BOND}]
    assert fields(receipt, registry.Slashed) == [{"provider": host.address, "amount": BOND}]
    assert fields(receipt, registry.Credited) == [{"account": SINK, "amount": BOND}]
    assert ground.credit(SINK) - sunk == BOND
    assert ground.stake(host) == (STAKE - BOND, 0)
    record = ground.slot(slot)
    assert (record.state, int(record.host, 16), record.heldUntil, record.expired) == (SlotState.FREE, 0, 0, 1)
    assert ground.record(id).active == 0


def test_refuses_slots_that_are_not_reserved(ground: Ground, market: Any) -> None:
    id = ground.on_sale()
    close, unknown = market.closeReservation, b"\7" * 32
    ground.refused(market.Marketplace_UnknownRequest, close, unknown, by=ground.stranger)
    ground.refused(market.Marketplace_NotReserved, close, slot_id(id, 0), by=ground.stranger, state=SlotState.FREE)
    slot = ground.filled(id, 0, ground.hosts[0])
    ground.refused(market.Marketplace_NotReserved, close, slot, by=ground.stranger, state=SlotState.FILLED)


def test_cancellation_forfeits(ground: Ground, market: Any) -> None:
    id = ground.on_sale()
    slot = ground.reserved(id, 0, ground.hosts[0])
    ground.pass_until(ground.record(id).expiresAt)
    assert ground.record(id).state == RequestState.CANCELLED
    receipt = market.closeReservation(slot, sender=ground.stranger)
    assert [event["bond"] for event in fields(receipt, market.ReservationForfeited)] == [BOND]


def test_a_reservation_that_outlives_a_finished_request_is_free(ground: Ground, market: Any) -> None:
    duration = 400
    id, repairer = ground.started(duration=duration), ground.hosts[3]
    slot = slot_id(id, 0)
    ground.lost(slot)
    ends = ground.record(id).endsAt
    ground.next_at(ends - MARKET.repair_window)
    ground.reserved(id, 0, repairer)
    ground.next_at(ends - 1)
    ground.refused(market.Marketplace_ReservationHeld, market.closeReservation, slot, by=repairer)
    ground.next_at(ends)

    receipt = market.closeReservation(slot, sender=ground.stranger)

    assert fields(receipt, market.ReservationReleased) == [
        {"requestId": id, "slotIndex": 0, "provider": repairer.address}
    ]
    assert fields(receipt, market.ReservationForfeited) == []
    assert ground.stake(repairer) == (STAKE, 0)
    assert ground.record(id).state == RequestState.FINISHED
    assert ground.slot(slot).state == SlotState.LOST


def test_a_slot_that_was_left_stays_left_when_its_reservation_expires(ground: Ground, market: Any) -> None:
    id, repairer = ground.started(), ground.hosts[3]
    slot, ends = slot_id(id, 0), ground.ends(id)
    ground.extended(id, 1_000, ground.client)
    ground.departed(slot)
    vacated = ground.slot(slot).vacatedAt
    ground.repair_on_sale(slot)
    ground.reserved(id, 0, repairer)
    ground.pass_until(ground.slot(slot).heldUntil)

    market.closeReservation(slot, sender=ground.stranger)

    record = ground.slot(slot)
    assert (record.state, record.departedAt, record.vacatedAt, record.expired) == (SlotState.DEPARTED, ends, vacated, 1)
    assert ground.stake(repairer) == (STAKE - BOND, 0)


def test_a_reservation_that_outlives_a_failed_request_is_free(ground: Ground, market: Any) -> None:
    id, repairer = ground.started(), ground.hosts[3]
    first, second = slot_id(id, 0), slot_id(id, 1)
    ground.missed(first, second)
    ground.missed(first, second)
    ground.missed(first)
    ground.repair_on_sale(first)
    ground.reserved(id, 0, repairer)
    ground.missed(second)
    assert ground.record(id).state == RequestState.FAILED

    receipt = market.closeReservation(first, sender=ground.stranger)

    assert [event["provider"] for event in fields(receipt, market.ReservationReleased)] == [repairer.address]
    assert ground.stake(repairer) == (STAKE, 0)


def test_a_reservation_that_expired_before_the_failure_is_forfeit(ground: Ground, market: Any) -> None:
    id, repairer = ground.started(), ground.hosts[3]
    first, second = slot_id(id, 0), slot_id(id, 1)
    ground.missed(first, second)
    ground.missed(first, second)
    ground.missed(first)
    ground.repair_on_sale(first)
    ground.reserved(id, 0, repairer)
    ground.pass_until(ground.slot(first).heldUntil + 1)
    ground.missed(second)
    assert ground.record(id).state == RequestState.FAILED

    receipt = market.closeReservation(first, sender=ground.stranger)

    assert fields(receipt, market.ReservationReleased) == []
    assert [event["bond"] for event in fields(receipt, market.ReservationForfeited)] == [BOND]
    assert ground.stake(repairer) == (STAKE - BOND, 0)
