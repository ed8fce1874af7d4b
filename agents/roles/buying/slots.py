"""A data slot read through a cache: slot i is the sealed file's blocks [i s, (i + 1) s), wherever they are kept."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from agents.core.dataset.cid import Cid
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest
from agents.core.errors import ChainError, NotEnough, PeerError, Refused
from agents.net.caches import CacheClient, Pace, Payer
from agents.net.endpoint import Peer
from agents.net.errors import PeerRefused
from agents.roles.buying.caches import Caches

log = logging.getLogger(__name__)

ZEROS = bytes(BLOCK_BYTES)
"""What stands behind the file in its last slot; nobody need send it."""


@dataclass(frozen=True)
class CachedSlot:
    """One data slot at one cache."""

    client: CacheClient
    caches: Caches
    cache: Peer
    manifest: Manifest
    slot_index: int
    digests: Sequence[bytes]
    payer: Callable[[], Awaitable[Payer | None]]
    """Who pays, once something is read; None where reading is free."""

    async def blocks(self, start: int, count: int) -> AsyncGenerator[bytes, None]:
        """Verified blocks. Raises PeerError, also where the reader cannot pay: somebody else is asked then."""
        manifest = self.manifest
        first = self.slot_index * manifest.data_blocks + start
        within = max(0, min(count, manifest.blocks - first))
        if within:
            pace = Pace()
            try:
                fetching = self.client.blocks(
                    self.cache, Cid("dag-cbor", manifest.digest), manifest.size, first,
                    self.digests[start : start + within], await self.payer(), pace,
                )  # fmt: skip
                async with aclosing(fetching) as running:
                    async for block in running:
                        yield block
            except PeerError as fault:
                self.caches.failed(self.cache, fault)
                raise
            except (NotEnough, ChainError, Refused) as lack:  # the reader's fault, or the chain's
                log.warning("%s is not paid: %s", self.cache.endpoint, lack)
                raise PeerRefused(self.cache.endpoint, 402, str(lack)) from lack
            self.caches.served(self.cache, pace.latency, pace.bytes, pace.seconds)
        for _ in range(count - within):
            yield ZEROS
