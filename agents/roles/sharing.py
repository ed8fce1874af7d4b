"""Repair shared among providers: before k slots are fetched, those are asked who may have rebuilt the lost one already.

Nobody is taken at their word. What is offered is checked block by block and by its root; who is at it for too long, or says
so for ever, is not waited for; who is ahead but does nothing costs a few seconds. Then the slot is rebuilt without them.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from agents.core.agents.provider_duties import Rebuild
from agents.core.agents.provider_repair import partners
from agents.core.dataset.cid import DIGEST_BYTES
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest, block_list, parse_block_list
from agents.core.market.view import MarketView, SlotView
from agents.net.client import PeerClient
from agents.net.endpoint import Peer
from agents.net.errors import EndpointInvalid, PeerBusy, PeerDown, PeerSlow
from agents.net.fetch import PeerSlot
from agents.store.folders import ArrivingSlot

log = logging.getLogger(__name__)

ANSWER = 3.0
"""Seconds in which a provider must say whether it has a slot, beyond those that the slot's block list takes."""
HEAD_START = 5.0
"""Seconds each provider ahead has to begin: its own look at those before it, and the time until this one asks again."""
LOOK = 1.0
"""Seconds between two looks."""
WAITING = 20.0
"""Seconds somebody else may take to rebuild a slot and reserve it, however small."""
WAIT_RATE = 4 << 20
"""Bytes of the slot a second beyond them."""
RATE = 1 << 20
"""Bytes a second at which a slot must come from whoever has it to spare."""
START = 5.0
"""Seconds beyond, for each part of it."""
PART = 64
"""Blocks of a part."""


@dataclass(frozen=True)
class Answers:
    """What providers said: who offers the slot, how many make it now, and how many of them are there at all."""

    offers: list[PeerSlot]
    making: int
    there: int


@dataclass(frozen=True)
class Asking:
    """One provider's question for one lost slot."""

    peers: PeerClient
    me: str
    duty: Rebuild
    newest: Callable[[], MarketView]
    """The market as it is by now."""

    async def offers(self, manifest: Manifest, others: Sequence[Peer] = ()) -> list[PeerSlot] | None:
        """Where the finished slot is to be had, the best first; [] when it is to be rebuilt here, None when it is not wanted.

        Returns once nobody who may be at it is worth waiting for. ``others`` are known to host the slot.
        """
        started = time.monotonic()
        limit = WAITING + manifest.slot_bytes / WAIT_RATE
        wanted = self._slot(self.newest())
        while wanted is not None and self._slot(view := self.newest()) == wanted:
            sure = [*others, *self._peers(view, partners(view.requests[self.duty.request], self.me))]
            ahead = [peer for peer in self._peers(view, self.duty.ahead) if peer not in sure]
            told, before = await asyncio.gather(self._ask(sure, manifest), self._ask(ahead, manifest))
            if told.offers:
                return [*told.offers, *before.offers]
            waited = time.monotonic() - started
            # Whoever is ahead and has it whole is about to reserve a slot: which one is seen in the next blocks.
            others_at_it = told.making or before.making or before.offers
            if not others_at_it and waited >= HEAD_START * before.there:
                return []
            if waited >= limit:
                return before.offers
            await asyncio.sleep(LOOK)
        return None

    def _slot(self, view: MarketView) -> SlotView | None:
        """The slot, as long as it can be repaired: it changes once somebody else has reserved it."""
        request = view.requests.get(self.duty.request)
        return request.slots[self.duty.index] if request is not None and not request.failed_at else None

    def _peers(self, view: MarketView, addresses: Sequence[str]) -> list[Peer]:
        known = (view.providers[address] for address in addresses if address in view.providers)
        return [Peer(who.endpoint, who.address) for who in known]

    async def _ask(self, peers: Sequence[Peer], manifest: Manifest) -> Answers:
        entry, count = manifest.slots[self.duty.index], manifest.blocks_per_slot
        limit = ANSWER + count * DIGEST_BYTES / RATE

        async def one(peer: Peer) -> PeerSlot | Exception:
            try:
                async with asyncio.timeout(limit):
                    data = await self.peers.fetch_block_list(peer, manifest.digest, self.duty.index, entry.blocks)
                listed = parse_block_list(data, entry, count)
            except Exception as fault:  # whatever one provider's endpoint or answer brings about, there are others
                return fault
            return PeerSlot(self.peers, peer, manifest.digest, self.duty.index, listed, BLOCK_BYTES)

        found = await asyncio.gather(*(one(peer) for peer in peers))
        return Answers(
            offers=[answer for answer in found if isinstance(answer, PeerSlot)],
            making=sum(isinstance(answer, PeerBusy) for answer in found),
            there=sum(not isinstance(answer, PeerDown | EndpointInvalid) for answer in found),
        )


Blocks = Callable[[int, int], AsyncGenerator[bytes, None]]
"""So many verified blocks from one on, as PeerSlot.blocks gives them."""


async def take(offer: PeerSlot, blocks_of: Blocks, arriving: ArrivingSlot) -> None:
    """The data blocks of ``offer`` that are missing in ``arriving``; ``blocks_of`` is how to get them.

    Raises PeerError for wrong bytes, and for those that come too slowly; Corrupt, DiskFull, StorageTrouble.
    """
    if not arriving.has_blocks:
        await asyncio.to_thread(arriving.put_blocks, block_list(offer.digests))
    held, count = await asyncio.to_thread(lambda: arriving.held), arriving.manifest.data_blocks
    for start in range(held, count, PART):
        part = min(PART, count - start)
        try:
            async with asyncio.timeout(START + part * BLOCK_BYTES / RATE):
                async with aclosing(blocks_of(start, part)) as blocks:
                    place = start
                    async for block in blocks:
                        await asyncio.to_thread(arriving.put_block, place, block)
                        place += 1
        except TimeoutError as error:
            raise PeerSlow(
                offer.peer.endpoint, "is too slow", f"it offers a slot and gave {place - start} blocks"
            ) from error
