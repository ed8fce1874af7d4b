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


def test_funders_of_a_finished_request_get_back_what_nobody_served(ground: Ground, market: Any, registry: Any) -> None:
    id = ground.started(max_slot_loss=2)
    (stays, between, leaves), funder = ground.hosts[:3], ground.hosts[5]
    slots, ends = [slot_id(id, index) for index in range(3)], ground.ends(id)
    filled = [ground.slot(slot).filledAt for slot in slots]
    prices = [ground.extended(id, 300, ground.stranger)]
    market.acceptExtension(slots[1], ends + 300, sender=between)
    prices += [ground.extended(id, 200, ground.client), ground.extended(id, 100, funder)]
    market.acceptExtension(slots[0], ends + 600, sender=stays)
    ground.missed(slots[0])
    pot = ground.record(id).pots
    ground.departed(slots[2])
    ground.departed(slots[1])
    ground.next_at(ends + 600)
    ground.refused(market.Marketplace_StillActive, market.closeRequest, id, by=ground.stranger, active=1)
    ground.departed(slots[0])

    receipt = market.closeRequest(id, sender=ground.validator)

    # Of the first extension one slot of three was not served, of the others two.
    refunds = {ground.stranger: 300 * ASK.rate, ground.client: 400 * ASK.rate, funder: 200 * ASK.rate}
    assert fields(receipt, market.FunderRefunded) == [
        {"requestId": id, "funder": account.address, "amount": amount} for account, amount in refunds.items()
    ]
    pays = [
        (ends + 600 - filled[0] - MARKET.period_seconds) * ASK.rate,
        (ends + 300 - filled[1]) * ASK.rate,
        (ends - filled[2]) * ASK.rate,
    ]
    assert [ground.credit(host) for host in (stays, between, leaves)] == pays
    # The client gets the time before the slots were filled, and the pay of the period that was missed.
    rest = ASK.price + sum(prices) - sum(pays) - sum(refunds.values())
    created = ground.record(id).createdAt
    assert rest == (sum(at - created for at in filled) + MARKET.period_seconds) * ASK.rate
    assert fields(receipt, market.RequestClosed) == [
        {"requestId": id, "client": ground.client.address, "refund": rest, "pots": pot}
    ]
    assert ground.credit(ground.stranger) == refunds[ground.stranger]
    assert ground.credit(funder) == refunds[funder]
    assert ground.credit(ground.client) == refunds[ground.client] + rest + pot
    assert (ground.record(id).state, ground.record(id).unspent) == (RequestState.FINISHED, 0)
    assert registry.poolOf(market) == 0
    ground.refused(market.Marketplace_AlreadyClosed, market.closeRequest, id, by=ground.client)


def test_funders_of_a_failed_request_get_back_what_nobody_served(ground: Ground, market: Any, registry: Any) -> None:
    id, (_, _, stays, *_) = ground.started(), ground.hosts
    slots, ends = [slot_id(id, index) for index in range(3)], ground.ends(id)
    filled = [ground.slot(slot).filledAt for slot in slots]
    prices = [ground.extended(id, 100, ground.stranger), ground.extended(id, 400, ground.hosts[5])]
    market.acceptExtension(slots[2], ends + 500, sender=stays)
    ground.departed(slots[0])
    # Until into the second extension.
    ground.next_at(ends + 150)
    market.settle(slots[1], sender=ground.stranger)
    failed = ground.record(id).failedAt
    assert failed == ends + 150
    ground.departed(slots[2])

    receipt = market.closeRequest(id, sender=ground.stranger)

    refunds = [prices[0] - 100 * ASK.rate, prices[1] - 50 * ASK.rate]
    assert [event["amount"] for event in fields(receipt, market.FunderRefunded)] == refunds
    assert [ground.credit(account) for account in (ground.stranger, ground.hosts[5])] == refunds
    assert ground.credit(stays) == (failed - filled[2]) * ASK.rate
    created = ground.record(id).createdAt
    assert ground.credit(ground.client) == sum(at - created for at in filled) * ASK.rate
    assert registry.poolOf(market) == 0


def test_a_client_that_lets_its_request_fail_gets_nothing_of_what_a_stranger_added(ground: Ground, market: Any) -> None:
    id = ground.started()
    slots = [slot_id(id, index) for index in range(3)]
    price = ground.extended(id, 500, ground.stranger)
    for slot, host in zip(slots, ground.hosts, strict=False):
        market.acceptExtension(slot, ground.ends(id), sender=host)
    assert [idle for *_, idle in ground.idle(id)] == [0]
    ground.lost(*slots[:2])
    ground.next_at(ground.record(id).failedAt + MARKET.settle_seconds)
    market.settle(slots[2], sender=ground.client)

    market.closeRequest(id, sender=ground.client)

    assert ground.credit(ground.stranger) == price
    pots = 2 * (ASK.collateral - MARKET.max_misses * REWARD)
    paid = sum(ground.credit(host) for host in ground.hosts[:3])
    assert ground.credit(ground.client) == ASK.price - paid + pots


def test_a_reservation_keeps_a_cancelled_request_open(ground: Ground, market: Any) -> None:
    id = ground.on_sale()
    slot = ground.reserved(id, 0, ground.hosts[0])
    ground.pass_until(ground.record(id).expiresAt)
    ground.refused(market.Marketplace_StillActive, market.closeRequest, id, by=ground.client, active=1)
    market.closeReservation(slot, sender=ground.client)
    market.closeRequest(id, sender=ground.client)
    assert ground.credit(ground.client) == ASK.price
