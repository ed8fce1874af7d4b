"""A file back from any k of its slots: capability, chain and hosts are all it takes."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

from agents.core.dataset.capability import Capability
from agents.core.dataset.cipher import BLOCK_BYTES, Header
from agents.core.dataset.erasure import code_across
from agents.core.dataset.manifest import Manifest
from agents.core.dataset.reading import FileReader
from agents.core.errors import Corrupt, NotFound, PeerError
from agents.core.market.view import MarketView
from agents.net.client import PeerClient
from agents.net.fetch import SlotSource, Stripe, fetch_any_k
from agents.roles.buying.shop import Shop
from agents.roles.reading import HostedSlot, fetch_manifest, hosts_of, sources_of, stripes_of
from agents.store.partial import PartialFile, must_be_new

Advance = Callable[[str, int, int], None]


async def download(
    peers: PeerClient,
    view: MarketView,
    capability: Capability,
    target: Path | None,
    advance: Advance,
    but: tuple[str, ...] = (),
    shop: Shop | None = None,
) -> Path:
    """Write the file to ``target``, by default under its own name in this folder; where it is.

    ``but`` names hosts not to ask; ``shop`` has the caches that are asked before the hosts. The file appears whole or not at
    all, and nothing is overwritten. What a kill, a full disk or absent hosts leave half done is gone on with the next time.
    Raises FileRejected, NotFound, PeerError, Corrupt, DiskFull.
    """
    if target is not None:
        must_be_new(target)
    dataset = await _Dataset.find(peers, hosts_of(view, capability.manifest, but), capability, shop)
    header = await dataset.start()
    final = target if target is not None else Path.cwd() / Path(header.name).name
    must_be_new(final)
    count = dataset.manifest.data_blocks
    with PartialFile(final.parent, capability.manifest, header.size, count) as partial:
        advance("reading", partial.stripes, count)
        async with aclosing(dataset.stripes(partial.stripes)) as running:
            async for blocks in running:
                pieces = await asyncio.to_thread(dataset.reader.open_stripe, partial.stripes, dict(blocks))
                await asyncio.to_thread(partial.write, pieces)
                advance("reading", partial.stripes, count)
        partial.finish(final)
    return final


async def pour(
    peers: PeerClient,
    view: MarketView,
    capability: Capability,
    write: Callable[[bytes], object],
    advance: Advance,
    shop: Shop | None = None,
) -> None:
    """Give the file's bytes to ``write``, in order. Raises NotFound, PeerError, Corrupt, and what ``write`` raises."""
    dataset = await _Dataset.find(peers, hosts_of(view, capability.manifest), capability, shop)
    total = -(-dataset.manifest.size // BLOCK_BYTES)
    async with aclosing(dataset.blocks_in_order()) as running:
        index = 0
        async for block in running:
            _, piece = await asyncio.to_thread(dataset.reader.open, index, block)
            await asyncio.to_thread(write, piece)
            index += 1
            advance("reading", index, total)
            if index == total:
                return


class _Dataset:
    """A dataset within reach."""

    def __init__(self, manifest: Manifest, sources: list[SlotSource], key: bytes | None) -> None:
        self.manifest = manifest
        self.sources = sources
        self.reader = FileReader(manifest, key)
        self._first: Stripe | None = None

    @classmethod
    async def find(
        cls, peers: PeerClient, hosts: list[HostedSlot], capability: Capability, shop: Shop | None
    ) -> "_Dataset":
        try:
            manifest = await fetch_manifest(peers, hosts, capability.manifest)
        except NotFound:
            found = None if shop is None else await shop.manifest(capability.manifest)
            if found is None:
                raise
            manifest = found
        hosted = await sources_of(peers, hosts, manifest)
        sources: list[SlotSource] = [*hosted]
        if shop is not None:
            sources = await shop.in_front(manifest, hosted)
        return cls(manifest, sources, capability.key)

    async def start(self) -> Header:
        """The file's name and size: from the manifest of a public file, else from the first stripe, which is kept."""
        if self.reader.header is None:
            async with aclosing(stripes_of(self.sources, self.manifest, 0, 1)) as running:
                async for blocks in running:
                    self._first = blocks
                    await asyncio.to_thread(self.reader.open_stripe, 0, dict(blocks))
        if self.reader.header is None:
            raise Corrupt(
                "The file has no header", "its first block is missing", "Ask whoever gave you the capability."
            )
        return self.reader.header

    async def stripes(self, start: int) -> AsyncGenerator[Stripe, None]:
        """Stripes from ``start``; the one that `start` read is not read, and paid for, again."""
        if start == 0 and self._first is not None:
            yield self._first
            start = 1
        async with aclosing(stripes_of(self.sources, self.manifest, start)) as running:
            async for blocks in running:
                yield blocks

    async def blocks_in_order(self) -> AsyncGenerator[bytes, None]:
        """Blocks of the sealed file, one data slot after the other.

        A slot that its host gives is read once; one that nobody gives is made of k others, which costs k times its traffic.
        """
        manifest, code = self.manifest, code_across(self.manifest)
        for index in range(manifest.data_slots):
            done = 0
            own = [source for source in self.sources if source.slot_index == index]
            try:
                if own:
                    async with aclosing(fetch_any_k(own, 1, manifest.data_blocks, BLOCK_BYTES)) as running:
                        async for ((_, block),) in running:
                            yield block
                            done += 1
            except PeerError:
                self.sources = [source for source in self.sources if source.slot_index != index]
            if done == manifest.data_blocks:
                continue
            async with aclosing(stripes_of(self.sources, manifest, done)) as running:
                async for blocks in running:
                    data = await asyncio.to_thread(code.data, dict(blocks))
                    yield data[index]
