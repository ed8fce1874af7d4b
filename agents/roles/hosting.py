"""A provider towards its peers: takes the slots it reserved, serves the slots it holds."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from agents.core.agents.provider_repair import may_repair
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.errors import Corrupt, NotFound
from agents.core.market.types import SlotState
from agents.core.market.view import MarketView, RequestView
from agents.net.host import Denied, Later, SlotPlan
from agents.roles.drill import reached
from agents.roles.fitting import Fitting
from agents.store.files import storage_errors
from agents.store.folders import ArrivingSlot, HeldSlot, SlotFolder, SlotName
from agents.store.mending import suspect
from agents.store.slots import SlotStore

log = logging.getLogger(__name__)

CACHED_BLOCKS = 1 << 18
"""Blocks whose digests are kept at hand: 16 GiB of slots, 20 MiB of memory."""


class Hosting:
    """The callbacks of a peer server (agents/net/host.py) over a slot store and the market's view."""

    def __init__(self, address: str, store: SlotStore, view: Callable[[], MarketView], fitting: Fitting) -> None:
        self._address = address
        self._store = store
        self._view = view
        self._fitting = fitting
        self._plans = PlanCache()

    @property
    def address(self) -> str:
        """The provider's address."""
        return self._address

    def _request(self, request_id: bytes) -> RequestView:
        request = self._view().requests.get(request_id)
        if request is None:
            raise NotFound("The request is not known here", "", "Wait for the next block and try again.")
        return request

    def _name(self, request_id: bytes, slot_index: int) -> SlotName:
        return SlotName(self._request(request_id).content.cid, slot_index)

    def _arriving(self, request_id: bytes, slot_index: int) -> ArrivingSlot | None:
        name = self._name(request_id, slot_index)
        return self._store.begin(name, b"") if name in self._store.arriving else None

    def _folder(self, request_id: bytes, slot_index: int) -> SlotFolder | None:
        return self._store.find(self._name(request_id, slot_index)) or self._arriving(request_id, slot_index)

    # --- uploads ---

    async def admit_upload(self, signer: str, request_id: bytes, slot_index: int) -> None:
        """Only the request's client, and only for a slot this provider has reserved."""
        request = self._view().requests.get(request_id)
        if request is None or slot_index >= len(request.slots):
            raise Denied("The request is not known here", "", "Wait for the next block and try again.")
        slot = request.slots[slot_index]
        if request.client != signer:
            raise Denied("Only the request's client may upload", f"it is {request.client}")
        if slot.host != self._address or slot.state is not SlotState.RESERVED:
            raise Denied("This provider has not reserved that slot", "", "Upload to the provider that has.")
        # Another request for the same content may have brought the manifest, and this one lie about it.
        here = self._folder(request_id, slot_index)
        if here is not None:
            self._fitting.check(request, here)

    async def put_manifest(self, request_id: bytes, slot_index: int, manifest: bytes) -> None:
        """Keep the manifest whose digest the request names, if slots of it can be proven for that request."""
        request, name = self._request(request_id), self._name(request_id, slot_index)
        self._fitting.check_offered(request, manifest)
        if self._store.find(name) is None:
            await asyncio.to_thread(self._store.begin, name, manifest)

    async def put_block_list(self, request_id: bytes, slot_index: int, block_list: bytes) -> None:
        """Keep the block list whose digest the manifest names."""
        arriving = self._arriving(request_id, slot_index)
        if arriving is not None:
            await asyncio.to_thread(arriving.put_blocks, block_list)

    async def has_manifest(self, request_id: bytes, slot_index: int) -> bool:
        """Whether the manifest is held."""
        return self._folder(request_id, slot_index) is not None

    async def upload_plan(self, request_id: bytes, slot_index: int) -> SlotPlan | None:
        """The slot's blocks."""
        folder = self._folder(request_id, slot_index)
        return _plan(folder) if folder is not None and folder.has_blocks else None

    async def blocks_held(self, request_id: bytes, slot_index: int) -> int:
        """Blocks to be uploaded that are here, from the first on."""
        held = self._store.find(self._name(request_id, slot_index))
        if held is not None:
            return held.manifest.data_blocks
        arriving = self._arriving(request_id, slot_index)
        return await asyncio.to_thread(lambda: arriving.held) if arriving is not None else 0

    async def put_block(self, request_id: bytes, slot_index: int, index: int, block: bytes) -> None:
        """Keep a block."""
        arriving = self._arriving(request_id, slot_index)
        if arriving is not None:
            await asyncio.to_thread(arriving.put_block, index, block)

    async def finish_upload(self, request_id: bytes, slot_index: int) -> None:
        """Make the slot's parity, check its root and hold it."""
        name = self._name(request_id, slot_index)
        started = time.monotonic()
        await asyncio.to_thread(self._store.commit, name)
        log.info("slot %d is here whole, checked in %.2f s", slot_index, time.monotonic() - started)
        reached("upload.committed")

    async def is_finished(self, request_id: bytes, slot_index: int) -> bool:
        """Whether the slot is here whole."""
        return self._store.find(self._name(request_id, slot_index)) is not None

    # --- reads ---

    async def admit_read(self, signer: str | None, manifest_digest: bytes, slot_index: int | None) -> None:
        """Anybody may read what is hosted here, within the server's limits: slots are encrypted or public.

        What is here to spare, rebuilt for another host or of no use any more, is for those who may come to host it.
        """
        if slot_index is None or not self._is_here(manifest_digest, slot_index):
            return
        requests = self._requests_of(manifest_digest, slot_index)
        if any(request.slots[slot_index].host == self._address for request in requests):
            return
        reader = self._view().providers.get(signer or "")
        if reader is None or not reader.staked_since:
            raise Denied(
                "This slot is not hosted here", "it is spare, and for a provider of this market that may host it"
            )
        if not any(may_repair(request, slot_index, reader.address) for request in requests):
            raise Denied("This slot is not hosted here", f"it is spare, and {reader.address} may not host it")

    def _requests_of(self, manifest_digest: bytes, slot_index: int) -> list[RequestView]:
        return [
            request
            for request in self._view().requests.values()
            if request.content.cid == manifest_digest and slot_index < len(request.slots)
        ]

    def _is_here(self, manifest_digest: bytes, slot_index: int) -> bool:
        """Whether the slot is held, or arriving."""
        name = SlotName(manifest_digest, slot_index)
        return self._store.find(name) is not None or name in self._store.arriving

    def _held(self, manifest_digest: bytes, slot_index: int) -> HeldSlot | None:
        """The slot, if it is here whole. Raises Later while it is being rebuilt."""
        name = SlotName(manifest_digest, slot_index)
        held = self._store.find(name)
        requests = self._requests_of(manifest_digest, slot_index) if held is None else []
        lost = any(request.slots[slot_index].vacated_at for request in requests)
        if lost and name in self._store.arriving:
            raise Later("This slot is being rebuilt here", "", "Ask again soon.")
        return held

    async def manifest(self, manifest_digest: bytes) -> bytes | None:
        """The manifest, if a slot of its dataset is held."""
        names = [name for name in self._store.held if name.manifest == manifest_digest]
        return await _document(self._store.slot(names[0]), "manifest") if names else None

    async def block_list(self, manifest_digest: bytes, slot_index: int) -> bytes | None:
        """The block list of a slot that is held. Raises Later."""
        held = self._held(manifest_digest, slot_index)
        return await _document(held, "blocks") if held else None

    async def slot_plan(self, manifest_digest: bytes, slot_index: int) -> SlotPlan | None:
        """The blocks of a slot that is held. Raises Later."""
        held = self._held(manifest_digest, slot_index)
        return await self._plans.get(held) if held else None

    async def read_blocks(self, manifest_digest: bytes, slot_index: int, start: int, count: int) -> Sequence[bytes]:
        """Blocks of a slot that is held."""
        slot = self._store.slot(SlotName(manifest_digest, slot_index))
        try:
            return await asyncio.to_thread(slot.read, start, count)
        except Corrupt:
            await self.found_damaged(manifest_digest, slot_index)
            raise

    async def found_damaged(self, manifest_digest: bytes, slot_index: int) -> None:
        """Have a slot that is held looked at."""
        slot = self._store.find(SlotName(manifest_digest, slot_index))
        if slot is not None:
            suspect(slot.path)


