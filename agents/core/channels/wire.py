"""A payment as the text of an HTTP header: base64url, without padding, of canonical JSON.

Canonical is: keys in order, no spaces, addresses and signatures as lower-case hexadecimal, numbers as decimal strings.
Nothing else is accepted, so one payment has one text.
"""

import base64
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agents.core.channels.lanes import (
    MAX_GRANT_SIGNATURE_BYTES,
    SIGNATURE_BYTES,
    Grant,
    Lane,
    Opening,
    SignedGrant,
    SignedOpening,
    SignedVoucher,
    Voucher,
    checksummed_address,
    invalid,
)

PAYMENT_HEADER = "Holdfast-Voucher"
"""The request header a payment travels in."""

WIRE_VERSION = 1

MAX_PAYMENT_CHARS = 6000
"""Of a payment's text: below what HTTP servers take as one header."""

_ADDRESS = re.compile(r"0x[0-9a-f]{40}\Z")
_HEX = re.compile(r"0x(?:[0-9a-f]{2})*\Z")
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,38})\Z")


@dataclass(frozen=True)
class Payment:
    """What a reader sends: a voucher, or the lane alone before the first; the first time also what opens the lane."""

    lane: Lane
    voucher: SignedVoucher | None = None
    opening: SignedOpening | None = None
    grant: SignedGrant | None = None
    proof: bytes | None = None
    """The reader's signature under a voucher for nothing: the request is its own. Nobody redeems that one, so the chain does
    not show it, as it shows the lane, what opened it, and vouchers that were redeemed."""


def payment_text(payment: Payment) -> str:
    """The header's value."""
    return _text(_fields(payment))


def parse_payment(text: str) -> Payment:
    """The payment in a header. Signatures are not checked here. Raises VoucherInvalid."""
    if len(text) > MAX_PAYMENT_CHARS:
        raise invalid(f"it has {len(text)} characters, more than {MAX_PAYMENT_CHARS}")
    try:
        fields = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError) as error:
        raise invalid("it is not base64url of JSON") from error
    version = fields.get("version") if isinstance(fields, dict) else None
    if version != WIRE_VERSION:
        raise invalid(f"its version is {version!r}; this program reads version {WIRE_VERSION}")
    try:
        payment = _payment(fields)
    except (KeyError, TypeError, ValueError) as error:
        raise invalid(f"a field is missing or malformed ({error})") from error
    if _text(_fields(payment)) != text:
        raise invalid("it is not in canonical form", "Sort the keys; write no spaces, capitals or further fields.")
    return payment


def _text(fields: dict[str, Any]) -> str:
    packed = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _fields(payment: Payment) -> dict[str, Any]:
    lane = payment.lane
    fields: dict[str, Any] = {
        "version": WIRE_VERSION,
        "lane": {
            "payer": lane.payer.lower(),
            "reader": lane.reader.lower(),
            "cache": lane.cache.lower(),
            "epoch": str(lane.epoch),
            "expiry": str(lane.expiry),
        },
    }
    if payment.voucher:
        fields["voucher"] = _signed({"amount": payment.voucher.voucher.amount}, payment.voucher.signature)
    if payment.opening:
        fields["opening"] = _signed({"amount": payment.opening.opening.amount}, payment.opening.signature)
    if payment.grant:
        # Sponsor, reader and epoch are the lane's: a grant for others would not open it.
        grant = payment.grant.grant
        fields["grant"] = _signed({"limit": grant.limit, "expiry": grant.expiry}, payment.grant.signature)
    if payment.proof:
        fields["proof"] = _signed({}, payment.proof)
    return fields


def _signed(numbers: dict[str, int], signature: bytes) -> dict[str, str]:
    return {**{name: str(number) for name, number in numbers.items()}, "signature": "0x" + signature.hex()}


def _payment(fields: dict[str, Any]) -> Payment:
    lane = _lane(*(fields["lane"][name] for name in ("payer", "reader", "cache", "epoch", "expiry")))
    voucher, opening, grant, proof = (fields.get(name) for name in ("voucher", "opening", "grant", "proof"))
    return Payment(
        lane,
        None if voucher is None else SignedVoucher(Voucher(lane, _number(voucher["amount"])), _key_signature(voucher)),
        None if opening is None else SignedOpening(Opening(lane, _number(opening["amount"])), _key_signature(opening)),
        None if grant is None else _grant(lane, grant),
        None if proof is None else _key_signature(proof),
    )


@lru_cache(maxsize=1 << 12)
def _lane(payer: str, reader: str, cache: str, epoch: str, expiry: str) -> Lane:
    """Remembered with its hash: a lane comes with every request in it."""
    return Lane(_address(payer), _address(reader), _address(cache), _number(epoch), _number(expiry))


def _grant(lane: Lane, fields: dict[str, Any]) -> SignedGrant:
    limit, expiry = _number(fields["limit"]), _number(fields["expiry"])
    return SignedGrant(Grant(lane.payer, lane.reader, limit, lane.epoch, expiry), _signature(fields))


def _address(text: str) -> str:
    if not _ADDRESS.match(text):
        raise ValueError("an address")
    return checksummed_address(bytes.fromhex(text[2:]))


def _number(text: str) -> int:
    if not _NUMBER.match(text):
        raise ValueError("a number")
    return int(text)


def _signature(fields: dict[str, Any]) -> bytes:
    text = fields["signature"]
    if not _HEX.match(text) or len(text) > 2 + 2 * MAX_GRANT_SIGNATURE_BYTES:
        raise ValueError("a signature")
    return bytes.fromhex(text[2:])


def _key_signature(fields: dict[str, Any]) -> bytes:
    signature = _signature(fields)
    if len(signature) != SIGNATURE_BYTES:
        raise ValueError(f"a signature of {len(signature)} bytes")
    return signature
