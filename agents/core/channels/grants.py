"""A grant as one line of text: what an app hands to a reader that it pays for.

``holdgrant1``, then dag-cbor, as agents/core/checked_text.py writes it. It is no secret: only the reader it names can use it.
"""

import dag_cbor

from agents.core.channels.lanes import (
    MAX_GRANT_SIGNATURE_BYTES,
    Domain,
    Grant,
    SignedGrant,
    checksummed_address,
    invalid,
)
from agents.core.checked_text import checked_body, checked_text

PREFIX = "holdgrant1"
MAX_CHARACTERS = 4096


def grant_text(domain: Domain, signed: SignedGrant) -> str:
    """The line."""
    grant = signed.grant
    body = bytes(
        dag_cbor.encode(
            [
                domain.chain_id,
                bytes.fromhex(domain.contract[2:]),
                bytes.fromhex(grant.sponsor[2:]),
                bytes.fromhex(grant.reader[2:]),
                grant.limit.to_bytes(16, "big"),
                grant.epoch,
                grant.expiry,
                signed.signature,
            ]
        )
    )
    return checked_text(PREFIX, body)


def parse_grant(text: str) -> tuple[Domain, SignedGrant]:
    """The grant, and the contract it is for; whose signature it bears is not checked here. Raises VoucherInvalid."""
    cleaned = text.strip()
    if not cleaned.startswith(PREFIX) or len(cleaned) > MAX_CHARACTERS:
        raise invalid(f"a grant is one line that begins with {PREFIX}", "Copy it again, whole.")
    try:
        body = checked_body(PREFIX, cleaned)
    except ValueError as error:
        raise invalid("the grant has a typo: its checksum does not match", "Copy it again, whole.") from error
    try:
        chain, contract, sponsor, reader, limit, epoch, expiry, signature = dag_cbor.decode(body)
        addresses = [checksummed_address(_bytes(each, 20)) for each in (contract, sponsor, reader)]
        grant = Grant(addresses[1], addresses[2], int.from_bytes(_bytes(limit, 16), "big"), _int(epoch), _int(expiry))
        found = Domain(_int(chain), addresses[0]), SignedGrant(grant, _signature(signature))
    except Exception as error:  # the decoder has errors of many kinds for hostile bytes
        raise invalid(f"the grant is malformed ({error})", "Ask its sponsor for another.") from error
    if grant_text(*found) != cleaned:
        raise invalid("the grant is not in canonical form", "Copy it again, whole.")
    return found


def _bytes(value: object, size: int) -> bytes:
    if not isinstance(value, bytes) or len(value) != size:
        raise ValueError(f"{size} bytes")
    return value


def _int(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("a number")
    return value


def _signature(value: object) -> bytes:
    if not isinstance(value, bytes) or not 0 < len(value) <= MAX_GRANT_SIGNATURE_BYTES:
        raise ValueError("a signature")
    return value
