"""Marketplace.requestStorage, requestStorageWithPermit, and what a request is at first."""

from __future__ import annotations

from typing import Any

import ape
import pytest

from agents.core.market.types import ASK_ABI, Content
from tests.contracts.ground import ASK, EXPIRY, Ground

ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617


def test_posts_and_pays_the_whole_price(ground: Ground, market: Any) -> None:
    request = ground.request()
    before, pool = ground.token.balanceOf(ground.client), ground.registry.poolOf(market)
    receipt = market.requestStorage(request.as_abi(), sender=ground.client)
    record = market.requestOf(request.id)
    assert record.state == 1 and record.client == ground.client
    assert record.unspent == ASK.price == before - ground.token.balanceOf(ground.client)
    assert ground.registry.poolOf(market) - pool == ASK.price
    assert record.expiresAt - record.createdAt == EXPIRY
    assert record.endsAt - record.createdAt == ASK.duration
    (event,) = receipt.decode_logs(market.StorageRequested)
    assert event.requestId == request.id and event.deposit == ASK.price
    ground.check_books()


INVALID = {
    "slots": [0, 257],
    "max_slot_loss": [3],
    "repair_threshold": [0, 2],
    "slot_size": [0],
    "duration": [30 * 86400 + 1],
    "proof_probability": [0],
    "dispersal": [99, 9901],
    "collateral_per_byte": [0],
}


@pytest.mark.parametrize("field", INVALID)
def test_an_ask_out_of_range_is_refused(ground: Ground, market: Any, field: str) -> None:
    words = field.split("_")
    named = words[0] + "".join(word.capitalize() for word in words[1:])
    for value in INVALID[field]:
        request = ground.request(**{field: value})
        with ape.reverts(market.Marketplace_InvalidAsk, field=named):
            market.requestStorage(request.as_abi(), sender=ground.client)


def test_roots_outside_the_field_are_refused(ground: Ground, market: Any) -> None:
    for root in (0, ORDER):
        request = ground.request(content=Content(b"\1" * 32, root))
        with ape.reverts(market.Marketplace_InvalidAsk, field="root"):
            market.requestStorage(request.as_abi(), sender=ground.client)


def test_an_expiry_outside_the_duration_is_refused(ground: Ground, market: Any) -> None:
    for expiry in (0, ASK.duration):
        with ape.reverts(market.Marketplace_InvalidAsk, field="expiry"):
            market.requestStorage(ground.request(expiry=expiry).as_abi(), sender=ground.client)


def test_amounts_beyond_128_bits_are_refused(ground: Ground, market: Any) -> None:
    huge = 2**128 - 1
    for changes, amount in (
        ({"price_per_byte_per_second": huge}, "rate"),
        ({"price_per_byte_per_second": huge // (1 << 20)}, "price"),
        ({"collateral_per_byte": huge // (1 << 20)}, "collateral"),
    ):
        with ape.reverts(market.Marketplace_AmountTooLarge, amount=amount):
            market.requestStorage(ground.request(**changes).as_abi(), sender=ground.client)


def test_only_for_oneself_and_only_once(ground: Ground, market: Any) -> None:
    other = ground.request(client=ground.validator.address)
    with ape.reverts(market.Marketplace_NotClient):
        market.requestStorage(other.as_abi(), sender=ground.client)
    request = ground.request()
    market.requestStorage(request.as_abi(), sender=ground.client)
    with ape.reverts(market.Marketplace_RequestExists):
        market.requestStorage(request.as_abi(), sender=ground.client)


def test_an_unknown_request_is_named(market: Any) -> None:
    assert ASK_ABI.startswith("(")
    with ape.reverts(market.Marketplace_UnknownRequest):
        market.closeRequest(b"\7" * 31 + b"\0", sender=ape.accounts.test_accounts[0])
