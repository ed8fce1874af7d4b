"""Any k slots of a dataset from the hosts that hold them, stripe by stripe."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest, parse_block_list, parse_manifest
from agents.core.errors import NotFound
from agents.core.market.types import SlotState
from agents.core.market.view import MarketView
from agents.net.client import PeerClient
from agents.net.endpoint import Peer
from agents.net.fetch import PeerSlot, Stripe, fetch_any_k

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HostedSlot:
    """Who says it hosts a slot."""

    index: int
    peer: Peer


def hosts_of(view: MarketView, manifest: bytes, but: Sequence[str] = ()) -> list[HostedSlot]:
    """The hosts of a dataset's slots, of every request for it."""
    found: dict[int, HostedSlot] = {}
    for request in view.requests.values():
        if request.content.cid != manifest:
            continue
        for index, slot in enumerate(request.slots):
            known = view.providers.get(slot.host or "")
            if slot.state is SlotState.FILLED and known is not None and known.address not in but:
                found.setdefault(index, HostedSlot(index, Peer(known.endpoint, known.address)))
    return [found[index] for index in sorted(found)]


async def fetch_manifest(client: PeerClient, hosts: Sequence[HostedSlot], digest: bytes) -> Manifest:
    """The manifest from the first host that has it. Raises NotFound."""
    faults: list[Exception] = []
    for host in hosts:
        try:
            return parse_manifest(await client.fetch_manifest(host.peer, digest))
        except Exception as fault:  # whatever one host's endpoint or answer brings about, the next is asked
            log.info("no manifest from %s: %s", host.peer.endpoint, fault)
            faults.append(fault)
    why = "; ".join(str(fault) for fault in faults) or "no slot of it is hosted"
    raise NotFound("Nobody has the file's manifest", why, "Check the capability, or try again later.")


async def sources_of(client: PeerClient, hosts: Sequence[HostedSlot], manifest: Manifest) -> list[PeerSlot]:
    """The slots whose hosts have their block lists."""

    async def source(host: HostedSlot) -> PeerSlot | None:
        try:
            entry = manifest.slots[host.index]
            data = await client.fetch_block_list(host.peer, manifest.digest, host.index, entry.blocks)
            digests = parse_block_list(data, entry, manifest.blocks_per_slot)
        except Exception as fault:  # as above
            log.info("no block list of slot %d from %s: %s", host.index, host.peer.endpoint, fault)
            return None
        return PeerSlot(client, host.peer, manifest.digest, host.index, digests, BLOCK_BYTES)

    found = await asyncio.gather(*(source(host) for host in hosts))
    return [slot for slot in found if slot is not None]


async def stripes_of(
    sources: Sequence[PeerSlot], manifest: Manifest, start: int = 0, stop: int | None = None
) -> AsyncGenerator[Stripe, None]:
    """Stripes ``start`` to ``stop`` (all), each of any k blocks by slot index. Raises TooFewPeers."""
    count = manifest.blocks_per_slot if stop is None else stop
    fetching = fetch_any_k(sources, manifest.data_slots, count, BLOCK_BYTES, start=start)
    async with aclosing(fetching) as running:
        async for stripe in running:
            yield stripe


async def stripes(
    client: PeerClient, hosts: Sequence[HostedSlot], manifest: Manifest, start: int = 0
) -> AsyncIterator[Stripe]:
    """Stripes from ``start``, each of any k blocks by slot index. Raises TooFewPeers."""
    async with aclosing(stripes_of(await sources_of(client, hosts, manifest), manifest, start)) as running:
        async for stripe in running:
            yield stripe
