"""Signed requests: who asks, for what, until when, once, and of whom.

The signature is EIP-191 over a text that names the market, the provider it is meant for, method, target, body digest,
expiry and nonce: it is worth nothing at another provider, on another market, a second time, or later.
"""

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agents.core.channels.lanes import SIGNATURE_BYTES, checksummed_address

LIFETIME = 120
"""Seconds a signature is good for."""
SKEW = 60
"""Seconds the clocks of two peers may differ."""
MAX_NONCES = 100_000
"""Nonces remembered at most; beyond that signed requests wait until some expire."""

EMPTY_BODY = hashlib.sha256(b"").digest()

SIGNER = "Holdfast-Signer"
EXPIRES = "Holdfast-Expires"
NONCE = "Holdfast-Nonce"
BODY = "Holdfast-Body"
SIGNATURE = "Holdfast-Signature"

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the order of secp256k1's group: of a signature's two values of s the lower one counts."""

_SHAPES = {
    SIGNER: re.compile(r"0x[0-9a-fA-F]{40}\Z"),
    EXPIRES: re.compile(r"[1-9][0-9]{0,11}\Z"),
    NONCE: re.compile(r"[0-9a-f]{32}\Z"),
    BODY: re.compile(r"[0-9a-f]{64}\Z"),
    SIGNATURE: re.compile(r"0x[0-9a-f]{130}\Z"),
}


class Signer(Protocol):
    """Whoever holds a key: an address and a way to sign a text (EIP-191)."""

    @property
    def address(self) -> str:
        """The checksummed address."""

    def sign(self, text: str) -> bytes:
        """65 bytes over the EIP-191 message of ``text``."""


class DigestSigner(Protocol):
    """Whoever holds a key: an address and a way to sign 32 bytes, as payments are signed."""

    @property
    def address(self) -> str:
        """The checksummed address."""

    def sign_digest(self, digest: bytes) -> bytes:
        """65 bytes, r, s and v, over ``digest`` itself."""


class AccountSigner:
    """Signs with an eth_account LocalAccount."""

    def __init__(self, account: Any) -> None:
        self._account = account
        self._sign_digest: Callable[[bytes], bytes] | None = None

    @property
    def address(self) -> str:
        """The account's checksummed address."""
        return str(self._account.address)

    def sign(self, text: str) -> bytes:
        """65 bytes over the EIP-191 message of ``text``."""
        from eth_account.messages import encode_defunct

        return bytes(self._account.sign_message(encode_defunct(text=text)).signature)

    def sign_digest(self, digest: bytes) -> bytes:
        """65 bytes, r, s and v, over ``digest`` itself."""
        if self._sign_digest is None:
            self._sign_digest = digest_signing(bytes(self._account.key))
        return self._sign_digest(digest)


def recovered_address(text: str, signature: bytes) -> str:
    """The address that signed ``text`` (EIP-191). Raises ValueError for a signature that is none."""
    from eth_account import Account
    from eth_account.messages import encode_defunct
    from eth_keys.exceptions import BadSignature
    from eth_utils.exceptions import ValidationError

    try:
        return str(Account.recover_message(encode_defunct(text=text), signature=signature))
    except (BadSignature, ValidationError, TypeError, ValueError) as error:
        raise ValueError("the signature is malformed") from error


def digest_signing(key: bytes) -> Callable[[bytes], bytes]:
    """Signs 32 bytes by private ``key``: 65 bytes, r, s (the lower of two) and v (27 or 28)."""
    from coincurve import PrivateKey

    private = PrivateKey(key)  # its making takes as long as a signature

    def sign(digest: bytes) -> bytes:
        signature = private.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    return sign


def digest_signer(digest: bytes, signature: bytes) -> str:
    """The checksummed address that signed 32 bytes, by the contracts' rules: one form, 65 bytes, the lower s, v 27 or 28.

    Raises ValueError for a signature that is none.
    """
    from coincurve import PublicKey
    from eth_utils.crypto import keccak

    if len(signature) != SIGNATURE_BYTES or signature[64] not in (27, 28):
        raise ValueError("the signature is not 65 bytes that end in 27 or 28")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise ValueError("the signature's s is the higher one")
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes([signature[64] - 27]), digest, hasher=None)
    except Exception as error:  # the library raises bare Exceptions for points that are none
        raise ValueError("the signature is malformed") from error
    return checksummed_address(keccak(key.format(compressed=False)[1:])[12:])


