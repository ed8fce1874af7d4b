"""The reading side of a cache: its summary, its offer, single blocks, and runs of blocks paid for as they are verified.

Nothing unverified is handed on, and no voucher leaves for a block before that block and all before it matched.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, Self

import aiohttp

from agents.core.channels.offers import MAX_OFFER_BYTES, Offer, parse_offer
from agents.core.channels.wire import PAYMENT_HEADER
from agents.core.dataset.car import MAX_BLOCK_BYTES
from agents.core.dataset.cid import Cid, digest_of, parse_cid
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.discovery.summary import MAX_BYTES, Summary, unsealed
from agents.core.errors import BadData, HoldfastError
from agents.net.answers import Connections, bounded, check, faults
from agents.net.client import Patience
from agents.net.endpoint import Peer, checked_endpoint, private_peers
from agents.net.errors import PeerCorrupt, PeerDown, PeerFault, PeerLied, PeerRefused, PeerSlow
from agents.net.messages import MANIFEST_HEADER, SUMMARY_PATH, VOUCHERS_PATH, block_path, sealed_path
from agents.net.signing import digest_signer

ATTEMPTS = 20
"""How often one request is answered 402 before its cache is given up: a second each while a lane is being opened."""
SETTLING = 30.0
"""Seconds that may take in all."""
HANDING = 10.0
"""Seconds a cache may take to take a voucher."""
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


@dataclass(frozen=True)
class Met:
    """A cache's summary, as it was when it came."""

    summary: Summary
    sealed: bytes
    """With its signature: what may be kept and passed on."""
    latency: float
    """Seconds to the first byte of the answer."""


@dataclass
class Pace:
    """How a run of blocks went, for the cache's reputation."""

    latency: float = 0.0
    """Seconds to the first byte."""
    bytes: int = 0
    seconds: float = 0.0
    """From the first byte to the last."""


