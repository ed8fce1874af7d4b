"""Payments as header text: one text for one payment, and nothing else is read."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.channels.lanes import MAX_AMOUNT, Lane
from agents.core.channels.wire import MAX_PAYMENT_CHARS, Payment, parse_payment, payment_text
from agents.core.errors import VoucherInvalid
from tests.core.channels.actors import LANE, SPONSORED, grant, opening, voucher

WHOLE = Payment(SPONSORED, voucher(7, SPONSORED)[0], opening(10**18, SPONSORED), grant(10**20))


@pytest.mark.parametrize(
    "payment",
    [
        WHOLE,
        Payment(LANE),
        Payment(LANE, proof=bytes(range(65))),
        Payment(LANE, voucher(MAX_AMOUNT)[0]),
        Payment(LANE, voucher(0)[0], opening(MAX_AMOUNT)),
        Payment(Lane(LANE.payer, LANE.reader, LANE.cache, 2**64 - 1, 2**64 - 1)),
    ],
)
def test_what_is_written_is_read(payment: Payment) -> None:
    text = payment_text(payment)
    assert parse_payment(text) == payment
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def packed(fields: Any) -> str:
    text = fields if isinstance(fields, str) else json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def changed(*path: str, to: Any) -> str:
    fields: Any = json.loads(base64.urlsafe_b64decode(payment_text(WHOLE) + "=="))
    inner = fields
    for name in path[:-1]:
        inner = inner[name]
    if to is KeyError:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return packed(fields)


SIGNATURE = "0x" + "11" * 65


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "*",
        "é",
        packed([]),
        packed("[" * 3000),
        packed("NaN"),
        packed({}),
        "A" * (MAX_PAYMENT_CHARS + 1),
        payment_text(WHOLE) + "A",
        payment_text(WHOLE) + "=",
        payment_text(WHOLE)[:-4],
        changed("version", to=2),
        changed("version", to=True),
        changed("version", to="1"),
        changed("lane", to=KeyError),
        changed("lane", to=[]),
        changed("lane", "payer", to=WHOLE.lane.payer),
        changed("lane", "payer", to="0x" + "1" * 39),
        changed("lane", "reader", to=5),
        changed("lane", "cache", to=KeyError),
        changed("lane", "epoch", to=0),
        changed("lane", "epoch", to="00"),
        changed("lane", "epoch", to=str(2**64)),
        changed("lane", "expiry", to="-1"),
        changed("lane", "expiry", to="1e3"),
        changed("lane", "extra", to="1"),
        changed("voucher", to=None),
        changed("voucher", to=[1]),
        changed("voucher", "amount", to=str(2**128)),
        changed("voucher", "amount", to="٣"),
        changed("voucher", "amount", to=KeyError),
        changed("voucher", "signature", to=SIGNATURE[:-2]),
        changed("voucher", "signature", to=SIGNATURE[:-1]),
        changed("voucher", "signature", to=SIGNATURE.upper()),
        changed("voucher", "signature", to=KeyError),
        changed("opening", "amount", to=" 1"),
        changed("opening", "signature", to="0x"),
        changed("grant", "limit", to="1" * 400),
        changed("grant", "signature", to="0x" + "11" * 1025),
        changed("tip", to="1"),
        packed(base64.urlsafe_b64decode(payment_text(WHOLE) + "==").decode() + " "),
        packed('{"version":1,' + base64.urlsafe_b64decode(payment_text(WHOLE) + "==").decode()[1:]),
    ],
)
def test_malformed_payments_are_refused(text: str) -> None:
    with pytest.raises(VoucherInvalid):
        parse_payment(text)


@given(st.text(max_size=80) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(packed))
def test_whatever_comes_is_refused_with_an_error_of_ours(text: str) -> None:
    with pytest.raises(VoucherInvalid):
        parse_payment(text)


def test_a_sponsors_signature_has_any_form() -> None:
    text = changed("grant", "signature", to="0x" + "ab" * 200)
    found = parse_payment(text)
    assert found.grant is not None
    assert found.grant.signature == b"\xab" * 200
