"""Blocks of a slot that no host gives, made of those of k others."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agents.core.dataset.cid import digest_of
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.erasure import code_across
from agents.core.dataset.manifest import Manifest, block_list
from agents.core.dataset.segments import Piece
from agents.core.dataset.slot_code import slot_code_of
from agents.core.errors import Corrupt, HoldfastError
from agents.net.errors import TooFewPeers
from agents.net.fetch import FetchPolicy, SlotSource, fetch_any_k
from agents.roles.caching.documents import Documents
from agents.roles.caching.hosts import SlotHosts
from agents.store.cache.disk import DiskCache
from agents.store.coding import make_parity
from agents.store.files import write_at

log = logging.getLogger(__name__)

GRACE = 1.0
"""Seconds that the block lists of further slots are waited for once there are k."""
AT_ONCE = 2
"""Pieces that are decoded at the same time: each holds some windows of k slots."""
WINDOWS = FetchPolicy(patience=3.0, rounds=1, memory=16 << 20)


class Stripes:
    """Decodes pieces of slots."""

    def __init__(self, hosts: SlotHosts, documents: Documents, policy: FetchPolicy = WINDOWS) -> None:
        self._hosts = hosts
        self._documents = documents
        self._policy = policy
        self._free = asyncio.Semaphore(AT_ONCE)
        self.fetched = 0
        """Bytes that came from hosts to be decoded."""

    async def piece(self, manifest: Manifest, piece: Piece) -> list[bytes]:
        """The blocks of a piece, not yet compared with its slot's list. Raises TooFewPeers, NotFound, Corrupt."""
        return [block async for block in self.blocks(manifest, piece)]

    async def blocks(self, manifest: Manifest, piece: Piece) -> AsyncGenerator[bytes, None]:
        """The same, one after the other."""
        code, k = code_across(manifest), manifest.data_slots
        async with self._free:
            sources = await self._sources(manifest, piece.slot)
            fetching = fetch_any_k(
                sources, k, piece.start + piece.count, BLOCK_BYTES, start=piece.start, policy=self._policy
            )
            async with aclosing(fetching) as stripes:
                async for stripe in stripes:
                    self.fetched += k * BLOCK_BYTES
                    (block,) = await asyncio.to_thread(code.rebuild, dict(stripe), [piece.slot])
                    yield block

    async def _sources(self, manifest: Manifest, but: int) -> list[SlotSource]:
        """At least k slots other than ``but``: those whose block lists come soon. Raises TooFewPeers."""
        order = [index for index in self._hosts.hosted(manifest) if index != but]
        asked = {asyncio.create_task(self._source(manifest, index)): index for index in order}
        found: dict[int, SlotSource] = {}
        pending = set(asked)
        try:
            while pending:
                grace = None if len(found) < manifest.data_slots else GRACE
                ended, pending = await asyncio.wait(pending, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
                if not ended:
                    break
                for task in ended:
                    source = task.result()
                    if source is not None:
                        found[asked[task]] = source
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        if len(found) < manifest.data_slots:
            raise TooFewPeers(manifest.data_slots, {})
        return [found[index] for index in order if index in found]

    async def _source(self, manifest: Manifest, index: int) -> SlotSource | None:
        try:
            return self._hosts.source(manifest, index, await self._documents.listed(manifest, index))
        except HoldfastError as error:
            log.info("slot %d of %s cannot help: %s", index, manifest.digest.hex(), error)
            return None


async def recovered_list(stripes: Stripes, disk: DiskCache, manifest: Manifest, index: int) -> bytes:
    """The block list of a slot that is gone with its host: the whole slot is decoded once, and its parity made again.

    Raises TooFewPeers, NotFound, QuotaExceeded where the disk's budget is smaller than the slot, and Corrupt where the
    others' blocks do not make the manifest's list.
    """
    digests: list[bytes] = []
    with disk.scratch(manifest.slot_bytes) as handle:
        async for block in stripes.blocks(manifest, Piece(index, 0, manifest.data_blocks)):
            await asyncio.to_thread(write_at, handle, block, len(digests) * BLOCK_BYTES)
            digests.append(digest_of(block))
        if manifest.parity_blocks:
            digests += await asyncio.to_thread(_parity, handle, manifest)
    listed = block_list(digests)
    if digest_of(listed) != manifest.slots[index].blocks:
        raise Corrupt(f"Slot {index} cannot be rebuilt", "the other slots' blocks do not make it")
    return listed


def _parity(handle: int, manifest: Manifest) -> list[bytes]:
    """Digests of the slot's own parity blocks, from its data blocks in the file."""
    make_parity(handle, slot_code_of(manifest))
    places = range(manifest.data_blocks, manifest.blocks_per_slot)
    return [digest_of(os.pread(handle, BLOCK_BYTES, place * BLOCK_BYTES)) for place in places]
