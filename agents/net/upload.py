"""Push one slot to the provider that reserved it, picking up wherever an earlier attempt stopped."""

import asyncio
from collections.abc import AsyncIterator, Callable

from agents.core.errors import Corrupt
from agents.net.client import PeerClient
from agents.net.endpoint import Peer
from agents.net.errors import PeerBusy, PeerDown, PeerFault, PeerLied, PeerSlow
from agents.net.host import SlotPlan
from agents.net.messages import UploadStatus

BlocksFrom = Callable[[int], AsyncIterator[bytes]]
"""The slot's blocks from a given index to its end; called again for every attempt."""


async def push_slot(
    client: PeerClient,
    peer: Peer,
    request_id: bytes,
    slot_index: int,
    manifest: bytes,
    block_list: bytes,
    plan: SlotPlan,
    blocks_from: BlocksFrom,
    *,
    on_progress: Callable[[int, int], None] = lambda held, total: None,
    attempts: int = 5,
    pause: float = 1.0,
) -> UploadStatus:
    """Uploads what ``peer`` does not hold yet and cannot make itself; returns its final status, with ``done`` true.

    A cut, slow or busy peer is tried again, ``pause`` seconds later and longer each time; ``attempts`` counts tries in
    a row that brought no block further. ``on_progress(held, total)`` runs as blocks leave. Raises PeerError, or
    Corrupt when our own copy of a block is damaged.
    """
    best, failures = -1, 0
    while True:
        try:
            status = await client.upload_status(peer, request_id, slot_index)
            if status.held > best:
                best, failures = status.held, 0
            if status.done:
                return status
            if not status.manifest:
                await client.put_document(peer, request_id, slot_index, "manifest", manifest)
            if not status.block_list:
                status = await client.put_document(peer, request_id, slot_index, "blocklist", block_list)
            if status.total != plan.uploaded:
                raise PeerLied(peer.endpoint, "counts other blocks", f"{status.total}, not {plan.uploaded}")
            status = await _push_blocks(
                client, peer, request_id, slot_index, plan, status.held, blocks_from, on_progress
            )
            if status.done:
                return status
            raise PeerLied(peer.endpoint, "took every block but does not confirm the slot")
        except (PeerDown, PeerSlow, PeerBusy) as fault:
            failures += 1
            if failures >= attempts:
                raise _given_up(fault, failures) from fault
            await asyncio.sleep(pause * 2 ** (failures - 1))


def _given_up(fault: PeerFault, failures: int) -> PeerFault:
    fault.why = f"{fault.why} (tried {failures} times)" if fault.why else f"tried {failures} times"
    return fault


async def _push_blocks(
    client: PeerClient,
    peer: Peer,
    request_id: bytes,
    slot_index: int,
    plan: SlotPlan,
    start: int,
    blocks_from: BlocksFrom,
    on_progress: Callable[[int, int], None],
) -> UploadStatus:
    total = plan.uploaded
    spoilt: list[Corrupt] = []

    async def checked() -> AsyncIterator[bytes]:
        index = start
        async for block in blocks_from(start):
            if index >= total or not plan.matches(index, block):
                spoilt.append(
                    Corrupt(
                        f"block {index} of slot {slot_index} cannot be sent",
                        "our own copy does not match its digest",
                        "Store the file again",
                    )
                )
                raise spoilt[0]
            yield block
            index += 1
            on_progress(index, total)

    size = (total - start) * plan.block_bytes
    digest = plan.block_list_digest
    try:
        return await client.put_blocks(peer, request_id, slot_index, digest, start, size, checked())
    except Exception:
        if spoilt:
            raise spoilt[0] from None
        raise
