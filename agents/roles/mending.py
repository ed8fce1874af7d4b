"""A damaged slot made whole while it is hosted: from its own disk, else from k other slots, as little of them as will do."""

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing

from agents.core.dataset.erasure import code_across
from agents.core.errors import Corrupt, HoldfastError, PeerError
from agents.core.market.view import MarketView
from agents.net.client import PeerClient
from agents.net.errors import TRY_ANOTHER
from agents.net.fetch import SlotSource, Stripe
from agents.roles.lapses import Rests
from agents.roles.reading import hosts_of, sources_of, stripes_of
from agents.roles.rebuilding import patience
from agents.store.folders import SlotName
from agents.store.mending import SUSPECT, Health, Look, looked_at
from agents.store.slots import SlotStore

log = logging.getLogger(__name__)

SHARE = 9
"""For every second that a slot was looked at unasked, so many pass before the next one is."""


class Mending:
    """Keeps one provider's slots sound. ``me`` is its address."""

    def __init__(self, peers: PeerClient, store: SlotStore, me: str) -> None:
        self._peers = peers
        self._store = store
        self._me = me
        self._busy: defaultdict[SlotName, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._rests: Rests[SlotName] = Rests()
        self._closed = threading.Event()

    def close(self) -> None:
        """End what is under way: nothing is lost by it."""
        self._closed.set()

    def _advance(self, done: int, total: int) -> None:
        # Called by the thread that reads, which nothing else ends.
        if self._closed.is_set():
            raise asyncio.CancelledError

    def due(self, every: float, clock: float, now: int) -> SlotName | None:
        """The slot that was looked at longest ago, if that is more than ``every`` seconds before ``clock``, or a suspect one.

        0 for ``every``: suspect ones alone. Not one that rests at chain time ``now``.
        """
        names = set(self._store.held) - self._rests.resting(now)
        looked = {name: looked_at(slot.path) for name in sorted(names) if (slot := self._store.find(name))}
        oldest = min(looked, key=lambda name: looked[name], default=None)
        since = clock - every if every else SUSPECT + 1
        return oldest if oldest is not None and looked[oldest] < since else None

    async def mend(self, name: SlotName, view: MarketView, now: int) -> Health:
        """Look at every block of a slot and make the damaged ones again. After a failure it rests, by chain time ``now``.

        Raises NotFound, StorageTrouble, DiskFull, and Corrupt where it cannot be mended.
        """
        if name in self._rests.resting(now):
            raise Corrupt(f"Slot {name} is damaged", "it could not be mended a while ago", "It is tried again later.")
        async with self._busy[name]:
            slot = self._store.slot(name)
            try:
                look = await asyncio.to_thread(Look, slot, self._advance)
                found = await asyncio.to_thread(look.mend)
                if found.needed:
                    await self._fetch(look, view)
                    found = await asyncio.to_thread(look.mend)
                if not found.sound:
                    raise Corrupt(f"Slot {name} is damaged", found.trouble or f"{found.left} of its blocks are lost")
            except HoldfastError as error:
                rest = self._rests.failed(name, now)
                log.error("slot %s cannot be mended and will be lost: %s; tried again in %d s", name, error, rest)
                raise
        self._rests.succeeded(name)
        if found.damaged:
            log.warning("slot %s was damaged on disk: %d of %d blocks made again", name, found.mended, found.blocks)
        else:
            log.info("slot %s is sound: %d blocks looked at", name, found.blocks)
        return found

    async def _fetch(self, look: Look, view: MarketView) -> None:
        """Get the blocks that must come from elsewhere. Raises PeerError, Corrupt, StorageTrouble."""
        name, manifest = look.slot.name, look.slot.manifest
        hosts = hosts_of(view, name.manifest, (self._me,))
        allowed = patience(manifest)
        try:
            async with asyncio.timeout(allowed):
                sources = await sources_of(self._peers, hosts, manifest)
                for start, stop in _runs(look.needed):
                    await _fetch_run(look, sources, start, stop)
        except TimeoutError as error:
            raise PeerError(
                f"Slot {name.index} cannot be mended in time", f"its hosts took more than {allowed:.0f} s", TRY_ANOTHER
            ) from error
        log.warning("slot %s: %d blocks of it came from other hosts", name, look.health.needed)


async def _fetch_run(look: Look, sources: Sequence[SlotSource], start: int, stop: int) -> None:
    """Blocks ``start`` to ``stop`` - 1, each decoded from those that others have in its place."""
    slot, place = look.slot, start
    code = code_across(slot.manifest)

    def keep(stripe: Stripe) -> None:
        (block,) = code.rebuild(dict(stripe), [slot.name.index])
        look.put_back(place, block)

    async with aclosing(stripes_of(sources, slot.manifest, start, stop)) as stripes:
        async for stripe in stripes:
            await asyncio.to_thread(keep, stripe)
            place += 1


def _runs(blocks: Sequence[int]) -> list[tuple[int, int]]:
    """``blocks``, ascending, as spans (first, one after the last)."""
    spans: list[tuple[int, int]] = []
    for block in blocks:
        if spans and spans[-1][1] == block:
            spans[-1] = (spans[-1][0], block + 1)
        else:
            spans.append((block, block + 1))
    return spans
