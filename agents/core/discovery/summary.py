"""What a cache says of itself, signed and for a while: its price, and a filter over what it holds.

Soft state: nobody keeps it beyond its expiry, and a cache that is gone is forgotten without anybody doing anything.
"""

from dataclasses import dataclass
from typing import Any

import dag_cbor
from eth_utils.crypto import keccak

from agents.core.channels.lanes import SIGNATURE_BYTES
from agents.core.discovery.holdings import Holdings
from agents.core.errors import Malformed

VERSION = 1
LIFETIME = 600
"""Seconds a summary is good for."""
SKEW = 60
"""Seconds the clocks of a cache and a reader may differ."""
MAX_BYTES = 300_000
ADDRESS_BYTES = 20


@dataclass(frozen=True)
class Summary:
    """A cache's summary. Times are unix seconds."""

    chain: int
    directory: bytes
    """Address of the CacheDirectory it is announced in."""
    cache: bytes
    """Its account: who signs this, and who is paid."""
    price: int
    """Base units per byte."""
    issued: int
    expires: int
    holdings: Holdings

    def to_bytes(self) -> bytes:
        """dag-cbor."""
        fields = {
            "version": VERSION,
            "chain": self.chain,
            "directory": self.directory,
            "cache": self.cache,
            "price": self.price.to_bytes(16, "big"),
            "issued": self.issued,
            "expires": self.expires,
            "count": self.holdings.count,
            "bits": self.holdings.bits,
        }
        return bytes(dag_cbor.encode(fields))

    @property
    def signed(self) -> bytes:
        """The 32 bytes its cache signs: no other message of ours has this prefix, nor any transaction."""
        return keccak(b"\x19Holdfast cache summary\n" + keccak(self.to_bytes()))

    def check(self, now: float) -> None:
        """Raises Malformed for one that is over, from the future, or meant to live for ever."""
        if self.expires <= now - SKEW:
            raise _malformed(f"it expired {now - self.expires:.0f} s ago by this clock")
        if self.issued > now + SKEW:
            raise _malformed("it was issued in the future by this clock")
        if not 0 < self.expires - self.issued <= LIFETIME:
            raise _malformed(f"it is for {self.expires - self.issued} s, and {LIFETIME} are the most")


def _malformed(why: str) -> Malformed:
    return Malformed("The summary is malformed", why, "Its cache lies or its clock is wrong: ask another.")


def sealed(summary: Summary, signature: bytes) -> bytes:
    """A summary and its cache's signature, as they travel."""
    return bytes(dag_cbor.encode([summary.to_bytes(), signature]))


def unsealed(data: bytes) -> tuple[Summary, bytes]:
    """Summary and signature, which is still to be checked against the cache's address. Raises Malformed."""
    if len(data) > MAX_BYTES:
        raise _malformed(f"it has {len(data)} bytes, more than {MAX_BYTES}")
    parts = _decoded(data)
    if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, bytes) for part in parts):
        raise _malformed("it is not a body and a signature")
    body, signature = parts
    fields = _decoded(body)
    if not isinstance(fields, dict) or fields.get("version") != VERSION:
        raise _malformed(f"it is not of version {VERSION}")
    price = _typed(fields, "price", bytes)
    summary = Summary(
        chain=_typed(fields, "chain", int),
        directory=_typed(fields, "directory", bytes),
        cache=_typed(fields, "cache", bytes),
        price=int.from_bytes(price, "big"),
        issued=_typed(fields, "issued", int),
        expires=_typed(fields, "expires", int),
        holdings=Holdings(_typed(fields, "count", int), _typed(fields, "bits", bytes)),
    )
    lengths = len(price), len(summary.directory), len(summary.cache), len(signature)
    if lengths != (16, ADDRESS_BYTES, ADDRESS_BYTES, SIGNATURE_BYTES):
        raise _malformed("a price, an address or the signature has another length than it should")
    if summary.to_bytes() != body:
        raise _malformed("it is not in canonical form")
    summary.holdings.check()
    return summary, signature


def _decoded(data: bytes) -> Any:
    try:
        return dag_cbor.decode(data)
    except Exception as error:  # the decoder has errors of many kinds for hostile bytes
        raise _malformed(f"it is not dag-cbor ({type(error).__name__})") from None


def _typed(fields: dict[str, Any], name: str, kind: type) -> Any:
    found = fields.get(name)
    if type(found) is not kind:
        raise _malformed(f"its {name} is missing or of another type")
    return found
