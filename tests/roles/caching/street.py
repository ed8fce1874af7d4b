"""Hosts with real servers and stores, one slot each, the view of a market that names them, and a cache of theirs."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.core.admission.policy import Admission, Everything
from agents.core.dataset.manifest import Manifest
from agents.core.market import events as e
from agents.core.market.types import Ask, Content, Request
from agents.core.market.view import MarketView
from agents.net.caches import CacheClient
from agents.net.client import PeerClient
from agents.net.host import SlotPlan
from agents.net.server import PeerServer
from agents.roles.caching.hosts import SlotHosts
from agents.roles.caching.origin import Origin
from agents.roles.caching.shelf import CachingShelf
from agents.roles.caching.upstream import FreeCache
from agents.roles.fitting import Fitting
from agents.roles.hosting import Hosting
from agents.store.cache.disk import DiskCache
from agents.store.folders import SlotName
from agents.store.slots import SlotStore, put_all
from agents.store.spool import Spool, SpooledDataset
from tests.roles.scenes import CLIENT, CONFIG, PROFILE, STAKES, START, at, posted

MARKET = "eip155:31337:0x5FbDB2315678afecb367f032d93F642f64180aa3"
MIB = 1 << 20


class Liar(SlotPlan):
    """The plan of a host that sends whatever it has."""

    def matches(self, index: int, block: bytes) -> bool:
        return True


class StreetHost(Hosting):
    """A host that counts the blocks it reads, and misbehaves when told to."""

    read = 0
    lies = False

    def __init__(self, *world: Any) -> None:
        super().__init__(*world)
        self.silent: bytes | None = None
        """The manifest of whose slots it says nothing."""
        self.ends = asyncio.Event()

    async def slot_plan(self, manifest_digest: bytes, slot_index: int) -> SlotPlan | None:
        plan = await super().slot_plan(manifest_digest, slot_index)
        if plan is None or not self.lies:
            return plan
        return Liar(plan.block_list_digest, plan.digests, plan.block_bytes, plan.made)

    async def read_blocks(self, manifest_digest: bytes, slot_index: int, start: int, count: int) -> Sequence[bytes]:
        if self.silent == manifest_digest:
            await self.ends.wait()
        blocks = await super().read_blocks(manifest_digest, slot_index, start, count)
        self.read += len(blocks)
        return [b"\xff" + block[1:] for block in blocks] if self.lies else blocks


@dataclass
class Street:
    """What there is."""

    folder: Path
    dataset: SpooledDataset
    sealed: bytes
    """The sealed file."""
    view: MarketView = field(default_factory=lambda: MarketView(CONFIG, STAKES))
    hosts: list[StreetHost] = field(default_factory=list)
    servers: list[PeerServer] = field(default_factory=list)
    stores: list[SlotStore] = field(default_factory=list)

    @property
    def manifest(self) -> Manifest:
        return self.dataset.manifest

    @property
    def blocks_read(self) -> int:
        """Blocks that hosts sent, all together."""
        return sum(host.read for host in self.hosts)

    def segment(self, number: int) -> bytes:
        """What a segment must be."""
        return self.sealed[number * MIB : (number + 1) * MIB]

    def claim(self, manifest: Manifest) -> None:
        """A stranger's request for the same slots under a manifest of its own making is posted, and filled by their hosts."""
        forged, slots = manifest.to_bytes(), len(manifest.slots)
        request = _request(manifest)
        early = posted(self.view, request, 60)
        for index, store in enumerate(self.stores[:slots]):
            name = SlotName(manifest.digest, index)
            if store.find(name) is None:
                put_all(store, name, forged, self.dataset.block_list(index), list(self.dataset.blocks(index)))
        self.view = early
        for index in range(slots):
            _fill(self, request, index, 70)

    async def gone(self, index: int) -> None:
        """The host of a slot goes away."""
        await self.servers[index].stop()

    @asynccontextmanager
    async def cache(
        self,
        name: str = "cache",
        memory: int = 64 * MIB,
        disk: int = 64 * MIB,
        policy: Admission | None = None,
        patience: float = 1.0,
        upstream: str | None = None,
        market: bool = True,
    ) -> AsyncIterator[tuple[CachingShelf, DiskCache]]:
        """A cache below the street's folder; the same name is the same cache again.

        ``upstream``: URL of a free one; ``market``: whether it knows of one.
        """
        async with PeerClient(MARKET) as peers, CacheClient() as client:
            with DiskCache(self.folder / name, disk) as store:
                hosts = SlotHosts(peers, lambda: self.view if market else None, time.monotonic)
                upstreams = [FreeCache(client, upstream, hosts.reputations)] if upstream else []
                origin = Origin(hosts, store, upstreams, patience=patience)
                shelf = CachingShelf(origin, store, memory, policy or Everything())
                origin.catalogue.learn_kept()
                if market:
                    origin.catalogue.learn(self.view)
                try:
                    yield shelf, store
                finally:
                    await shelf.close()


