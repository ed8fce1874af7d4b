"""Marketplace.acceptExtension: a host agrees to serve until the request's present end."""

from __future__ import annotations

from typing import Any

from agents.core.market.types import RequestState, SlotState, slot_id
from tests.contracts.ground import STAKE, Ground, fields
from tests.examples import ASK

EXTRA = 500
EVER = 2**40 - 1


def test_the_host_serves_until_the_new_end(ground: Ground, market: Any) -> None:
    id, host = ground.started(), ground.hosts[1]
    slot, ends = slot_id(id, 1), ground.ends(id)
    price = ground.extended(id, EXTRA, ground.stranger)
    unspent = ground.record(id).unspent

    receipt = market.acceptExtension(slot, ends + EXTRA, sender=host)

    assert fields(receipt, market.ExtensionAccepted) == [
        {"requestId": id, "slotIndex": 1, "host": host.address, "heldUntil": ends + EXTRA}
    ]
    assert [ground.slot(slot_id(id, index)).heldUntil for index in range(3)] == [ends, ends + EXTRA, ends]
    # Committed, not paid: no money moves.
    assert ground.idle(id) == [(ground.stranger.address, ends, ends + EXTRA, price - EXTRA * ASK.rate)]
    assert (ground.record(id).unspent, ground.credit(host)) == (unspent, 0)
    assert ground.stake(host) == (STAKE - ASK.collateral, ASK.collateral)


def test_each_host_accepts_what_there_is_when_it_does(ground: Ground, market: Any) -> None:
    id, (first, second, third, *_) = ground.started(), ground.hosts
    ends = ground.ends(id)
    ground.extended(id, 100, ground.stranger)
    market.acceptExtension(slot_id(id, 0), EVER, sender=first)
    ground.extended(id, 200, ground.client)
    market.acceptExtension(slot_id(id, 0), EVER, sender=first)
    market.acceptExtension(slot_id(id, 1), EVER, sender=second)

    # Of the first extension two slots of three are served, and of the second too.
    assert [idle for *_, idle in ground.idle(id)] == [100 * ASK.rate, 200 * ASK.rate]
    market.acceptExtension(slot_id(id, 2), EVER, sender=third)
    assert [idle for *_, idle in ground.idle(id)] == [0, 0]
    assert {ground.slot(slot_id(id, index)).heldUntil for index in range(3)} == {ends + 300}
    assert ground.record(id).unspent == ASK.price + 300 * ASK.slots * ASK.rate


def test_only_the_host_of_a_filled_slot(ground: Ground, market: Any) -> None:
    id, (host, other, *_) = ground.on_sale(), ground.hosts
    accept, slot = market.acceptExtension, slot_id(id, 0)
    ground.refused(market.Marketplace_UnknownRequest, accept, b"\7" * 32, EVER, by=host)
    ground.refused(market.Marketplace_NotFilled, accept, slot, EVER, by=host, state=SlotState.FREE)
    ground.reserved(id, 0, host)
    ground.refused(market.Marketplace_NotFilled, accept, slot, EVER, by=host, state=SlotState.RESERVED)
    ground.challenge_known()
    ground.filled(id, 1, other)
    ground.refused(
        market.Marketplace_NotHost, accept, slot_id(id, 1), EVER, by=host, host=other.address, caller=host.address
    )


def test_only_while_there_is_more_than_it_agreed_to(ground: Ground, market: Any) -> None:
    id, host = ground.started(), ground.hosts[0]
    accept, slot = market.acceptExtension, slot_id(id, 0)
    ground.refused(market.Marketplace_NothingToAccept, accept, slot, EVER, by=host)
    ground.extended(id, EXTRA, ground.client)
    accept(slot, EVER, sender=host)
    ground.refused(market.Marketplace_NothingToAccept, accept, slot, EVER, by=host)


def test_no_longer_than_the_host_means_to(ground: Ground, market: Any) -> None:
    id, host = ground.started(), ground.hosts[0]
    accept, slot, wanted = market.acceptExtension, slot_id(id, 0), ground.ends(id) + EXTRA
    ground.extended(id, EXTRA, ground.client)
    ground.extended(id, 100, ground.stranger)
    end = wanted + 100
    for latest in (wanted, end - 1):
        ground.refused(market.Marketplace_EndsLater, accept, slot, latest, by=host, end=end, latest=latest)
    accept(slot, end, sender=host)


def test_only_before_the_end_it_agreed_to(ground: Ground, market: Any) -> None:
    id, host = ground.started(), ground.hosts[0]
    accept, slot, ends = market.acceptExtension, slot_id(id, 0), ground.ends(id)
    ground.extended(id, EXTRA, ground.client)
    ground.next_at(ends)
    ground.refused(market.Marketplace_SlotEnded, accept, slot, EVER, by=host, end=ends)
    ground.next_at(ends + EXTRA)
    ground.refused(market.Marketplace_RequestEnded, accept, slot, EVER, by=host, state=RequestState.FINISHED)
    ground.next_at(ends - 1)
    accept(slot, EVER, sender=host)


def test_not_of_a_failed_request(ground: Ground, market: Any) -> None:
    id, host = ground.started(), ground.hosts[2]
    ground.extended(id, EXTRA, ground.client)
    ground.lost(slot_id(id, 0), slot_id(id, 1))
    ground.refused(
        market.Marketplace_RequestEnded, market.acceptExtension, slot_id(id, 2), EVER, by=host,
        state=RequestState.FAILED,
    )  # fmt: skip
