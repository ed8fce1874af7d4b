"""Lost slots back, straight to their places on disk: from who has them to spare, or from any k others."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from agents.core.agents.provider_duties import Rebuild
from agents.core.agents.provider_repair import Repaired
from agents.core.dataset.cid import digest_of
from agents.core.dataset.erasure import code_across
from agents.core.dataset.manifest import Manifest, block_list, check_bought
from agents.core.errors import BadData, Corrupt, PeerError, QuotaExceeded, StorageTrouble
from agents.core.market.view import MarketView
from agents.net.client import PeerClient
from agents.net.errors import TRY_ANOTHER
from agents.net.fetch import PeerSlot, SlotSource, Stripe
from agents.roles.reading import HostedSlot, fetch_manifest, hosts_of, sources_of, stripes_of
from agents.roles.sharing import Asking, take
from agents.store.folders import ArrivingSlot, SlotName
from agents.store.slots import SlotStore

log = logging.getLogger(__name__)

GRACE = 60.0
"""Seconds a rebuilding may take however small the slot."""
RATE = 256 << 10
"""Bytes of the slot a second beyond them: who cannot have it at this rate leaves it to others."""


def patience(manifest: Manifest) -> float:
    """Seconds in which a slot must come: meanwhile somebody else may fill it, or its request may end."""
    return GRACE + manifest.slot_bytes / RATE


class Tally:
    """Counts what is fetched."""

    def __init__(self) -> None:
        self.bytes = 0

    def of(self, source: SlotSource) -> "Tallied":
        """``source``, counted."""
        return Tallied(source, self)


@dataclass(frozen=True)
class Tallied:
    """A source whose blocks are counted."""

    source: SlotSource
    tally: Tally

    @property
    def slot_index(self) -> int:
        """Which slot."""
        return self.source.slot_index

    async def blocks(self, start: int, count: int) -> AsyncGenerator[bytes, None]:
        """Verified blocks; raises PeerError."""
        async for block in self.source.blocks(start, count):
            self.tally.bytes += len(block)
            yield block


class Repairs:
    """Gets lost slots back into one provider's store. ``profile`` is the market's."""

    def __init__(self, peers: PeerClient, store: SlotStore, me: str, profile: str) -> None:
        self._peers = peers
        self._store = store
        self._me = me
        self._profile = profile

    async def carry_out(self, duty: Rebuild, newest: Callable[[], MarketView]) -> Repaired | None:
        """Hold the slot, its root checked, and its spares as far as they can be made; None where others were first.

        ``newest`` gives the market as it is. What fails leaves nothing on disk.
        Raises NotFound, PeerError, ManifestInvalid, Corrupt, QuotaExceeded, DiskFull, StorageTrouble.
        """
        view = newest()
        request = view.requests.get(duty.request)
        if request is None:  # the chain went back
            return None
        hosts = hosts_of(view, request.content.cid)
        manifest = await fetch_manifest(self._peers, hosts, request.content.cid)
        check_bought(manifest, request.ask, request.content, self._profile)
        same = [host.peer for host in hosts if host.index == duty.index and host.fits(manifest)]
        offers = await Asking(self._peers, self._me, duty, newest).offers(manifest, same)
        if offers is None:
            return None
        arriving = await asyncio.to_thread(self._begin, manifest, duty.index)
        allowed, tally, spares = patience(manifest), Tally(), list[_Making]()
        try:
            async with asyncio.timeout(allowed) as deadline:
                source = await self._take(offers, arriving, tally)
                if source is None:
                    main, *spares = await asyncio.to_thread(self._making, arriving, duty.spares)
                    await self._rebuild(hosts, manifest, main, spares, tally)
            await asyncio.to_thread(self._store.commit, arriving.name)
        except Exception as error:
            for each in (arriving, *(spare.arriving for spare in spares)):
                await asyncio.to_thread(self._give_up, each.name)
            if isinstance(error, TimeoutError) and deadline.expired():
                raise PeerError(
                    f"Slot {duty.index} cannot be rebuilt in time", f"its hosts took more than {allowed:.0f} s", TRY_ANOTHER
                ) from error  # fmt: skip
            raise
        made = [each.index for each in spares if await asyncio.to_thread(self._finish, each)]
        return Repaired(duty.index, tally.bytes, source, tuple(made))

    def _begin(self, manifest: Manifest, index: int) -> ArrivingSlot:
        return self._store.begin(SlotName(manifest.digest, index), manifest.to_bytes())

    def _give_up(self, name: SlotName) -> None:
        """Its quota is for others."""
        if self._store.find(name) is None:
            self._store.drop(name)

    async def _take(self, offers: Sequence[PeerSlot], arriving: ArrivingSlot, tally: Tally) -> str | None:
        """Have the slot from one who has it to spare; who that was."""
        for offer in offers:
            try:
                await take(offer, tally.of(offer).blocks, arriving)
                return offer.peer.address
            except PeerError as fault:
                log.warning("slot %d is not had from whoever offers it: %s", arriving.name.index, fault)
        return None

    def _making(self, arriving: ArrivingSlot, spares: Sequence[int]) -> list["_Making"]:
        """The slot, and the spares there is room for; none where going on with the slot is cheaper than beginning anew."""
        found = [_Making(arriving)]
        manifest = arriving.manifest
        if 2 * found[0].held > manifest.data_blocks:
            return found
        for index in spares:
            if self._store.find(SlotName(manifest.digest, index)) is not None:
                continue
            try:
                found.append(_Making(self._begin(manifest, index)))
            except (QuotaExceeded, StorageTrouble) as error:
                log.info("slot %d is not made for others: %s", index, error)
        return found

    async def _rebuild(
        self, hosts: Sequence[HostedSlot], manifest: Manifest, main: "_Making", spares: list["_Making"], tally: Tally
    ) -> None:
        """Every block of all of them, each stripe fetched and decoded once. A spare that fails is given up alone."""
        code = code_across(manifest)
        place = 0 if spares else main.held

        def keep(stripe: Stripe) -> None:
            block, *others = code.rebuild(dict(stripe), [main.index, *(spare.index for spare in spares)])
            main.put(place, block)
            for spare, other in zip(list(spares), others, strict=True):
                try:
                    spare.put(place, other)
                except (BadData, StorageTrouble) as error:
                    log.warning("slot %d is not made for others: %s", spare.index, error)
                    spares.remove(spare)
                    self._give_up(spare.arriving.name)

        sources = [tally.of(source) for source in await sources_of(self._peers, hosts, manifest)]
        async with aclosing(stripes_of(sources, manifest, place)) as stripes:
            async for stripe in stripes:
                await asyncio.to_thread(keep, stripe)
                place += 1
        await asyncio.to_thread(main.list_blocks)

    def _finish(self, spare: "_Making") -> bool:
        """Hold it for others, if its root is right."""
        try:
            spare.list_blocks()
            self._store.commit(spare.arriving.name)
        except (BadData, StorageTrouble) as error:
            log.warning("slot %d is not kept for others: %s", spare.index, error)
            self._give_up(spare.arriving.name)
            return False
        return True


class _Making:
    """A slot whose data blocks come in order. Its block list is gone with the host that had it, unless it came before."""

    def __init__(self, arriving: ArrivingSlot) -> None:
        self.arriving = arriving
        self.index = arriving.name.index
        self.held = arriving.held
        """Blocks that are here already, from the first on: none without a list."""
        self._listed = arriving.has_blocks
        self._digests: list[bytes] = []

    def put(self, place: int, block: bytes) -> None:
        """Keep block ``place``. Raises Corrupt, DiskFull, StorageTrouble."""
        if not self._listed:
            self.arriving.put_unlisted(place, block)
            self._digests.append(digest_of(block))
        elif place >= self.held:
            self.arriving.put_block(place, block)

    def list_blocks(self) -> None:
        """All data blocks are put: with their parity they must be those of the manifest.

        Raises Corrupt, DiskFull, StorageTrouble.
        """
        if self._listed:
            return
        listed = block_list([*self._digests, *self.arriving.make_parity()])
        if digest_of(listed) != self.arriving.manifest.slots[self.index].blocks:
            raise Corrupt(f"Slot {self.index} cannot be rebuilt", "the hosts' blocks do not make it")
        self.arriving.put_blocks(listed)
