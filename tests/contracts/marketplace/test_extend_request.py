"""Marketplace.extendRequest and extendRequestWithPermit: more time, paid for by anybody."""

from __future__ import annotations

from typing import Any

from agents.core.market.types import Amount, AskField, RequestState, slot_id
from tests.contracts.ground import Ground, fields, permit
from tests.examples import ASK, MARKET

EXTRA = 500
PRICE = ASK.slots * EXTRA * ASK.rate
LEAST = MARKET.min_extension
MAX_EXTENSIONS = 16


def test_a_stranger_adds_time_and_pays_for_every_slot(ground: Ground, market: Any, registry: Any, token: Any) -> None:
    id, funder = ground.started(), ground.stranger
    ends, tokens, pool = ground.ends(id), token.balanceOf(funder), registry.poolOf(market)

    receipt = market.extendRequest(id, EXTRA, sender=funder)

    assert fields(receipt, market.RequestExtended) == [
        {"requestId": id, "funder": funder.address, "from": ends, "until": ends + EXTRA, "price": PRICE}
    ]
    assert fields(receipt, registry.Pulled) == [{"from": funder.address, "amount": PRICE}]
    assert fields(receipt, market.RepairOpened) == []
    assert tokens - token.balanceOf(funder) == PRICE == registry.poolOf(market) - pool
    record = ground.record(id)
    assert (record.state, record.endsAt, record.unspent) == (RequestState.STARTED, ends + EXTRA, ASK.price + PRICE)
    assert ground.idle(id) == [(funder.address, ends, ends + EXTRA, PRICE)]
    # Nobody serves longer than it agreed to.
    assert [ground.slot(slot_id(id, index)).heldUntil for index in range(ASK.slots)] == [ends] * ASK.slots
    ground.next_at(ends)
    ground.chain.mine(1)
    assert ground.record(id).state == RequestState.STARTED


def test_a_permit_replaces_the_allowance(ground: Ground, market: Any, token: Any, registry: Any) -> None:
    id, funder = ground.started(), ground.stranger
    ends = ground.ends(id)
    token.approve(registry, 0, sender=funder)
    ground.refused(token.ERC20InsufficientAllowance, market.extendRequest, id, EXTRA, by=funder, needed=PRICE)
    signed = permit(token, funder, registry.address, PRICE, ground.now + 1_000)

    market.extendRequestWithPermit(id, EXTRA, *signed, sender=funder)

    assert ground.idle(id) == [(funder.address, ends, ends + EXTRA, PRICE)]
    assert (ground.record(id).unspent, token.allowance(funder, registry)) == (ASK.price + PRICE, 0)


def test_what_one_funder_adds_in_a_row_is_one_extension(ground: Ground, market: Any) -> None:
    id, (host, *_) = ground.started(), ground.hosts
    at, second = ground.ends(id), ASK.slots * ASK.rate
    adding = ((ground.client, 100), (ground.stranger, 200), (ground.stranger, 300), (host, 150), (ground.stranger, 120))
    assert [ground.extended(id, extra, funder) for funder, extra in adding] == [extra * second for _, extra in adding]

    assert ground.idle(id) == [
        (ground.client.address, at, at + 100, 100 * second),
        (ground.stranger.address, at + 100, at + 600, 500 * second),
        (host.address, at + 600, at + 750, 150 * second),
        (ground.stranger.address, at + 750, at + 870, 120 * second),
    ]
    assert ground.record(id).unspent == ASK.price + 870 * second


def test_strangers_leave_the_client_the_last_place(ground: Ground, market: Any) -> None:
    id, pair = ground.started(), (ground.stranger, ground.hosts[0])
    for turn in range(MAX_EXTENSIONS - 1):
        ground.extended(id, LEAST, pair[turn % 2])
    extend, error = market.extendRequest, market.Marketplace_TooManyExtensions
    ground.refused(error, extend, id, LEAST, by=pair[1], count=MAX_EXTENSIONS)
    # The last one needs no new place.
    ground.extended(id, LEAST, pair[0])
    ground.extended(id, LEAST, ground.client)
    ground.refused(error, extend, id, LEAST, by=pair[0], count=MAX_EXTENSIONS + 1)
    ground.extended(id, LEAST, ground.client)

    funders = [funder for funder, *_ in ground.idle(id)]
    assert funders == [pair[turn % 2].address for turn in range(MAX_EXTENSIONS - 1)] + [ground.client.address]
    assert sum(idle for *_, idle in ground.idle(id)) == ground.record(id).unspent - ASK.price


