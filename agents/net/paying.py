"""Paying a cache while it is read from: what matched is signed for, and the vouchers travel beside the bytes."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol, Self

import aiohttp

from agents.core.channels.offers import Offer
from agents.core.errors import HoldfastError
from agents.net.errors import PeerFault, PeerSlow

STALLED = 0.5
"""Seconds without a block after which everything is paid for that matched."""


class Payer(Protocol):
    """The reader's side of one lane."""

    def payment(self) -> str:
        """What goes with a request: the lane, and the highest voucher."""

    async def verified(self, size: int) -> str | None:
        """``size`` more bytes matched; the voucher to send now, if one is due. Raises NotEnough."""

    async def paid(self) -> str | None:
        """The voucher for everything that matched, if that is not sent yet. Raises NotEnough."""

    reading: int
    """Answers that are being read: with the last of them all others are paid."""

    def began(self) -> None:
        """An answer is arriving: what the cache counts as served may not have been verified yet."""

    def ended(self) -> None:
        """It is here, or was cut."""

    async def settle(self, offer: Offer) -> None:
        """Do what the cache asks for: open the lane, sign, wait for the chain. Raises NotEnough, PeerError."""


@contextlib.contextmanager
def arriving(payer: Payer | None) -> Iterator[None]:
    """An answer is under way: what the cache counts as served may not have been verified yet."""
    if payer is None:
        yield
        return
    payer.began()
    try:
        yield
    finally:
        payer.ended()


class Vouchers:
    """Sends vouchers while the blocks they pay for go on arriving: nobody waits for the other's signature."""

    def __init__(self, hand: Callable[[str], Awaitable[object]], payer: Payer | None) -> None:
        """``hand``: gives the cache a payment, within seconds; raises PeerFault."""
        self._hand = hand
        self._payer = payer
        self._sending: asyncio.Task[Any] | None = None
        self._paying: asyncio.Task[None] | None = None
        self._newest: str | None = None
        self._slow: PeerSlow | None = None

    async def __aenter__(self) -> Self:
        if self._payer is not None:
            self._payer.reading += 1
        return self

    async def __aexit__(self, kind: object, *error: object) -> None:
        if self._payer is not None:
            self._payer.reading -= 1
            if not self._payer.reading:
                self._newest = await self._payer.paid() or self._newest
                self._send()
        if self._paying is not None:
            await self._paying
        while self._sending is not None:
            await self._sending
            self._sending = None
            self._send()
        if kind is None and self._slow is not None:
            raise self._slow  # all was read, but whoever asks this cache again waits again

    async def read(self, content: aiohttp.StreamReader, size: int) -> bytes:
        """``size`` bytes; where they take long, all that matched is paid meanwhile: perhaps the cache waits for it."""
        if self._payer is None:
            return await content.readexactly(size)
        stalled = asyncio.get_running_loop().call_later(STALLED, self._stalled, content)
        try:
            return await content.readexactly(size)
        finally:
            stalled.cancel()

    def _stalled(self, content: aiohttp.StreamReader) -> None:
        self._paying = asyncio.create_task(self._pay_all(content))

    async def _pay_all(self, content: aiohttp.StreamReader) -> None:
        assert self._payer is not None
        try:
            self._newest = await self._payer.paid() or self._newest
        except HoldfastError as lack:
            content.set_exception(lack)  # nobody need wait any longer
        self._send()

    async def verified(self, size: int) -> None:
        """``size`` more bytes matched."""
        if self._payer is not None:
            self._newest = await self._payer.verified(size) or self._newest
            self._send()

    def _send(self) -> None:
        """One at a time: what comes due meanwhile is in the next, for amounts are cumulative."""
        if self._newest is not None and (self._sending is None or self._sending.done()):
            voucher, self._newest = self._newest, None
            self._sending = asyncio.create_task(self._sent(voucher))

    async def _sent(self, voucher: str) -> None:
        # A voucher that did not arrive goes with the next request; meanwhile the cache sends what it would anyway.
        try:
            await self._hand(voucher)
        except PeerSlow as slow:
            self._slow = slow
        except PeerFault:
            pass