class CacheClient(Connections):
    """Talks to caches; an async context manager. Connections are kept: a read is many short requests."""

    def __init__(self, patience: Patience | None = None, market: str = "") -> None:
        """``market``: whose chain names the caches; empty: the user alone does."""
        self.patience = patience or Patience()
        super().__init__(self.patience.connect, keep_alive=True, private=private_peers(market))

    async def summary(self, cache: Peer, now: float) -> Met:
        """The cache's summary, signed by ``cache.address`` and good at ``now``. Raises PeerError."""
        begun = time.monotonic()
        async with self._asked(cache, "GET", SUMMARY_PATH) as response:
            latency = time.monotonic() - begun
            await check(cache.endpoint, response, self.patience.answer)
            data = await bounded(cache.endpoint, response, MAX_BYTES, self.patience.document)
        try:
            summary, signature = unsealed(data)
            signer = digest_signer(summary.signed, signature)
        except (BadData, ValueError) as error:
            raise PeerLied(cache.endpoint, "sends a summary that is none", str(error)) from error
        if signer.lower() != cache.address.lower() or summary.cache != bytes.fromhex(cache.address[2:]):
            raise PeerLied(cache.endpoint, "sends somebody else's summary", f"it is signed by {signer}")
        try:
            summary.check(now)
        except BadData as error:  # no lie: it may be this machine's clock that is wrong
            raise PeerFault(cache.endpoint, "has no summary that is good now", str(error)) from error
        return Met(summary, data, latency)

    async def block(self, cache: Peer, cid: Cid, payer: Payer | None = None) -> bytes:
        """One block of any kind, verified. Raises PeerError, NotEnough."""
        voucher = None
        async with self._served(cache, block_path(str(cid)), {}, payer) as response:
            data = await bounded(cache.endpoint, response, MAX_BLOCK_BYTES[cid.codec], self.patience.document)
            if digest_of(data) != cid.digest:
                raise PeerCorrupt(cache.endpoint, "sends corrupt data", f"the block is not {cid}")
            if payer is not None:
                voucher = await payer.verified(len(data)) or await payer.paid()
        if voucher is not None:
            with contextlib.suppress(PeerFault):  # it goes with the next request
                await self.vouch(cache, voucher, HANDING)
        return data

    async def dataset_of(self, cache: Peer, cid: Cid) -> bytes | None:
        """Of which dataset the cache says that block is: the manifest's digest; None: it does not say. Raises PeerError."""
        async with self._asked(cache, "HEAD", block_path(str(cid))) as response:
            await check(cache.endpoint, response, self.patience.answer)
            told = response.headers.get(MANIFEST_HEADER)
        try:
            return None if told is None else parse_cid(told).digest
        except BadData as error:
            raise PeerLied(cache.endpoint, "names a manifest that is none", str(error)) from error

    async def blocks(
        self,
        cache: Peer,
        manifest: Cid,
        size: int,
        first: int,
        digests: Sequence[bytes],
        payer: Payer | None = None,
        pace: Pace | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """The blocks of the sealed file from ``first`` that have these ``digests``, verified, one by one.

        ``size``: bytes of the sealed file; the last block comes short and is yielded padded with zeros, as it is in its slot.
        Close the iterator (contextlib.aclosing) to stop early. Raises PeerError, NotEnough; what was yielded is good.
        """
        pace = pace or Pace()
        done = 0
        while done < len(digests):
            before = done
            try:
                async with aclosing(
                    self._run(cache, manifest, size, first + done, digests[done:], payer, pace)
                ) as running:
                    async for block in running:
                        done += 1
                        yield block
            except PeerDown:
                # A cache cuts an answer whose lane keeps no more: what opens it goes with the next request.
                if payer is None or done == before:
                    raise

    async def _run(
        self,
        cache: Peer,
        manifest: Cid,
        size: int,
        first: int,
        digests: Sequence[bytes],
        payer: Payer | None,
        pace: Pace,
    ) -> AsyncGenerator[bytes, None]:
        """As far as one answer goes."""
        start, stop = first * BLOCK_BYTES, min((first + len(digests)) * BLOCK_BYTES, size)
        wanted = {"Range": f"bytes={start}-{stop - 1}"}
        begun = time.monotonic()
        async with self._served(cache, sealed_path(str(manifest)), wanted, payer, 206) as response:
            if response.content_length != stop - start:
                raise PeerLied(cache.endpoint, "sends a wrong length", f"{response.content_length}, not {stop - start}")
            pace.latency = pace.latency or time.monotonic() - begun
            came = time.monotonic()
            async with _Vouchers(self, cache, payer) as vouchers:
                for index, digest in enumerate(digests, first):
                    length = min(BLOCK_BYTES, size - index * BLOCK_BYTES)
                    async with faults(cache.endpoint, f"block {index}", self.patience.block):
                        block = await vouchers.read(response.content, length)
                    block = block.ljust(BLOCK_BYTES, b"\0")
                    if digest_of(block) != digest:
                        raise PeerCorrupt(cache.endpoint, "sends corrupt data", f"block {index} has another digest")
                    pace.bytes += length
                    pace.seconds, came = pace.seconds + time.monotonic() - came, time.monotonic()
                    await vouchers.verified(length)
                    yield block

    # ---- paying

    async def standing(self, cache: Peer, payment: str) -> Offer | None:
        """What the cache asks, and how the lane of ``payment`` stands; None: reading is free. Raises PeerError."""
        return _offer(cache, await self.vouch(cache, payment))

    async def vouch(self, cache: Peer, payment: str, within: float | None = None) -> bytes:
        """Sends a voucher on its own; the answer, which few read. Raises PeerError."""
        within = within or self.patience.answer
        async with self._asked(cache, "POST", VOUCHERS_PATH, {PAYMENT_HEADER: payment}, within) as response:
            await check(cache.endpoint, response, within)
            return await bounded(cache.endpoint, response, MAX_OFFER_BYTES, within)

    # ---- one request

    @contextlib.asynccontextmanager
    async def _served(
        self, cache: Peer, target: str, headers: Mapping[str, str], payer: Payer | None, good: int = 200
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer of status ``good``, paid for as the cache asks."""
        attempts, begun = 0, time.monotonic()
        while (attempts := attempts + 1) <= ATTEMPTS and time.monotonic() - begun < SETTLING:
            payment = {PAYMENT_HEADER: payer.payment()} if payer is not None else {}
            with _arriving(payer):
                async with self._asked(cache, "GET", target, {**headers, **payment}) as response:
                    if response.status != 402:
                        await check(cache.endpoint, response, self.patience.answer, good)
                        yield response
                        return
                    body = await bounded(cache.endpoint, response, MAX_OFFER_BYTES, self.patience.answer)
            offer = _offer(cache, body)
            if payer is None or offer is None:
                raise PeerRefused(cache.endpoint, 402, "it is paid for what it serves")
            await payer.settle(offer)
        raise PeerRefused(cache.endpoint, 402, "it asks for more, however often it is paid")

    @contextlib.asynccontextmanager
    async def _asked(
        self,
        cache: Peer,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        within: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        endpoint = checked_endpoint(cache.endpoint)
        sent = {"Accept-Encoding": "identity", "User-Agent": "holdfast/1", **(headers or {})}
        async with faults(cache.endpoint, "an answer", within or self.patience.answer):
            response = await self._open(cache).request(method, endpoint + target, headers=sent, allow_redirects=False)
        whole = False
        try:
            yield response
            whole = True
        finally:
            # An answer read to its end gives its connection back; any other may still have bytes on the way.
            response.release() if whole and response.content.at_eof() else response.close()


@contextlib.contextmanager
def _arriving(payer: Payer | None) -> Iterator[None]:
    """An answer is under way: what the cache counts as served may not have been verified yet."""
    if payer is None:
        yield
        return
    payer.began()
    try:
        yield
    finally:
        payer.ended()


class _Vouchers:
    """Sends vouchers while the blocks they pay for go on arriving: nobody waits for the other's signature."""

    def __init__(self, client: CacheClient, cache: Peer, payer: Payer | None) -> None:
        self._client = client
        self._cache = cache
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
            await self._client.vouch(self._cache, voucher, HANDING)
        except PeerSlow as slow:
            self._slow = slow
        except PeerFault:
            pass


def _offer(cache: Peer, body: bytes) -> Offer | None:
    """The offer in an answer; None where it says that reading is free. Raises PeerLied."""
    try:
        fields = json.loads(body)
        if isinstance(fields, dict) and fields.get("pricePerByte") == "0":
            return None
        return parse_offer(body)
    except (ValueError, RecursionError, HoldfastError) as error:
        raise PeerLied(cache.endpoint, "makes an offer that is none", str(error)) from error