def test_only_a_started_request_before_its_end(ground: Ground, market: Any) -> None:
    extend, error = market.extendRequest, market.Marketplace_NotStarted
    ground.refused(market.Marketplace_UnknownRequest, extend, b"\7" * 31 + b"\0", EXTRA, by=ground.client)
    id = ground.posted()
    ground.refused(error, extend, id, EXTRA, by=ground.client, state=RequestState.NEW)
    ground.next_at(ground.record(id).expiresAt)
    ground.refused(error, extend, id, EXTRA, by=ground.client, state=RequestState.CANCELLED)
    id = ground.started()
    ends = ground.ends(id)
    ground.next_at(ends)
    ground.refused(error, extend, id, EXTRA, by=ground.client, state=RequestState.FINISHED)
    ground.next_at(ends - 1)
    ground.extended(id, EXTRA, ground.client)


def test_not_a_failed_request(ground: Ground, market: Any) -> None:
    id = ground.started()
    ground.lost(slot_id(id, 0), slot_id(id, 1))
    ground.refused(
        market.Marketplace_NotStarted, market.extendRequest, id, EXTRA, by=ground.client, state=RequestState.FAILED
    )


def test_neither_too_little_nor_beyond_the_longest_duration(ground: Ground, market: Any) -> None:
    id, extend = ground.started(), market.extendRequest
    ground.refused(
        market.Marketplace_ExtensionTooShort, extend, id, LEAST - 1, by=ground.client, extra=LEAST - 1, minimum=LEAST
    )
    most = MARKET.max_duration - ASK.duration
    for extra in (most + 1, 2**40 - 1):
        ground.refused(market.Marketplace_InvalidAsk, extend, id, extra, by=ground.client, field=AskField.DURATION)
    ground.extended(id, most, ground.client)
    assert ground.ends(id) == ground.record(id).createdAt + MARKET.max_duration
    ground.refused(market.Marketplace_InvalidAsk, extend, id, LEAST, by=ground.client, field=AskField.DURATION)


def test_no_price_beyond_128_bits(ground: Ground, market: Any, token: Any) -> None:
    # What is to be paid in all counts, not what is added.
    rate = (2**128 - 1) // (ASK.duration + EXTRA)
    ask = {"slots": 1, "max_slot_loss": 0, "slot_size": 1, "price_per_byte_per_second": rate}
    token.transfer(ground.client, ASK.duration * rate, sender=ground.owner)
    token.transfer(ground.stranger, 2**128, sender=ground.owner)
    id = ground.started(**ask)
    ground.refused(
        market.Marketplace_AmountTooLarge, market.extendRequest, id, EXTRA + 1, by=ground.stranger, amount=Amount.PRICE
    )
    assert ground.extended(id, EXTRA, ground.stranger) == EXTRA * rate


def test_a_repair_that_was_too_late_opens(ground: Ground, market: Any) -> None:
    id = ground.started(duration=320)
    slot, ends = slot_id(id, 0), ground.ends(id)
    ground.missed(slot)
    ground.missed(slot)
    ground.pass_until(max(ground.now + 1, ends - MARKET.repair_window - 15))
    ground.missed(slot)
    assert (ground.record(id).vacant, ground.record(id).repairOpenedAt) == (1, 0)

    receipt = market.extendRequest(id, EXTRA, sender=ground.stranger)

    assert fields(receipt, market.RepairOpened) == [{"requestId": id}]
    record = ground.record(id)
    assert (record.repairOpenedAt, record.repairOpenedBlock) == (ground.now, ground.block)
    # Once: an open repair is not opened again.
    receipt = market.extendRequest(id, EXTRA, sender=ground.stranger)
    assert fields(receipt, market.RepairOpened) == []
    ground.repair_on_sale(slot)
    ground.filled(id, 0, ground.hosts[3])
    # Who repairs serves until the present end, and is paid out of the extension too.
    assert ground.slot(slot).heldUntil == ends + 2 * EXTRA
    served = ground.ends(id) - max(ground.now, ends)
    assert ground.idle(id) == [
        (ground.stranger.address, ends, ends + 2 * EXTRA, (ASK.slots * 2 * EXTRA - served) * ASK.rate)
    ]
