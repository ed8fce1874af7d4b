"""What a cache serves from: memory, disk, origin, in that order. Nothing that was not verified leaves it."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast
from weakref import WeakValueDictionary

from agents.core.admission.eviction import Eviction, Lru
from agents.core.admission.policy import Admission, Found, Learning
from agents.core.admission.seen import Seen
from agents.core.dataset.cid import Cid
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import block_list_bytes
from agents.core.dataset.segments import SEGMENT_BLOCKS, SEGMENT_BYTES, are_sound, segment_size, segments_of_file
from agents.core.dataset.unixfs import FileTree
from agents.core.errors import HoldfastError, NotFound, PeerError, StorageTrouble
from agents.net.errors import PeerSlow
from agents.net.shelf import Gone, Item
from agents.roles.caching.catalogue import Dataset, Place
from agents.roles.caching.flight import SingleFlight
from agents.roles.caching.hot import HotCache
from agents.roles.caching.origin import Origin
from agents.store.cache.disk import DiskCache, Name

log = logging.getLogger(__name__)

FETCHES = 8
"""Segments that are read from disk or fetched at the same time; the others wait."""
SHARE = FETCHES // 2
"""Of one dataset: one whose hosts keep everybody waiting holds up no other."""
LOOKED_AT = 1024
"""Segments that are looked for to tell whether a file is here: of a larger one as many, evenly spread."""
FETCH_SECONDS = 60.0
"""For a segment from its origin."""
WRITES = 8
"""Segments waiting to be written; what comes while there are so many is kept off the disk until it is requested again."""
RECENT = 8
"""Segments read last that are kept in memory even if not admitted: whoever reads them block by block reads them once."""

Key = tuple[bytes, int]
"""(manifest digest, segment number)."""
Order = Callable[[int], Eviction]
"""The order of eviction of hot objects, for a capacity in bytes."""


@dataclass
class Figures:
    """What became of requests for segments, since the start."""

    hot: int = 0
    disk: int = 0
    origin: int = 0
    hot_bytes: int = 0
    disk_bytes: int = 0
    origin_bytes: int = 0
    written_bytes: int = 0

    def count(self, found: Found, size: int) -> None:
        """One more request."""
        name = found.value
        setattr(self, name, getattr(self, name) + 1)
        setattr(self, f"{name}_bytes", getattr(self, f"{name}_bytes") + size)


def hot_capacity(memory: int) -> int:
    """Bytes for hot objects, of ``memory`` for segments: the rest is for those read last."""
    return memory - min(RECENT * SEGMENT_BYTES, memory // 4)


class CachingShelf:
    """A shelf (agents/net/shelf.py) over hot objects, a disk cache and an origin. ``memory`` bytes are for segments."""

    def __init__(
        self, origin: Origin, disk: DiskCache, memory: int, policy: Admission, order: Order = lambda capacity: Lru()
    ) -> None:
        self._origin = origin
        self._catalogue = origin.catalogue
        self._disk = disk
        self._policy = policy
        self._learner = policy if isinstance(policy, Learning) else None
        self.memory = memory
        hot = hot_capacity(memory)
        self._recent = HotCache(memory - hot)
        self._hot = HotCache(hot, order(hot))
        self._seen = Seen()
        self._loading: SingleFlight[Key, tuple[memoryview, Found]] = SingleFlight()
        self._free = asyncio.Semaphore(FETCHES)
        self._shares: WeakValueDictionary[bytes, asyncio.Semaphore] = WeakValueDictionary()
        self._writing: dict[Key, asyncio.Task[None]] = {}
        self._learning: asyncio.Task[None] | None = None
        self._disk_failed = False
        self.figures = Figures()

    async def close(self) -> None:
        """Finish what is being written, and stop."""
        await asyncio.gather(
            *self._writing.values(), *([self._learning] if self._learning else []), return_exceptions=True
        )
        await self._origin.close()

    @property
    def origin_bytes(self) -> int:
        """Bytes that were fetched, of slots decoded too."""
        return self._origin.bytes + self._origin.stripes.fetched

    @property
    def memory_used(self) -> int:
        """Bytes of segments in memory, and of what it takes to find them."""
        return self._hot.used + self._recent.used

    def held(self) -> Iterator[Key]:
        """The segments that are here."""
        for name in self._disk.names:
            if name.part.isdecimal():
                yield name.digest, int(name.part)
        yield from cast("list[Key]", self._hot.keys)

    # ---- Shelf

    async def find(self, cid: Cid) -> Item | None:
        """As Shelf."""
        place = await self._catalogue.find(cid)
        if place is None:
            return None
        dataset, manifest = place.dataset.digest, place.dataset.manifest
        if place.kind in ("manifest", "root"):
            return Item("file", manifest.size, dataset, manifest.name or None)
        if place.kind == "node":
            part = (await self._catalogue.tree(place.dataset)).part(cid)
            return Item("file", len(part), dataset, start=part.start) if part is not None else None
        if place.kind == "list":
            return Item("block", block_list_bytes(manifest.blocks_per_slot), dataset)
        size = BLOCK_BYTES if place.kind == "leaf" else manifest.size - place.number * BLOCK_BYTES
        return Item("block", size, dataset)

    def has_block(self, cid: Cid) -> bool:
        """As Shelf."""
        place = self._catalogue.known(cid)
        if place is None or place.kind == "list":
            return place is not None and self._catalogue.has_list(place.dataset, place.number)
        if place.kind in ("leaf", "last"):
            return self._has((place.dataset.digest, place.number // SEGMENT_BLOCKS))
        return place.kind != "root" or cid.codec != "raw" or self._has((place.dataset.digest, 0))

    def has_bytes(self, dataset: bytes, part: range) -> bool:
        """As Shelf."""
        numbers = range(part.start // SEGMENT_BYTES, (part.stop - 1) // SEGMENT_BYTES + 1)
        looked_at = (*numbers[:: -(-len(numbers) // LOOKED_AT)], numbers[-1])
        return all(self._has((dataset, number)) for number in looked_at)

    async def block(self, cid: Cid) -> bytes:
        """As Shelf."""
        fault: HoldfastError = NotFound(f"{cid} is not known here", "no dataset of the market has such a block")
        async for place in self._catalogue.places(cid):
            try:
                return await self._block(place, cid)
            except HoldfastError as error:
                fault = error
        raise fault

    async def segment(self, dataset: bytes, number: int) -> memoryview:
        """As Shelf."""
        data, found = await self._get((dataset, number))
        self._admit((dataset, number), data, found)
        return data

    async def tree(self, dataset: bytes) -> FileTree:
        """As Shelf."""
        return await self._catalogue.tree(await self._catalogue.dataset(dataset))

    # ---- blocks

    async def _block(self, place: Place, cid: Cid) -> bytes:
        if place.kind == "root" and cid.codec == "raw":
            return await self._leaf(Place(place.dataset, "last"))
        if place.kind in ("leaf", "last"):
            return await self._leaf(place)
        return await self._document(place, cid.digest)

    async def _document(self, place: Place, digest: bytes) -> bytes:
        manifest = place.dataset.manifest
        if place.kind == "manifest":
            return manifest.to_bytes()
        if place.kind == "list":
            return await self._catalogue.block_list(place.dataset, place.number)
        tree = await self._catalogue.tree(place.dataset)
        block = tree.block(digest)
        if block is None:
            raise NotFound("The block is not known here any more", "", "Ask for the file's root first.")
        return block

    async def _leaf(self, place: Place) -> bytes:
        number, within = divmod(place.number, SEGMENT_BLOCKS)
        key = (place.dataset.digest, number)
        data = self._recent.get(key)
        if data is None:  # whoever reads a segment block by block requests it once
            data = await self.segment(*key)
            self._recent.put(key, data)
        block = bytes(data[within * BLOCK_BYTES : (within + 1) * BLOCK_BYTES])
        return block if place.kind == "last" else block.ljust(BLOCK_BYTES, b"\0")

    # ---- segments

    def _has(self, key: Key) -> bool:
        on_disk = _name(key) in self._disk and self._catalogue.can_compare(*key)
        return on_disk or key in self._hot or key in self._recent

    async def _get(self, key: Key) -> tuple[memoryview, Found]:
        data = self._hot.get(key)
        if data is not None:
            return data, Found.HOT
        data = self._recent.get(key)
        if data is not None:
            return data, Found.DISK if _name(key) in self._disk else Found.ORIGIN
        return await self._loading.run(key, lambda: self._load(key))

    async def _load(self, key: Key) -> tuple[memoryview, Found]:
        dataset = await self._catalogue.dataset(key[0])
        if not 0 <= key[1] < segments_of_file(dataset.manifest):
            raise NotFound(f"The file has no segment {key[1]}", f"it has {segments_of_file(dataset.manifest)}")
        async with self._share(key[0]), self._free:
            data, found = await self._from_disk(dataset, key), Found.DISK
            if data is None:
                data, found = await self._fetched(dataset, key[1]), Found.ORIGIN
        self._recent.put(key, data)
        return data, found

    def _share(self, dataset: bytes) -> asyncio.Semaphore:
        found = self._shares.get(dataset)
        if found is None:
            found = self._shares[dataset] = asyncio.Semaphore(SHARE)
        return found

    async def _fetched(self, dataset: Dataset, number: int) -> memoryview:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                return await self._origin.segment(dataset, number)
        except TimeoutError as error:
            raise PeerSlow("the origin", "is too slow", f"no segment came in {FETCH_SECONDS:.0f} s") from error
        except (NotFound, PeerError) as error:
            if self._origin.is_hosted(dataset):
                raise
            raise Gone("Nobody keeps this file any more", str(error), "Ask whoever stored it.") from error

    async def _from_disk(self, dataset: Dataset, key: Key) -> memoryview | None:
        if _name(key) not in self._disk:
            return None
        digests = await self._catalogue.digests(dataset, key[1] * SEGMENT_BLOCKS, SEGMENT_BLOCKS)
        size = segment_size(dataset.manifest, key[1])
        try:
            return await asyncio.to_thread(
                self._disk.read, _name(key), lambda data: len(data) == size and are_sound(data, digests)
            )
        except StorageTrouble as error:
            log.warning("%s", error)
            return None

    def _admit(self, key: Key, data: memoryview, found: Found) -> None:
        self.figures.count(found, len(data))
        decision = self._policy.request(key, len(data), found)
        if self._learner is not None and self._learning is None and (work := self._learner.due()) is not None:
            self._learning = asyncio.create_task(self._learn(work))
        if decision.hot and found is not Found.HOT:
            self._hot.put(key, data)
        if _name(key) in self._disk or key in self._writing:
            return
        known = self._seen.add(key[0] + key[1].to_bytes(4, "big"))
        if decision.disk and known and len(self._writing) < WRITES:
            self._writing[key] = asyncio.create_task(self._write(key, data))

    async def _learn(self, work: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(work)
        except Exception:  # whatever a policy fails in, requests are served as it said before
            log.exception("the policy cannot learn")
        finally:
            self._learning = None

    async def _write(self, key: Key, data: memoryview) -> None:
        try:
            if await asyncio.to_thread(self._disk.write, _name(key), data):
                self.figures.written_bytes += len(data)
            if self._disk_failed:
                log.info("segments are written to disk again")
            self._disk_failed = False
        except StorageTrouble as error:
            if not self._disk_failed:  # told once, not a thousand times
                log.warning("segments are not kept on disk: %s", error)
            self._disk_failed = True
        finally:
            del self._writing[key]


def _name(key: Key) -> Name:
    return Name(key[0], str(key[1]))
