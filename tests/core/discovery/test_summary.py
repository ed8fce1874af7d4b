"""Summaries of caches: what travels, what is refused, and what a filter can claim."""

import random
from dataclasses import replace
from typing import Any

import dag_cbor
import pytest

from agents.core.discovery.holdings import MAX_KEYS, Holdings, segment_key, size_of
from agents.core.discovery.summary import LIFETIME, SKEW, Summary, sealed, unsealed
from agents.core.errors import Malformed

NOW = 1_800_000_000
HELD = [segment_key(bytes([value]) * 32, number) for value in range(20) for number in range(50)]
OTHERS = [segment_key(bytes([value]) * 32, number) for value in range(100, 200) for number in range(100)]
SUMMARY = Summary(31337, b"\x0d" * 20, b"\x0c" * 20, 1234, NOW, NOW + LIFETIME, Holdings.of(HELD))
SIGNATURE = bytes(range(65))


def test_a_filter_has_all_it_was_made_of_and_little_else() -> None:
    holdings = Holdings.of(HELD)
    assert holdings.share(HELD) == 1.0 and HELD[0] in holdings
    assert len(holdings.bits) == size_of(1000) == 1250
    assert 0 < holdings.share(OTHERS) < 0.012  # 0.0082 expected of 10,000
    assert holdings.share(HELD[:30] + OTHERS[:30]) < 0.6
    holdings.check()


def test_an_empty_filter_has_nothing() -> None:
    empty = Holdings.of([])
    empty.check()
    assert empty.bits == b"" and empty.share(HELD) == 0.0 and HELD[0] not in empty and empty.share([]) == 0.0


def test_a_filter_is_bounded_and_duplicates_count_once() -> None:
    assert Holdings.of(HELD + HELD) == Holdings.of(HELD)
    many = Holdings.of(segment_key(b"x", number) for number in range(MAX_KEYS + 5))
    assert many.count == MAX_KEYS
    many.check()


@pytest.mark.parametrize("seed", range(5))
def test_honest_filters_pass_at_every_size(seed: int) -> None:
    chance = random.Random(seed)
    for count in (1, 2, 3, 10, 1000):
        Holdings.of(chance.randbytes(32) for _ in range(count)).check()


@pytest.mark.parametrize(
    "claimed",
    [
        Holdings(1000, b"\xff" * 1250),
        Holdings(10, Holdings.of(HELD).bits),
        Holdings(1000, Holdings.of(HELD).bits[:-1]),
        Holdings(-1, b""),
        Holdings(MAX_KEYS + 1, bytes(size_of(MAX_KEYS + 1))),
    ],
)
def test_a_filter_cannot_claim_everything(claimed: Holdings) -> None:
    with pytest.raises(Malformed):
        unsealed(sealed(replace(SUMMARY, holdings=claimed), SIGNATURE))


def test_a_summary_survives_the_way() -> None:
    assert unsealed(sealed(SUMMARY, SIGNATURE)) == (SUMMARY, SIGNATURE)
    assert len(sealed(SUMMARY, SIGNATURE)) < 1500


def test_every_field_is_signed() -> None:
    others = [
        replace(SUMMARY, chain=1), replace(SUMMARY, directory=b"\x01" * 20), replace(SUMMARY, cache=b"\x01" * 20),
        replace(SUMMARY, price=1), replace(SUMMARY, issued=NOW - 1), replace(SUMMARY, expires=NOW + 1),
        replace(SUMMARY, holdings=Holdings.of(HELD[1:])),
    ]  # fmt: skip
    assert len({each.signed for each in [SUMMARY, *others]}) == len(others) + 1


def changed(**fields: Any) -> bytes:
    found = dag_cbor.decode(SUMMARY.to_bytes())
    assert isinstance(found, dict)
    return bytes(dag_cbor.encode([bytes(dag_cbor.encode({**found, **fields})), SIGNATURE]))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff", b"\x00" * 400_000, bytes(dag_cbor.encode([1, 2])), bytes(dag_cbor.encode([b"", b"", b""])),
        bytes(dag_cbor.encode([bytes(dag_cbor.encode([1])), SIGNATURE])),
        bytes(dag_cbor.encode([SUMMARY.to_bytes(), SIGNATURE[:-1]])),
        changed(version=2), changed(chain="1"), changed(cache=b"\x0c"), changed(price=b"\x01"), changed(more=1),
        changed(count=True),
    ],
)  # fmt: skip
def test_malformed_summaries_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        unsealed(data)


def test_a_summary_is_good_for_a_while() -> None:
    for now in (NOW - SKEW, NOW, NOW + LIFETIME):
        SUMMARY.check(now)
    with pytest.raises(Malformed, match="expired"):
        SUMMARY.check(NOW + LIFETIME + SKEW)
    with pytest.raises(Malformed, match="future"):
        SUMMARY.check(NOW - SKEW - 1)
    for expires in (NOW, NOW + LIFETIME + 1):
        with pytest.raises(Malformed, match="are the most"):
            replace(SUMMARY, expires=expires).check(NOW - 1)
