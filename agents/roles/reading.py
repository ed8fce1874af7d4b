"""Any k slots of a dataset from the hosts that hold them, stripe by stripe."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest, check_bought, parse_block_list, parse_manifest
from agents.core.errors import ManifestInvalid, NotFound
from agents.core.market.types import Ask, Content, SlotState
from agents.core.market.view import MarketView
from agents.net.client import PeerClient
from agents.net.endpoint import Peer
from agents.net.fetch import PeerSlot, ReplicatedSlot, SlotSource, Stripe, fetch_any_k

log = logging.getLogger(__name__)


STAGGER = 2.0
"""Seconds a host may take before others are asked for the same document as well."""
AT_ONCE = 16
"""Hosts asked for the same document at the same time."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class HostedSlot:
    """Who says it hosts a slot, and what the request pays for of which it is a slot."""

    index: int
    peer: Peer
    ask: Ask
    content: Content

    def fits(self, manifest: Manifest) -> bool:
        """Whether it can be a slot of this dataset: anybody may post a request that names the CID and lies."""
        try:
            check_bought(manifest, self.ask, self.content, manifest.profile)
        except ManifestInvalid:
            return False
        return True


def hosts_of(view: MarketView, manifest: bytes, but: Sequence[str] = ()) -> list[HostedSlot]:
    """Every host of every slot of every request that names this dataset, by slot; some requests may lie."""
    found: list[HostedSlot] = []
    for request in view.requests.values():
        if request.content.cid != manifest:
            continue
        for index, slot in enumerate(request.slots):
            known = view.providers.get(slot.host or "")
            if slot.state is SlotState.FILLED and known is not None and known.address not in but:
                peer = Peer(known.endpoint, known.address)
                found.append(HostedSlot(index, peer, request.ask, request.content))
    return sorted(found, key=lambda host: host.index)


async def fetch_manifest(client: PeerClient, hosts: Sequence[HostedSlot], digest: bytes) -> Manifest:
    """The manifest from the first host that gives it. Raises NotFound."""

    async def manifest(peer: Peer) -> Manifest:
        return parse_manifest(await client.fetch_manifest(peer, digest))

    faults: list[str] = []
    found = await _first([host.peer for host in hosts], manifest, faults)
    if found is None:
        why = "; ".join(faults) or "no slot of it is hosted"
        raise NotFound("Nobody has the file's manifest", why, "Check the capability, or try again later.")
    return found[1]


@dataclass(frozen=True)
class Listed:
    """A slot's block list and who gave it."""

    peer: Peer
    data: bytes
    digests: list[bytes]


async def fetch_block_list(
    client: PeerClient, peers: Sequence[Peer], manifest: Manifest, index: int, faults: list[str]
) -> Listed | None:
    """The block list of a slot from the first of ``peers`` that gives it; ``faults`` takes what became of the others."""
    entry = manifest.slots[index]

    async def listed(peer: Peer) -> Listed:
        data = await client.fetch_block_list(peer, manifest.digest, index, entry.blocks)
        return Listed(peer, data, parse_block_list(data, entry, manifest.blocks_per_slot))

    found = await _first(peers, listed, faults)
    return None if found is None else found[1]


async def sources_of(client: PeerClient, hosts: Sequence[HostedSlot], manifest: Manifest) -> list[ReplicatedSlot]:
    """The slots of which some host has the block list; whoever gave it is read first, then the slot's other hosts."""

    async def source(index: int) -> ReplicatedSlot | None:
        peers = [host.peer for host in fitting if host.index == index]
        listed = await fetch_block_list(client, peers, manifest, index, [])
        if listed is None:
            return None
        order = dict.fromkeys([listed.peer, *peers])
        return ReplicatedSlot(
            [PeerSlot(client, peer, manifest.digest, index, listed.digests, BLOCK_BYTES) for peer in order]
        )

    fitting = [host for host in hosts if host.fits(manifest)]
    found = await asyncio.gather(*(source(index) for index in sorted({host.index for host in fitting})))
    return [slot for slot in found if slot is not None]


async def _first(
    peers: Sequence[Peer], ask: Callable[[Peer], Coroutine[Any, Any, Answer]], faults: list[str]
) -> tuple[Peer, Answer] | None:
    """The first good answer and who gave it; ``faults`` takes what became of the others.

    A peer is asked when those before it failed. While they only keep silent, twice as many are asked every STAGGER:
    neither one silent host nor many hold up the others.
    """
    waiting = list(dict.fromkeys(peers))
    running: dict[asyncio.Task[Answer], Peer] = {}
    try:
        wanted = 1
        while waiting or running:
            while waiting and len(running) < wanted:
                peer = waiting.pop(0)
                running[asyncio.create_task(ask(peer))] = peer
            timeout = STAGGER if waiting and wanted < AT_ONCE else None
            ended, _ = await asyncio.wait(running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if not ended:
                wanted = min(2 * wanted, AT_ONCE)
            for task in ended:
                peer = running.pop(task)
                try:
                    return peer, task.result()
                except Exception as fault:  # whatever one host's endpoint or answer brings about, others are asked
                    log.info("%s does not help: %s", peer.endpoint, fault)
                    faults.append(str(fault))
        return None
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def stripes_of(
    sources: Sequence[SlotSource], manifest: Manifest, start: int = 0, stop: int | None = None
) -> AsyncGenerator[Stripe, None]:
    """Stripes ``start`` to ``stop`` (all) of the data blocks, each of any k by slot index. Raises TooFewPeers."""
    count = manifest.data_blocks if stop is None else stop
    fetching = fetch_any_k(sources, manifest.data_slots, count, BLOCK_BYTES, start=start)
    async with aclosing(fetching) as running:
        async for stripe in running:
            yield stripe