@asynccontextmanager
async def street(
    folder: Path, size: int = 5 * MIB + 1000, k: int = 2, m: int = 1, key: bytes | None = None
) -> AsyncIterator[Street]:
    """A file of ``size`` bytes in k + m slots, each at a host of its own. Without a key it is public.

    File and slots are made once for all tests of a run; nobody changes them.
    """
    built = folder.parent / f"street-{size}-{k}-{m}-{key is not None}"
    built.mkdir(exist_ok=True)
    (built / "file.bin").write_bytes(random.Random(size).randbytes(size))
    spool = Spool(built / "spool")
    known = [path.name for path in (built / "spool").iterdir()] if (built / "spool").exists() else []
    dataset = spool.find(bytes.fromhex(known[0])) if known else spool.encode(built / "file.bin", k, m, key, PROFILE)
    manifest = dataset.manifest
    sealed = b"".join(block for slot in range(k) for block in dataset.blocks(slot))[: manifest.size]
    found = Street(folder, dataset, sealed)
    request = _request(manifest)
    async with AsyncExitStack() as stack:
        for index in range(k + m):
            await _settle(stack, found, index, built / f"host-{index}")
        found.view = posted(found.view, request, 10)
        for index in range(k + m):
            _fill(found, request, index, 20)
        try:
            yield found
        finally:
            for host in found.hosts:
                host.ends.set()


async def _settle(stack: AsyncExitStack, street: Street, index: int, folder: Path) -> None:
    """A host that holds a slot, and serves it."""
    address = f"0x{index + 1:040x}"
    store = SlotStore(folder, 1 << 30)
    stack.callback(store.close)
    dataset = street.dataset
    name = SlotName(dataset.manifest.digest, index)
    if store.find(name) is None:
        put_all(store, name, dataset.manifest_bytes, dataset.block_list(index), list(dataset.blocks(index)))
    host = StreetHost(address, store, lambda: street.view, Fitting("devnet"))
    server = PeerServer(host, MARKET)
    port = await server.start()
    stack.push_async_callback(server.stop)
    street.stores.append(store)
    street.hosts.append(host)
    street.servers.append(server)
    street.view = street.view.after(
        e.Registered(at=at(1, index), provider=address, id=bytes([index]) * 32, endpoint=f"http://127.0.0.1:{port}")
    )


def _request(manifest: Manifest) -> Request:
    slots, m = len(manifest.slots), manifest.parity_slots
    ask = Ask(1, slots, m, 1, 9_900, manifest.slot_bytes, 10_000, 1, 1)
    return Request(CLIENT, ask, Content(manifest.digest, manifest.dataset_root), 240, os.urandom(32))


def _fill(street: Street, request: Request, index: int, block: int) -> None:
    who = f"0x{index + 1:040x}"
    street.view = street.view.after_all(
        [
            e.SlotReserved(
                at=at(block + index), request_id=request.id, slot_index=index, provider=who, bond=1,
                deadline=START + 1000, reservation_index=0,
            ),
            e.SlotFilled(
                at=at(block + index, 1), request_id=request.id, slot_index=index, host=who, bounty=0, to_client=0
            ),
        ]
    )  # fmt: skip
