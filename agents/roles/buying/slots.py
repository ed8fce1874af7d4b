"""A data slot read through a cache: slot i is the sealed file's blocks [i s, (i + 1) s), wherever they are kept."""

import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from agents.core.dataset.cid import Cid
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest
from agents.core.errors import ChainError, NotEnough, PeerError, Refused
from agents.net.caches import CacheClient, Pace
from agents.net.endpoint import Peer
from agents.net.errors import PeerRefused, PeerSlow
from agents.net.paying import Payer
from agents.roles.buying.caches import Caches

log = logging.getLogger(__name__)

ZEROS = bytes(BLOCK_BYTES)
"""What stands behind the file in its last slot; nobody need send it."""


LEAST_RATE = 64 << 10
"""Bytes a second that a file is to come with, its data slots side by side, where it can be had elsewhere too."""
GRACE = 30.0
"""Seconds before that counts: a lane may have to be opened first."""


@dataclass
class CachedSlot:
    """One data slot at one cache."""

    client: CacheClient
    caches: Caches
    cache: Peer
    manifest: Manifest
    slot_index: int
    digests: Sequence[bytes]
    payer: Callable[[bool], Awaitable[Payer | None]]
    """Who pays, once something is read; None where reading is free. True: nobody else is left to be asked."""
    last: bool = False
    """Whether it is asked again, so that all others failed meanwhile."""

    async def blocks(self, start: int, count: int) -> AsyncGenerator[bytes, None]:
        """Verified blocks. Raises PeerError, also where the reader cannot pay: somebody else is asked then."""
        manifest = self.manifest
        first = self.slot_index * manifest.data_blocks + start
        within = max(0, min(count, manifest.blocks - first))
        if within:
            async with aclosing(self._fetched(first, self.digests[start : start + within])) as running:
                async for block in running:
                    yield block
        for _ in range(count - within):
            yield ZEROS

    async def _fetched(self, first: int, digests: Sequence[bytes]) -> AsyncGenerator[bytes, None]:
        """The sealed file's blocks from ``first`` on, and what came of it remembered."""
        pace, last, self.last, left = Pace(), self.last, True, len(digests)
        least = LEAST_RATE / self.manifest.data_slots
        try:
            payer, begun = await self.payer(last), time.monotonic()
            fetching = self.client.blocks(
                self.cache, Cid("dag-cbor", self.manifest.digest), self.manifest.size, first, digests, payer, pace
            )
            async with aclosing(fetching) as running:
                async for block in running:
                    if not last and time.monotonic() - begun > GRACE + pace.bytes / least:
                        raise PeerSlow(self.cache.endpoint, "is too slow", f"{pace.bytes} bytes in so many seconds")
                    left -= 1
                    yield block
        except PeerError as fault:
            self.caches.failed(self.cache, fault)
            if left:
                raise
            return
        except (NotEnough, ChainError, Refused) as lack:  # the reader's fault, or the chain's
            log.warning("%s is not paid: %s", self.cache.endpoint, lack)
            raise PeerRefused(self.cache.endpoint, 402, str(lack)) from lack
        self.caches.served(self.cache, pace.latency, pace.bytes, pace.seconds)
        self.last = False
