"""Marketplace.closeRequest, after each of the three ends."""

from __future__ import annotations

from typing import Any

from agents.core.market.types import RequestState, slot_id
from tests.contracts.ground import REWARD, Ground, fields
from tests.examples import ASK, MARKET


def test_a_request_nobody_filled_is_refunded_in_full(ground: Ground, market: Any, registry: Any) -> None:
    id = ground.posted()
    expires = ground.record(id).expiresAt
    close = market.closeRequest
    ground.refused(market.Marketplace_UnknownRequest, close, b"\7" * 31 + b"\0", by=ground.stranger)
    ground.next_at(expires - 1)
    ground.refused(market.Marketplace_NotTerminal, close, id, by=ground.client, state=RequestState.NEW)
    ground.next_at(expires)

    receipt = close(id, sender=ground.stranger)

    assert fields(receipt, market.RequestClosed) == [
        {"requestId": id, "client": ground.client.address, "refund": ASK.price, "pots": 0}
    ]
    assert fields(receipt, registry.Credited) == [{"account": ground.client.address, "amount": ASK.price}]
    assert ground.credit(ground.client) == ASK.price
    record = ground.record(id)
    assert (record.state, record.closed, record.unspent) == (RequestState.CANCELLED, True, 0)
    ground.refused(market.Marketplace_AlreadyClosed, close, id, by=ground.client)
    # The same request cannot be posted again over it.
    assert ground.registry.poolOf(market) == 0


def test_a_finished_request_refunds_what_no_host_earned(ground: Ground, market: Any) -> None:
    id = ground.started()
    ends = ground.record(id).endsAt
    ground.missed(slot_id(id, 0))
    ground.refused(
        market.Marketplace_NotTerminal, market.closeRequest, id, by=ground.client, state=RequestState.STARTED
    )
    pot = ground.record(id).pots
    ground.pass_until(ends + MARKET.settle_seconds)
    for left in (3, 2, 1):
        ground.refused(market.Marketplace_StillActive, market.closeRequest, id, by=ground.client, active=left)
        market.settle(slot_id(id, 3 - left), sender=ground.client)
    paid = sum(ground.credit(host) for host in ground.hosts[:3])

    receipt = market.closeRequest(id, sender=ground.client)

    assert pot == ASK.collateral // 10 - REWARD
    assert [(event["refund"], event["pots"]) for event in fields(receipt, market.RequestClosed)] == [
        (ASK.price - paid, pot)
    ]
    assert ground.credit(ground.client) == ASK.price - paid + pot
    assert ground.registry.poolOf(market) == 0


def test_a_failed_request_gives_the_client_its_pots_once_nothing_is_held(ground: Ground, market: Any) -> None:
    id = ground.started()
    ground.lost(slot_id(id, 0), slot_id(id, 1))
    record = ground.record(id)
    assert record.state == RequestState.FAILED
    assert record.pots == 2 * (ASK.collateral - MARKET.max_misses * REWARD)
    ground.refused(market.Marketplace_StillActive, market.closeRequest, id, by=ground.client, active=1)
    ground.pass_until(record.failedAt + MARKET.settle_seconds)
    market.settle(slot_id(id, 2), sender=ground.client)
    market.closeRequest(id, sender=ground.client)
    assert ground.credit(ground.client) == ASK.price + record.pots - ground.credit(ground.hosts[2])
    assert ground.registry.poolOf(market) == 0


def test_a_reservation_keeps_a_cancelled_request_open(ground: Ground, market: Any) -> None:
    id = ground.on_sale()
    slot = ground.reserved(id, 0, ground.hosts[0])
    ground.pass_until(ground.record(id).expiresAt)
    ground.refused(market.Marketplace_StillActive, market.closeRequest, id, by=ground.client, active=1)
    market.closeReservation(slot, sender=ground.client)
    market.closeRequest(id, sender=ground.client)
    assert ground.credit(ground.client) == ASK.price
