"""Segments from where they are kept: other caches first, if any are named, then the hosts of slots."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from agents.core.dataset.cid import digest_of
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest
from agents.core.dataset.segments import SEGMENT_BLOCKS, Piece, pieces_of, segment_size
from agents.core.errors import Corrupt, HoldfastError, PeerError
from agents.roles.caching.catalogue import Catalogue, Dataset
from agents.roles.caching.documents import Documents, Upstream
from agents.roles.caching.flight import first_good
from agents.roles.caching.hosts import SlotHosts
from agents.roles.caching.stripes import Stripes, recovered_list
from agents.store.cache.buffers import joined
from agents.store.cache.disk import DiskCache

log = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds that a slot's own host may take for a piece of a segment before it is made of other slots as well."""


class SegmentSource(Upstream, Protocol):
    """Another cache."""

    async def segment(self, manifest: Manifest, number: int, digests: Sequence[bytes]) -> memoryview:
        """A segment, verified. Raises PeerError."""


class Origin:
    """Verified segments of datasets, and the catalogue of these."""

    def __init__(
        self, hosts: SlotHosts, disk: DiskCache, upstreams: Sequence[SegmentSource] = (), patience: float = PATIENCE
    ) -> None:
        self._hosts = hosts
        self._disk = disk
        self._upstreams = upstreams
        self._patience = patience
        documents = Documents(disk, hosts, upstreams)
        self.stripes = Stripes(hosts, documents)
        self.catalogue = Catalogue(documents, self._recovered, self._last_block)
        self.bytes = 0
        """Of segments that came from here."""

    async def close(self) -> None:
        """Stop what goes on in the background."""
        await self.catalogue.close()

    def is_hosted(self, dataset: Dataset) -> bool:
        """Whether the market has a host of it, or another cache may have it."""
        return bool(self._upstreams) or bool(self._hosts.of(dataset.digest))

    async def segment(self, dataset: Dataset, number: int) -> memoryview:
        """A segment's bytes. Raises NotFound, PeerError, Corrupt."""
        manifest = dataset.manifest
        shared = await self._shared(dataset, number)
        if shared is not None:
            return shared
        parts = await asyncio.gather(*(self._piece(dataset, piece) for piece in pieces_of(manifest, number)))
        blocks = [block for part in parts for block in part]
        parts.clear()
        self.bytes += len(blocks) * BLOCK_BYTES
        return joined(blocks, segment_size(manifest, number))

    async def _shared(self, dataset: Dataset, number: int) -> memoryview | None:
        """The same from another cache, if one has it."""
        digests = await self.catalogue.digests(dataset, number * SEGMENT_BLOCKS, SEGMENT_BLOCKS)
        for upstream in self._upstreams:
            try:
                data = await upstream.segment(dataset.manifest, number, digests)
            except HoldfastError as error:
                log.info("no segment from another cache: %s", error)
            else:
                self.bytes += len(data)
                return data
        return None

    async def _piece(self, dataset: Dataset, piece: Piece) -> list[bytes]:
        """From the slot's host; where that has failed lately, fails or is slow, made of k other slots."""
        manifest = dataset.manifest
        listed = await self.catalogue.listed(dataset, piece.slot)
        source = self._hosts.source(manifest, piece.slot, listed)

        async def direct() -> list[bytes]:
            assert source is not None
            return [block async for block in source.blocks(piece.start, piece.count)]

        async def made() -> list[bytes]:
            blocks = await self.stripes.piece(manifest, piece)
            if [digest_of(block) for block in blocks] != listed[piece.start : piece.start + piece.count]:
                raise Corrupt(
                    f"Slot {piece.slot} cannot be made of the others",
                    "its blocks would have other digests: whoever stored the file made the slots wrongly",
                    "Read it from the slot's own host.",
                )
            return blocks

        if source is None:
            return await made()
        if not self._hosts.reliable(manifest, piece.slot):
            try:
                return await made()
            except (PeerError, Corrupt):
                return await direct()
        own = asyncio.create_task(direct())
        try:
            await asyncio.wait({own}, timeout=self._patience)
            late = not own.done()
            if not late and own.exception() is None:
                return own.result()
            winner = await first_good([own, asyncio.create_task(made())])
        finally:
            own.cancel()
        if late and winner is not own:
            self._hosts.stalled(manifest, piece.slot)
        return winner.result()

    # ---- what the catalogue needs

    async def _recovered(self, manifest: Manifest, index: int) -> bytes:
        return await recovered_list(self.stripes, self._disk, manifest, index)

    async def _last_block(self, dataset: Dataset) -> bytes | memoryview:
        number, within = divmod(dataset.manifest.blocks - 1, SEGMENT_BLOCKS)
        shared = await self._shared(dataset, number)
        if shared is not None:
            return shared[within * BLOCK_BYTES :]
        slot, place = divmod(dataset.manifest.blocks - 1, dataset.manifest.data_blocks)
        (block,) = await self._piece(dataset, Piece(slot, place, 1))
        self.bytes += BLOCK_BYTES
        return block
