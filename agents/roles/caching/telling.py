"""What a cache tells readers of itself: a signed summary, made anew when it has changed or grown old."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from agents.core.discovery.holdings import Holdings, segment_key
from agents.core.discovery.summary import LIFETIME, Summary, sealed
from agents.net.signing import DigestSigner
from agents.roles.caching.shelf import CachingShelf

FRESH = 30.0
"""Seconds a summary is handed out before another is made."""


@dataclass(frozen=True)
class Identity:
    """Who a cache is."""

    chain: int
    directory: str
    """Address of the CacheDirectory."""
    price: int
    """Base units per byte."""


class Telling:
    """The summaries of one cache. ``clock`` gives UNIX seconds."""

    def __init__(
        self, shelf: CachingShelf, identity: Identity, signer: DigestSigner, clock: Callable[[], float]
    ) -> None:
        self._shelf = shelf
        self._identity = identity
        self._signer = signer
        self._clock = clock
        self._made: tuple[float, bytes] | None = None
        self._making = asyncio.Lock()

    async def newest(self) -> bytes:
        """The summary and its signature, as they travel."""
        async with self._making:
            if self._made is None or self._clock() >= self._made[0] + FRESH:
                now = self._clock()
                held = sorted(set(self._shelf.held()))
                self._made = now, await asyncio.to_thread(self._summary, held, int(now))
            return self._made[1]

    def _summary(self, held: list[tuple[bytes, int]], now: int) -> bytes:
        identity = self._identity
        holdings = Holdings.of(segment_key(*key) for key in held)
        directory, cache = (bytes.fromhex(address[2:]) for address in (identity.directory, self._signer.address))
        summary = Summary(identity.chain, directory, cache, identity.price, now, now + LIFETIME, holdings)
        return sealed(summary, self._signer.sign_digest(summary.signed))
