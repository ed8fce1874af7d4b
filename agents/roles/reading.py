"""Any k slots of a dataset from the hosts that hold them, stripe by stripe."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest, parse_block_list, parse_manifest
from agents.core.errors import HoldfastError, NotFound
from agents.core.market.types import SlotState
from agents.core.market.view import MarketView
from agents.net.client import PeerClient
from agents.net.endpoint import Peer
from agents.net.fetch import PeerSlot, Stripe, fetch_any_k


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
    faults: list[HoldfastError] = []
    for host in hosts:
        try:
            return parse_manifest(await client.fetch_manifest(host.peer, digest))
        except HoldfastError as fault:
            faults.append(fault)
    why = "; ".join(str(fault) for fault in faults) or "no slot of it is hosted"
    raise NotFound("Nobody has the file's manifest", why, "Check the capability, or try again later.")


async def stripes(
    client: PeerClient, hosts: Sequence[HostedSlot], manifest: Manifest, start: int = 0
) -> AsyncIterator[Stripe]:
    """Stripes from ``start``, each of any k blocks by slot index. Raises TooFewPeers."""

    async def source(host: HostedSlot) -> PeerSlot | None:
        try:
            entry = manifest.slots[host.index]
            data = await client.fetch_block_list(host.peer, manifest.digest, host.index, entry.blocks)
            digests = parse_block_list(data, entry, manifest.blocks_per_slot)
        except HoldfastError:
            return None
        return PeerSlot(client, host.peer, manifest.digest, host.index, digests, BLOCK_BYTES)

    found = await asyncio.gather(*(source(host) for host in hosts))
    sources = [slot for slot in found if slot is not None]

    fetching = fetch_any_k(sources, manifest.data_slots, manifest.blocks_per_slot, BLOCK_BYTES, start=start)
    async with aclosing(fetching) as running:
        async for stripe in running:
            yield stripe
