"""A lost slot back from any k others, straight to its place on disk."""

import asyncio
from collections.abc import Callable

from agents.core.dataset.cid import digest_of
from agents.core.dataset.erasure import rebuild
from agents.core.dataset.manifest import Manifest, block_list, check_bought
from agents.core.errors import Corrupt, PeerError
from agents.core.market.view import MarketView
from agents.net.client import PeerClient
from agents.net.errors import TRY_ANOTHER
from agents.net.fetch import Stripe
from agents.roles.reading import HostedSlot, fetch_manifest, hosts_of, stripes
from agents.store.slots import ArrivingSlot, SlotName, SlotStore

GRACE = 60.0
"""Seconds a rebuilding may take however small the slot."""
RATE = 256 << 10
"""Bytes of the slot a second beyond them: who cannot have it at this rate leaves it to others."""


def patience(manifest: Manifest) -> float:
    """Seconds in which a slot must come: meanwhile somebody else may fill it, or its request may end."""
    return GRACE + manifest.slot_bytes / RATE


async def rebuild_slot(
    peers: PeerClient, store: SlotStore, view: MarketView, request_id: bytes, index: int, profile: str
) -> int:
    """Hold slot ``index`` of a request, its root checked; how many hosts were asked. What fails leaves nothing on disk.

    ``profile`` is the market's. Raises NotFound, PeerError, ManifestInvalid, Corrupt, QuotaExceeded, DiskFull, StorageTrouble.
    """
    request = view.requests[request_id]
    hosts = hosts_of(view, request.content.cid)
    manifest = await fetch_manifest(peers, hosts, request.content.cid)
    check_bought(manifest, request.ask, request.content, profile)
    name = SlotName(manifest.digest, index)
    arriving = await asyncio.to_thread(store.begin, name, manifest.to_bytes())
    allowed = patience(manifest)
    try:
        async with asyncio.timeout(allowed) as deadline:
            await _receive(peers, hosts, manifest, arriving)
        await asyncio.to_thread(store.commit, name)
    except Exception as error:
        if store.find(name) is None:
            await asyncio.to_thread(store.drop, name)  # its quota is for others
        if isinstance(error, TimeoutError) and deadline.expired():
            raise PeerError(
                f"Slot {index} cannot be rebuilt in time", f"its hosts took more than {allowed:.0f} s", TRY_ANOTHER
            ) from error
        raise
    return len({host.peer for host in hosts if host.fits(manifest)})


async def _receive(peers: PeerClient, hosts: list[HostedSlot], manifest: Manifest, arriving: ArrivingSlot) -> None:
    """All blocks of the slot, and their list, which is gone with the host that had it unless it came here before."""
    index, listed = arriving.name.index, arriving.has_blocks
    held = await asyncio.to_thread(lambda: arriving.held)
    put: Callable[[int, bytes], None] = arriving.put_block if listed else arriving.put_unlisted

    def keep(place: int, stripe: Stripe) -> bytes:
        (block,) = rebuild(dict(stripe), manifest.data_slots, manifest.parity_slots, [index])
        put(place, block)
        return digest_of(block)

    digests: list[bytes] = []
    async for stripe in stripes(peers, hosts, manifest, held):
        digests.append(await asyncio.to_thread(keep, held + len(digests), stripe))
    if listed:
        return
    blocks = block_list(digests)
    if digest_of(blocks) != manifest.slots[index].blocks:
        raise Corrupt(f"Slot {index} cannot be rebuilt", "the hosts' blocks do not make it")
    await asyncio.to_thread(arriving.put_blocks, blocks)
