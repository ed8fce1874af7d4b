"""Caches in front of the hosts of slots: a read tries the best of them first and falls back to whoever is left."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence

from agents.core.dataset.cid import Cid
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest, parse_block_list, parse_manifest
from agents.core.dataset.segments import segments_of_file
from agents.core.discovery.holdings import segment_key
from agents.core.errors import HoldfastError, PeerError
from agents.net.caches import CacheClient
from agents.net.endpoint import Peer
from agents.net.errors import PeerRefused
from agents.net.fetch import PeerSlot, ReplicatedSlot, SlotSource
from agents.net.paying import Payer
from agents.roles.buying.caches import Caches
from agents.roles.buying.lanes import Lanes
from agents.roles.buying.slots import CachedSlot

log = logging.getLogger(__name__)

TRIED = 4
"""Caches tried for a slot before its hosts are."""
SAMPLED = 4096
"""Segments of a file looked up in summaries: more of a huge one would tell nothing new."""


class Shop:
    """Where one reader reads. ``lanes``: who pays; without, only free caches are read from.

    ``most``: base units per byte; ``worth``: base units that a second of waiting is worth; ``named``: free caches that are
    asked before any that are announced.
    """

    def __init__(
        self,
        client: CacheClient,
        caches: Caches,
        lanes: Lanes | None,
        most: int,
        worth: float,
        named: Sequence[Peer] = (),
    ) -> None:
        self._named = list(named)
        self._client = client
        self._caches = caches
        self._lanes = lanes
        self._most = most if lanes is not None else 0
        self._worth = worth
        self._asked: tuple[list[bytes], int] = ([], 0)
        self._meeting: defaultdict[Peer, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def manifest(self, digest: bytes) -> Manifest | None:
        """The manifest from the first cache that gives it, if one does: nobody who hosts the file answers."""
        cid = Cid("dag-cbor", digest)
        for cache in self._tried([segment_key(digest, 0)], BLOCK_BYTES):
            data = await self._block(cache, cid)
            if data is not None:
                return parse_manifest(data)
        return None

    async def in_front(self, manifest: Manifest, hosted: Sequence[ReplicatedSlot]) -> list[SlotSource]:
        """``hosted``, the data slots read from caches first, and those without any host from caches alone."""
        best = self._best(manifest)
        if not best:
            return list(hosted)
        if self._lanes is not None:
            self._lanes.expect(manifest.size)
        behind = {source.slot_index: source for source in hosted}
        found: list[SlotSource] = []
        for index in range(manifest.data_slots):
            source = behind.pop(index, None)
            digests = await self._digests(best, manifest, index) if source is None else _digests_of(source)
            cached = [self._slot(cache, manifest, index, digests) for cache in best] if digests else []
            if cached or source is not None:
                found.append(ReplicatedSlot([*cached, *(source.sources if source else ())]))
        return [*found, *behind.values()]

    def _best(self, manifest: Manifest) -> list[Peer]:
        segments = segments_of_file(manifest)
        step = -(-segments // SAMPLED)
        keys = [segment_key(manifest.digest, number) for number in range(0, segments, step)]
        return self._tried(keys, manifest.size)

    def _tried(self, keys: list[bytes], size: int) -> list[Peer]:
        self._asked = keys, size
        ranked = self._ranked()[:TRIED]
        return [*self._named, *(cache for cache in ranked if cache not in self._named)]

    def _ranked(self) -> list[Peer]:
        return self._caches.ranked(*self._asked, self._worth, self._most)

    async def _payer(self, cache: Peer, last: bool = False) -> Payer | None:
        """Who pays ``cache``; None where reading is free. ``last``: it is asked even if it is left alone.

        Raises PeerError, NotEnough, ChainError.
        """
        async with self._meeting[cache]:  # whoever waits here hears what became of it
            self._caches.check(cache, last)
            if self._lanes is None or cache in self._named:
                return None
            try:
                payer = await self._lanes.payer(cache)
                if payer is not None:
                    await self._check_price(cache, payer.price)
            except PeerError as fault:
                self._caches.failed(cache, fault)
                raise
            return payer

    async def _check_price(self, cache: Peer, price: int) -> None:
        """Raises PeerError unless it is what the cache was chosen for; where that rose, it must be the best all the same."""
        said = self._caches.price(cache)
        if said is not None and price > said:
            await self._caches.ask_again(cache, price)
            if self._ranked()[:1] != [cache]:
                raise PeerRefused(
                    cache.endpoint, 402, f"it asks {price} a byte where it said {said}: others are better"
                )

    def _slot(self, cache: Peer, manifest: Manifest, index: int, digests: Sequence[bytes]) -> CachedSlot:
        async def payer(last: bool) -> Payer | None:
            return await self._payer(cache, last)

        return CachedSlot(self._client, self._caches, cache, manifest, index, digests, payer)

    async def _digests(self, caches: Sequence[Peer], manifest: Manifest, index: int) -> list[bytes]:
        """The block list of a slot that no host gives; empty where no cache does either."""
        entry = manifest.slots[index]
        for cache in caches:
            data = await self._block(cache, Cid("dag-cbor", entry.blocks))
            if data is not None:
                return parse_block_list(data, entry, manifest.blocks_per_slot)
        return []

    async def _block(self, cache: Peer, cid: Cid) -> bytes | None:
        try:
            return await self._client.block(cache, cid, await self._payer(cache))
        except HoldfastError as fault:
            log.info("%s does not help: %s", cache.endpoint, fault)
            if isinstance(fault, PeerError) and not (isinstance(fault, PeerRefused) and fault.status == 404):
                self._caches.failed(cache, fault)  # but that it lacks one thing is no fault
            return None


def _digests_of(source: ReplicatedSlot) -> Sequence[bytes]:
    return next((each.digests for each in source.sources if isinstance(each, PeerSlot)), ())
