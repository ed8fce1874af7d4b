"""Another cache as an origin: a free one, named by its URL."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from agents.core.dataset.cid import Cid
from agents.core.dataset.manifest import Manifest
from agents.core.dataset.segments import SEGMENT_BLOCKS, segment_size
from agents.core.errors import PeerError
from agents.net.caches import CacheClient
from agents.net.endpoint import Peer, checked_endpoint
from agents.net.errors import PeerDown, PeerRefused
from agents.roles.caching.hosts import Reputations
from agents.store.cache.buffers import joined

PAUSE = 30.0
"""Seconds, at most, that it is left alone after a failure: the user named it, and it may be all there is."""
LACKING = (404, 410, 504)
"""What it answers where it cannot have one thing: that is no fault, or whoever asks for that thing kept all others away."""


class FreeCache:
    """Segments and documents of a cache that asks for nothing; one that failed is left alone for a while."""

    def __init__(self, client: CacheClient, url: str, reputations: Reputations) -> None:
        self._client = client
        self._peer = Peer(checked_endpoint(url), "")
        self._reputations = reputations

    async def dataset_of(self, cid: Cid) -> bytes | None:
        """Of which dataset a block is: what the cache says. Raises PeerError."""
        with self._judged():
            return await self._client.dataset_of(self._peer, cid)

    async def document(self, digest: bytes) -> bytes:
        """The manifest or block list with this digest, verified. Raises PeerError."""
        with self._judged():
            return await self._client.block(self._peer, Cid("dag-cbor", digest))

    async def segment(self, manifest: Manifest, number: int, digests: Sequence[bytes]) -> memoryview:
        """A segment, verified. Raises PeerError."""
        cid, first = Cid("dag-cbor", manifest.digest), number * SEGMENT_BLOCKS
        with self._judged():
            blocks = [block async for block in self._client.blocks(self._peer, cid, manifest.size, first, digests)]
        return joined(blocks, segment_size(manifest, number))

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """One request, if it is not left alone."""
        if not self._reputations.welcome(self._peer.endpoint):
            raise PeerDown(self._peer.endpoint, "is left alone for a while", "it failed before")
        try:
            yield
        except PeerError as fault:
            if not isinstance(fault, PeerRefused) or fault.status not in LACKING:
                self._reputations.failed(self._peer.endpoint, fault, PAUSE)
            raise
        self._reputations.served(self._peer.endpoint)
