"""The body of a cache's ``402 Payment Required``: what a byte costs, how to pay, and how the reader's lane stands."""

import json
import re
from dataclasses import dataclass
from typing import Any

from agents.core.channels.lanes import MAX_AMOUNT, SIGNATURE_BYTES, Domain, checksummed_address
from agents.core.channels.terms import Terms
from agents.core.channels.till import Halt, Till
from agents.core.errors import VoucherInvalid

OFFER_VERSION = 1
MAX_OFFER_BYTES = 16 * 1024

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\Z")
_HASH = re.compile(r"0x[0-9a-f]{64}\Z")
_SIGNATURE = re.compile(rf"0x[0-9a-f]{{{2 * SIGNATURE_BYTES}}}\Z")
_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,38})\Z")


@dataclass(frozen=True)
class Standing:
    """How a lane stands at its cache."""

    lane: bytes
    """The lane's id."""
    served: int
    """Bytes sent in it."""
    owed: int
    """Base units for them."""
    paid: int
    """Base units the reader signed for, as the cache knows."""
    signature: bytes | None
    """The reader's own under the voucher for ``paid``: a reader that forgot it can believe the cache."""
    secured: int
    """Base units up to which vouchers are sure to be paid."""
    room: int
    """Bytes the cache would send now."""
    halt: Halt | None
    """What stops it from sending as much as it sends at a time."""


@dataclass(frozen=True)
class Offer:
    """What a cache asks, whoever reads, and how the lane stands of the reader that asks."""

    domain: Domain
    """Chain and contract that vouchers are signed for."""
    token: str
    cache: str
    """Whom the lane must name."""
    terms: Terms
    challenge: int
    """Seconds between a payer's wish to close and its money: the contract's."""
    standing: Standing | None = None


def standing_of(till: Till, now: int, size: int = 1) -> Standing:
    """How ``till``'s lane stands at ``now``, for a reader that is to be sent ``size`` bytes at a time."""
    signature = till.voucher.signature if till.voucher else None
    room, halt = till.room(now), till.halt(now, size)
    return Standing(
        till.lane.id, till.served, till.owed, till.paid, signature, till.cover.secured, room=room, halt=halt
    )  # fmt: skip


def offer_json(offer: Offer) -> dict[str, Any]:
    """The offer as JSON; amounts are strings, sizes and times numbers."""
    terms = offer.terms
    fields: dict[str, Any] = {
        "version": OFFER_VERSION,
        "chain": offer.domain.chain_id,
        "contract": offer.domain.contract,
        "token": offer.token,
        "cache": offer.cache,
        "pricePerByte": str(terms.price),
        "interval": terms.interval,
        "growth": terms.growth,
        "maxInterval": terms.max_interval,
        "minimalDeposit": str(terms.minimal_deposit),
        "margin": terms.margin,
        "challenge": offer.challenge,
    }
    if offer.standing:
        fields["lane"] = _standing_json(offer.standing)
    return fields


def parse_offer(data: bytes) -> Offer:
    """The offer in a response's body; fields it does not know are passed over. Raises VoucherInvalid."""
    if len(data) > MAX_OFFER_BYTES:
        raise _invalid(f"it has {len(data)} bytes, more than {MAX_OFFER_BYTES}")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _invalid("it is not JSON") from error
    version = fields.get("version") if isinstance(fields, dict) else None
    if version != OFFER_VERSION:
        raise _invalid(f"its version is {version!r}; this program reads version {OFFER_VERSION}")
    try:
        return _offer(fields)
    except (KeyError, TypeError, ValueError) as error:
        raise _invalid(f"a field is missing or malformed ({error})") from error


def _invalid(why: str) -> VoucherInvalid:
    return VoucherInvalid("The offer is not valid", why, "Read from another cache.")


def _offer(fields: dict[str, Any]) -> Offer:
    terms = Terms(
        price=_amount(fields["pricePerByte"]),
        interval=_number(fields["interval"]),
        growth=_number(fields["growth"]),
        max_interval=_number(fields["maxInterval"]),
        minimal_deposit=_amount(fields["minimalDeposit"]),
        margin=_number(fields["margin"]),
    )
    domain = Domain(_number(fields["chain"]), _address(fields["contract"]))
    standing = _standing(fields["lane"]) if "lane" in fields else None
    token, cache = _address(fields["token"]), _address(fields["cache"])
    return Offer(domain, token, cache, terms, _number(fields["challenge"]), standing)


def _standing_json(standing: Standing) -> dict[str, Any]:
    return {
        "id": "0x" + standing.lane.hex(),
        "served": standing.served,
        "owed": str(standing.owed),
        "paid": str(standing.paid),
        "signature": "0x" + standing.signature.hex() if standing.signature else None,
        "secured": str(standing.secured),
        "room": standing.room,
        "halt": standing.halt.value if standing.halt else None,
    }


def _standing(fields: dict[str, Any]) -> Standing:
    signature, halt = fields["signature"], fields["halt"]
    return Standing(
        lane=_shaped(fields["id"], _HASH),
        served=_number(fields["served"]),
        owed=_amount(fields["owed"]),
        paid=_amount(fields["paid"]),
        signature=None if signature is None else _shaped(signature, _SIGNATURE),
        secured=_amount(fields["secured"]),
        room=_number(fields["room"]),
        halt=None if halt is None else Halt(halt),
    )


def _shaped(text: str, shape: re.Pattern[str]) -> bytes:
    if not shape.match(text):
        raise ValueError("hexadecimal")
    return bytes.fromhex(text[2:])


def _address(text: str) -> str:
    return checksummed_address(_shaped(text, _ADDRESS))


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 64:
        raise ValueError("a number")
    return value


def _amount(text: str) -> int:
    if not _AMOUNT.match(text) or int(text) > MAX_AMOUNT:
        raise ValueError("an amount")
    return int(text)
