"""The client: posts a request and pushes each slot to whoever reserves it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.errors import Refused
from agents.core.market.types import Request, SlotState
from agents.core.market.view import MarketView, RequestView
from agents.net.client import PeerClient
from agents.net.endpoint import Peer
from agents.net.host import SlotPlan
from agents.net.upload import push_slot
from agents.roles.actor import Actor, Tasks, check_funds
from agents.roles.drill import reached
from agents.store.spool import SpooledDataset

log = logging.getLogger(__name__)

Advance = Callable[[str, int, int], None]


class Client:
    """Runs a client's part of one market."""

    def __init__(self, actor: Actor, peers: PeerClient) -> None:
        self._actor = actor
        self._peers = peers
        self._tasks = Tasks()

    async def check_funds(self, price: int) -> None:
        """Raises NotEnoughTokens where the account cannot pay ``price``."""
        cost = ("the request", "store for a shorter time")
        await check_funds(self._actor.token, self._actor.address, price, *cost)

    async def post(self, request: Request) -> None:
        """Pay for ``request`` and post it; once, however often it is called. Raises NotEnoughTokens, NotEnoughGas, Refused."""
        reached("encoded")
        price, key = request.ask.price, request.id.hex()
        # A request under way takes its price from the allowance and the balance at any moment: neither can be asked then.
        posted = f"post:{key}" in self._actor.sender.pending() or await self._exists(request)
        if not posted:
            await self._actor.allow(price, key)
        await self._actor.sender.send(self._actor.market.request_storage(request), f"post:{key}")
        reached("posted")

    async def _exists(self, request: Request) -> bool:
        try:
            await self._actor.market.request_of(request.id)
        except Refused:
            return False
        return True

    def upload(self, view: MarketView, request: RequestView, dataset: SpooledDataset, advance: Advance) -> None:
        """Push every reserved slot to its reserver; each once at a time."""
        for index, slot in enumerate(request.slots):
            provider = view.providers.get(slot.host or "")
            if slot.state is SlotState.RESERVED and provider is not None and not slot.vacated_at:
                peer = Peer(provider.endpoint, provider.address)
                key = f"push:{index}:{provider.address}:{slot.held_until}"
                self._tasks.start(key, self._push(peer, request.id, index, dataset, advance))

    async def _push(self, peer: Peer, request: bytes, index: int, dataset: SpooledDataset, advance: Advance) -> None:
        manifest, digests = dataset.manifest, dataset.digests(index)
        plan = SlotPlan(manifest.slots[index].blocks, digests, BLOCK_BYTES, made=manifest.parity_blocks)

        async def blocks(start: int) -> AsyncIterator[bytes]:
            for block in dataset.blocks(index, start):
                yield block

        def progress(held: int, total: int) -> None:
            advance(f"uploading slot {index}", held, total)

        log.info("sending slot %d to %s", index, peer.address)
        await push_slot(
            self._peers, peer, request, index, dataset.manifest_bytes, dataset.block_list(index), plan, blocks,
            on_progress=progress,
        )  # fmt: skip
        reached("pushed")
        await asyncio.sleep(1)  # the fill is on its way; until it is seen there is nothing to push again

    async def close(self) -> None:
        """Stop uploads under way."""
        await self._tasks.close()
