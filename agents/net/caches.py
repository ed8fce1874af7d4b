"""The reading side of a cache: its summary, single blocks, and runs of blocks paid for as they are verified.

Nothing unverified is handed on, and no voucher leaves for a block before that block and all before it matched.
"""

import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

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
from agents.net.errors import PeerCorrupt, PeerDown, PeerFault, PeerLied, PeerRefused
from agents.net.messages import MANIFEST_HEADER, SUMMARY_PATH, VOUCHERS_PATH, block_path, sealed_path
from agents.net.paying import Payer, Vouchers, arriving
from agents.net.signing import digest_signer

ATTEMPTS = 20
"""How often one request is answered 402 before its cache is given up: a second each while a lane is being opened."""
SETTLING = 30.0
"""Seconds that may take in all."""
HANDING = 10.0
"""Seconds a cache may take to take a voucher."""


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
            async with Vouchers(partial(self.vouch, cache, within=HANDING), payer) as vouchers:
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
            with arriving(payer):
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


def _offer(cache: Peer, body: bytes) -> Offer | None:
    """The offer in an answer; None where it says that reading is free. Raises PeerLied."""
    try:
        fields = json.loads(body)
        if isinstance(fields, dict) and fields.get("pricePerByte") == "0":
            return None
        return parse_offer(body)
    except (ValueError, RecursionError, HoldfastError) as error:
        raise PeerLied(cache.endpoint, "makes an offer that is none", str(error)) from error