@dataclass(frozen=True)
class Message:
    """What a signature is over."""

    market: str
    audience: str
    method: str
    target: str
    body: bytes
    expires: int
    nonce: str

    def text(self) -> str:
        """The signed text; every field on a line of its own."""
        return "\n".join(
            (
                "Holdfast peer request v1",
                f"market: {self.market}",
                f"to: {self.audience.lower()}",
                f"method: {self.method}",
                f"target: {self.target}",
                f"body: {self.body.hex()}",
                f"expires: {self.expires}",
                f"nonce: {self.nonce}",
            )
        )


class Unauthenticated(Exception):
    """A signature that is missing, malformed, expired, replayed or somebody else's."""


def signed_headers(
    signer: Signer,
    *,
    market: str,
    audience: str,
    method: str,
    target: str,
    body: bytes = EMPTY_BODY,
    clock: Callable[[], float] = time.time,
    nonce: Callable[[], str] = lambda: secrets.token_hex(16),
) -> dict[str, str]:
    """The headers that sign one request; ``body`` is a sha2-256 digest."""
    message = Message(market, audience, method, target, body, int(clock()) + LIFETIME, nonce())
    return {
        SIGNER: signer.address,
        EXPIRES: str(message.expires),
        NONCE: message.nonce,
        BODY: body.hex(),
        SIGNATURE: "0x" + signer.sign(message.text()).hex(),
    }


class Verifier:
    """Checks signed requests for one provider, and remembers nonces until they expire.

    Nonces live in memory: after a restart an unexpired request could be repeated, so every signed route is idempotent.
    """

    def __init__(
        self,
        market: str,
        audience: str,
        clock: Callable[[], float] = time.time,
        recover: Callable[[str, bytes], str] = recovered_address,
    ) -> None:
        self._market = market
        self._audience = audience
        self._clock = clock
        self._recover = recover
        self._seen: dict[tuple[str, str], int] = {}

    async def verified(self, method: str, target: str, headers: Mapping[str, str]) -> tuple[str, bytes]:
        """(signer's address, signed body digest). Raises Unauthenticated, which says why."""
        given = {name: headers.get(name, "") for name in _SHAPES}
        for name, shape in _SHAPES.items():
            if not shape.match(given[name]):
                raise Unauthenticated(f"header {name} is missing or malformed")
        now, expires = self._clock(), int(given[EXPIRES])
        if expires + SKEW < now:
            raise Unauthenticated(f"the request expired {now - expires:.0f} s ago by this host's clock; check yours")
        if expires > now + LIFETIME + SKEW:
            raise Unauthenticated("the request expires too far ahead by this host's clock; check yours")
        body = bytes.fromhex(given[BODY])
        message = Message(self._market, self._audience, method, target, body, expires, given[NONCE])
        signature = bytes.fromhex(given[SIGNATURE][2:])
        try:
            address = await asyncio.to_thread(self._recover, message.text(), signature)
        except ValueError as error:
            raise Unauthenticated(str(error)) from error
        if address.lower() != given[SIGNER].lower():
            raise Unauthenticated("the signature is not the signer's over this request, host and market")
        self._remember((address, given[NONCE]), expires)
        return address, body

    def _remember(self, key: tuple[str, str], expires: int) -> None:
        if key in self._seen:
            raise Unauthenticated("the nonce was used before")
        if len(self._seen) >= MAX_NONCES:
            horizon = self._clock() - SKEW
            self._seen = {seen: until for seen, until in self._seen.items() if until >= horizon}
            if len(self._seen) >= MAX_NONCES:
                raise Unauthenticated("too many signed requests are remembered; try again in two minutes")
        self._seen[key] = expires
