"""Marketplace.requestStorage and requestStorageWithPermit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agents.core.market.types import Amount, AskField, Content, RequestState, SlotState, slot_id
from agents.core.proofs.field import SCALAR_ORDER
from agents.core.units import TOKEN
from tests.contracts.ground import Ground, fields, permit
from tests.examples import ASK, CONTENT, EXPIRY, MARKET


def test_posts_the_request_and_takes_its_whole_price(ground: Ground, market: Any, token: Any) -> None:
    request = ground.request()
    tokens, pool = token.balanceOf(ground.client), ground.registry.poolOf(market)

    receipt = market.requestStorage(request.as_abi(), sender=ground.client)

    assert ASK.price == 3 * 2_000 * 7_000
    assert tokens - token.balanceOf(ground.client) == ASK.price == ground.registry.poolOf(market) - pool
    (event,) = fields(receipt, market.StorageRequested)
    assert (event["requestId"], event["client"], event["deposit"]) == (request.id, ground.client.address, ASK.price)
    assert (event["expiresAt"], event["endsAt"]) == (ground.now + EXPIRY, ground.now + ASK.duration)
    assert (tuple(event["ask"]), tuple(event["content"])) == (ASK.as_abi(), CONTENT.as_abi())
    record = ground.record(request.id)
    assert (record.state, record.client, record.slots) == (RequestState.NEW, ground.client.address, 3)
    assert (record.createdAt, record.createdBlock) == (ground.now, ground.block)
    assert (record.expiresAt, record.endsAt) == (event["expiresAt"], event["endsAt"])
    assert (record.maxSlotLoss, record.repairThreshold, record.proofProbability) == (1, 1, 1)
    assert (record.filled, record.vacant, record.active, record.closed) == (0, 0, 0, False)
    assert (record.failedAt, record.repairOpenedAt, record.repairOpenedBlock) == (0, 0, 0)
    assert (record.rate, record.collateral, record.root) == (7_000, 10 * TOKEN, CONTENT.root)
    assert (record.unspent, record.pots) == (ASK.price, 0)
    for index in range(3):
        slot = ground.slot(slot_id(request.id, index))
        assert (slot.state, int(slot.host, 16), slot.reservations) == (SlotState.FREE, 0, 0)
    ground.refused(market.Marketplace_NoSuchSlot, market.slotOf, slot_id(request.id, 3), by=ground.client)


def test_a_permit_replaces_the_allowance(ground: Ground, market: Any, token: Any, registry: Any) -> None:
    token.approve(registry, 0, sender=ground.client)
    request = ground.request()
    ground.refused(token.ERC20InsufficientAllowance, market.requestStorage, request.as_abi(), by=ground.client)
    signed = permit(token, ground.client, registry.address, ASK.price, ground.now + 1_000)

    market.requestStorageWithPermit(request.as_abi(), *signed, sender=ground.client)

    assert ground.record(request.id).unspent == ASK.price
    assert token.allowance(ground.client, registry) == 0


def test_a_permit_that_somebody_else_has_sent_first_still_posts(ground: Ground, market: Any, token: Any) -> None:
    token.approve(ground.registry, 0, sender=ground.client)
    request = ground.request()
    signed = permit(token, ground.client, ground.registry.address, ASK.price, ground.now + 1_000)
    token.permit(ground.client, ground.registry, ASK.price, *signed, sender=ground.stranger)

    market.requestStorageWithPermit(request.as_abi(), *signed, sender=ground.client)

    assert ground.record(request.id).state == RequestState.NEW


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        (AskField.SLOTS, {"slots": 0}),
        (AskField.SLOTS, {"slots": 257}),
        (AskField.MAX_SLOT_LOSS, {"max_slot_loss": 3}),
        (AskField.REPAIR_THRESHOLD, {"repair_threshold": 0}),
        (AskField.REPAIR_THRESHOLD, {"repair_threshold": 2}),
        (AskField.REPAIR_THRESHOLD, {"max_slot_loss": 0, "repair_threshold": 2}),
        (AskField.SLOT_SIZE, {"slot_size": 0}),
        (AskField.DURATION, {"duration": MARKET.max_duration + 1}),
        (AskField.PROOF_PROBABILITY, {"proof_probability": 0}),
        (AskField.DISPERSAL, {"dispersal": 99}),
        (AskField.DISPERSAL, {"dispersal": 9_901}),
        (AskField.COLLATERAL_PER_BYTE, {"collateral_per_byte": 10**9 - 1}),
        (AskField.ROOT, {"content": replace(CONTENT, root=0)}),
        (AskField.ROOT, {"content": replace(CONTENT, root=SCALAR_ORDER)}),
        (AskField.EXPIRY, {"expiry": 0}),
        (AskField.EXPIRY, {"expiry": ASK.duration}),
    ],
)
def test_refuses_what_no_market_can_keep(ground: Ground, market: Any, field: AskField, changes: dict[str, Any]) -> None:
    request = ground.request(**changes)
    ground.refused(
        market.Marketplace_InvalidAsk, market.requestStorage, request.as_abi(), by=ground.client, field=field
    )


def test_accepts_the_extremes_of_each_range(ground: Ground, market: Any) -> None:
    wide = ground.request(
        slots=256, max_slot_loss=255, repair_threshold=255, proof_probability=65_535, dispersal=9_900,
        duration=MARKET.max_duration, expiry=MARKET.max_duration - 1, content=Content(b"\0" * 32, SCALAR_ORDER - 1),
    )  # fmt: skip
    narrow = ground.request(
        slots=1, max_slot_loss=0, repair_threshold=1, proof_probability=1, dispersal=100, slot_size=1, duration=2,
        expiry=1, price_per_byte_per_second=0, content=Content(b"\0" * 32, 1),
    )  # fmt: skip
    for request in (wide, narrow):
        market.requestStorage(request.as_abi(), sender=ground.client)
        assert ground.record(request.id).unspent == request.ask.price


@pytest.mark.parametrize(
    ("amount", "changes"),
    [
        (Amount.RATE, {"price_per_byte_per_second": 2**128 - 1, "slot_size": 2}),
        (Amount.PRICE, {"price_per_byte_per_second": 2**128 - 1, "slot_size": 1}),
        (Amount.COLLATERAL, {"collateral_per_byte": 2**128 - 1, "slot_size": 1}),
    ],
)
def test_refuses_amounts_beyond_128_bits(ground: Ground, market: Any, amount: Amount, changes: dict[str, int]) -> None:
    request = ground.request(**changes)
    ground.refused(
        market.Marketplace_AmountTooLarge, market.requestStorage, request.as_abi(), by=ground.client, amount=amount
    )


def test_refuses_a_request_of_somebody_else_and_the_same_request_twice(ground: Ground, market: Any) -> None:
    request = ground.request()
    ground.refused(
        market.Marketplace_NotClient, market.requestStorage, request.as_abi(), by=ground.stranger,
        client=ground.client.address, caller=ground.stranger.address,
    )  # fmt: skip
    market.requestStorage(request.as_abi(), sender=ground.client)
    ground.refused(market.Marketplace_RequestExists, market.requestStorage, request.as_abi(), by=ground.client)


def test_refuses_a_client_without_the_tokens(ground: Ground, market: Any, token: Any) -> None:
    token.transfer(ground.owner, token.balanceOf(ground.client) - ASK.price + 1, sender=ground.client)
    ground.refused(token.ERC20InsufficientBalance, market.requestStorage, ground.request().as_abi(), by=ground.client)
