"""The body of a 402, written and read."""

import json
from dataclasses import replace
from typing import Any

import pytest

from agents.core.channels.offers import MAX_OFFER_BYTES, Offer, offer_json, parse_offer, standing_of
from agents.core.channels.terms import MIB, Terms
from agents.core.channels.till import Cover, Till
from agents.core.errors import VoucherInvalid
from tests.core.channels.actors import CACHE, DOMAIN, LANE, STRANGER, voucher

TERMS = Terms(3, minimal_deposit=10**20)
TILL = Till(LANE, TERMS, Cover(reserved=3 * MIB)).take(MIB // 2, 0).accept(*voucher(MIB))
OFFER = Offer(DOMAIN, STRANGER.address, CACHE.address, TERMS, 86_400, standing_of(TILL, 0))


@pytest.mark.parametrize(
    "offer",
    [
        OFFER,
        replace(OFFER, standing=None),
        replace(OFFER, standing=standing_of(Till(LANE, TERMS), 0)),
        replace(OFFER, terms=Terms(0)),
    ],
)
def test_what_is_written_is_read(offer: Offer) -> None:
    assert parse_offer(json.dumps(offer_json(offer)).encode()) == offer


def test_the_fields_are_those_described() -> None:
    fields = offer_json(OFFER)
    assert fields["pricePerByte"] == "3"
    assert fields["lane"]["halt"] is None
    assert (fields["lane"]["served"], fields["lane"]["owed"], fields["lane"]["paid"]) == (
        MIB // 2,
        "1572864",
        "1048576",
    )
    assert offer_json(replace(OFFER, standing=standing_of(Till(LANE, TERMS), 0)))["lane"]["halt"] == "deposit"


def test_fields_of_later_programs_are_passed_over() -> None:
    assert parse_offer(json.dumps({**offer_json(OFFER), "region": "north"}).encode()) == OFFER


def changed(*path: str, to: Any) -> bytes:
    fields: Any = json.loads(json.dumps(offer_json(OFFER)))
    inner = fields
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = to
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 10_000,
        b" " * (MAX_OFFER_BYTES + 1),
        changed("version", to=2),
        changed("pricePerByte", to=3),
        changed("pricePerByte", to="-3"),
        changed("pricePerByte", to=str(1 << 128)),
        changed("interval", to=1.5),
        changed("interval", to=True),
        changed("interval", to=1),
        changed("growth", to=1 << 63),
        changed("maxInterval", to=1),
        changed("cache", to="somebody"),
        changed("contract", to=None),
        changed("chain", to="31337"),
        changed("challenge", to=-1),
        changed("lane", to=5),
        changed("lane", "id", to="0x11"),
        changed("lane", "halt", to="whim"),
        changed("lane", "signature", to="0x11"),
        changed("lane", "room", to=None),
    ],
)
def test_malformed_offers_are_refused(data: bytes) -> None:
    with pytest.raises(VoucherInvalid):
        parse_offer(data)
