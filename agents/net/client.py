"""The asking side: every answer is bounded in size and time, and nothing unverified is handed on."""

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from agents.net.answers import Connections, bounded, check, faults
from agents.net.endpoint import Peer, checked_endpoint, private_peers
from agents.net.errors import PeerCorrupt, PeerLied, PeerSlow
from agents.net.messages import (
    MAX_ANSWER,
    MAX_BLOCK_LIST,
    MAX_MANIFEST,
    UploadStatus,
    manifest_path,
    slot_path,
    upload_path,
)
from agents.net.signing import EMPTY_BODY, Signer, signed_headers


@dataclass(frozen=True)
class Patience:
    """Seconds to wait for a peer."""

    connect: float = 10.0
    answer: float = 30.0
    """For the headers of an answer, and for a whole small one."""
    document: float = 120.0
    """For a whole manifest or block list."""
    block: float = 30.0
    """For one block."""
    finish: float = 1800.0
    """For the answer to a finished upload: the provider may be checking its root."""


class PeerClient(Connections):
    """Talks to providers; an async context manager. Without a signer only unsigned reads are possible."""

    def __init__(
        self,
        market: str,
        signer: Signer | None = None,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._market = market
        self._signer = signer
        self.patience = patience or Patience()
        self._clock = clock
        super().__init__(self.patience.connect, keep_alive=False, private=private_peers(market))

    # ---- reads

    async def fetch_manifest(self, peer: Peer, digest: bytes) -> bytes:
        """The manifest with this sha2-256 digest, verified. Raises PeerError."""
        return await self._document(peer, manifest_path(digest), MAX_MANIFEST, digest)

    async def fetch_block_list(self, peer: Peer, manifest_digest: bytes, slot_index: int, digest: bytes) -> bytes:
        """The block list of a slot, verified against its own ``digest``. Raises PeerError."""
        return await self._document(peer, slot_path(manifest_digest, slot_index, "blocklist"), MAX_BLOCK_LIST, digest)

    async def fetch_blocks(
        self,
        peer: Peer,
        manifest_digest: bytes,
        slot_index: int,
        digests: Sequence[bytes],
        block_bytes: int,
        start: int,
        count: int,
    ) -> AsyncIterator[bytes]:
        """``count`` verified blocks from ``start``, one by one; ``digests`` are those of the whole slot.

        Close the iterator (contextlib.aclosing) to stop early. Raises PeerError; what was yielded before is good.
        """
        target = f"{slot_path(manifest_digest, slot_index, 'blocks')}?start={start}&count={count}"
        async with self._asked(peer, "GET", target, sign=self._signer is not None) as response:
            if response.content_length != count * block_bytes:
                raise PeerLied(
                    peer.endpoint, "sends a wrong length", f"{response.content_length}, not {count * block_bytes} bytes"
                )
            for index in range(start, start + count):
                async with faults(peer.endpoint, f"block {index}", self.patience.block):
                    block = await response.content.readexactly(block_bytes)
                if hashlib.sha256(block).digest() != digests[index]:
                    raise PeerCorrupt(
                        peer.endpoint, "sends corrupt data", f"block {index} of slot {slot_index} has another digest"
                    )
                yield block

    async def _document(self, peer: Peer, path: str, most: int, digest: bytes) -> bytes:
        async with self._asked(peer, "GET", path, sign=self._signer is not None) as response:
            document = await bounded(peer.endpoint, response, most, self.patience.document)
        if hashlib.sha256(document).digest() != digest:
            raise PeerCorrupt(peer.endpoint, "sends corrupt data", "the document has another digest")
        return document

    # ---- uploads (agents.net.upload drives them)

    async def upload_status(self, peer: Peer, request_id: bytes, slot_index: int) -> UploadStatus:
        """How much of an upload the peer holds."""
        async with self._asked(peer, "GET", upload_path(request_id, slot_index), sign=True) as response:
            return await self._upload_answer(peer, response)

    async def put_document(
        self, peer: Peer, request_id: bytes, slot_index: int, part: str, document: bytes
    ) -> UploadStatus:
        """Sends the ``part`` "manifest" or "blocklist" of an upload."""
        path, digest = upload_path(request_id, slot_index, part), hashlib.sha256(document).digest()
        async with self._asked(
            peer, "PUT", path, sign=True, digest=digest, data=document, within=self.patience.document
        ) as response:
            return await self._upload_answer(peer, response)

    async def put_blocks(
        self,
        peer: Peer,
        request_id: bytes,
        slot_index: int,
        block_list_digest: bytes,
        start: int,
        size: int,
        blocks: AsyncIterator[bytes],
    ) -> UploadStatus:
        """Streams ``blocks`` (``size`` bytes in all) from block ``start`` to the slot's end."""
        target = f"{upload_path(request_id, slot_index, 'blocks')}?start={start}"
        progress = _Progress(blocks, size, self.patience)
        async with (
            progress.watched(peer),
            self._asked(
                peer, "PUT", target, sign=True, digest=block_list_digest, data=progress.sent(), size=size, within=None
            ) as response,
        ):
            return await self._upload_answer(peer, response)

    async def _upload_answer(self, peer: Peer, response: aiohttp.ClientResponse) -> UploadStatus:
        try:
            return UploadStatus.from_json(await self._json(peer, response))
        except ValueError as error:
            raise PeerLied(peer.endpoint, "answers an upload wrongly", str(error)) from error

    # ---- one request

    @contextlib.asynccontextmanager
    async def _asked(
        self,
        peer: Peer,
        method: str,
        target: str,
        *,
        sign: bool,
        digest: bytes = EMPTY_BODY,
        data: Any = None,
        size: int | None = None,
        within: float | None = 0.0,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response with status 200; anything else raises. ``within``: seconds for its headers, 0 the usual."""
        endpoint = checked_endpoint(peer.endpoint)
        headers = {"Accept-Encoding": "identity", "User-Agent": "holdfast/1"}
        if size is not None:
            headers["Content-Length"] = str(size)
        if sign:
            headers |= await self._signed(peer, method, target, digest)
        wait = self.patience.answer if within == 0.0 else within
        async with faults(peer.endpoint, "an answer", wait):
            response = await self._open(peer).request(
                method, endpoint + target, headers=headers, data=data, allow_redirects=False
            )
        try:
            await check(peer.endpoint, response, self.patience.answer)
            yield response
        finally:
            response.close()

    async def _signed(self, peer: Peer, method: str, target: str, digest: bytes) -> Mapping[str, str]:
        if self._signer is None:
            raise ValueError("a signed request needs a signer")
        signer = self._signer
        return await asyncio.to_thread(
            lambda: signed_headers(
                signer,
                market=self._market,
                audience=peer.address,
                method=method,
                target=target,
                body=digest,
                clock=self._clock,
            )
        )

    async def _json(self, peer: Peer, response: aiohttp.ClientResponse) -> Any:
        try:
            return json.loads(await bounded(peer.endpoint, response, MAX_ANSWER, self.patience.answer))
        except (ValueError, RecursionError) as error:
            raise PeerLied(peer.endpoint, "does not answer in JSON") from error


class _Progress:
    """Feeds an upload and cuts it when the peer stops taking blocks."""

    def __init__(self, blocks: AsyncIterator[bytes], size: int, patience: Patience) -> None:
        self._blocks = blocks
        self._left = size
        self._patience = patience
        self._timer: asyncio.Timeout | None = None

    async def sent(self) -> AsyncIterator[bytes]:
        """The blocks, noting each as it leaves."""
        async for block in self._blocks:
            self._left -= len(block)
            yield block
            self._extend()

    @contextlib.asynccontextmanager
    async def watched(self, peer: Peer) -> AsyncIterator[None]:
        """Raises PeerSlow when no block leaves for ``patience.block``, or no answer comes for ``patience.finish``."""
        try:
            async with asyncio.timeout(None) as self._timer:
                self._extend()
                yield
        except TimeoutError as error:
            raise PeerSlow(peer.endpoint, "is too slow", "it stopped taking blocks, or never confirmed them") from error

    def _extend(self) -> None:
        if self._timer is not None:
            wait = self._patience.block + self._patience.connect if self._left > 0 else self._patience.finish
            self._timer.reschedule(asyncio.get_running_loop().time() + wait)