class PlanCache:
    """The plans of the slots read last, as far as their digests number at most ``limit``; the newest is always kept."""

    def __init__(self, limit: int = CACHED_BLOCKS) -> None:
        self._limit = limit
        self._blocks = 0
        self._plans: OrderedDict[SlotName, SlotPlan] = OrderedDict()

    async def get(self, folder: SlotFolder) -> SlotPlan:
        """The blocks of the slot in ``folder``. A slot's name is their digest: they never change."""
        name = folder.name
        plan = self._plans.get(name)
        if plan is None:
            plan = await asyncio.to_thread(_plan, folder)
        if name not in self._plans:  # nor did another reader bring it meanwhile
            self._blocks += len(plan.digests)
            self._plans[name] = plan
        self._plans.move_to_end(name)
        while self._blocks > self._limit and len(self._plans) > 1:
            _, oldest = self._plans.popitem(last=False)
            self._blocks -= len(oldest.digests)
        return plan


async def _document(folder: SlotFolder, name: str) -> bytes:
    """A slot's manifest or block list as it is on disk: the server compares it with its digest. Raises StorageTrouble."""

    def read() -> bytes:
        with storage_errors(folder.path):
            return (folder.path / name).read_bytes()

    return await asyncio.to_thread(read)


def _plan(folder: SlotFolder) -> SlotPlan:
    manifest = folder.manifest
    return SlotPlan(manifest.slots[folder.name.index].blocks, folder.digests, BLOCK_BYTES, manifest.parity_blocks)
