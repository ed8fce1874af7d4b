"""Which datasets there are, and what they are known by: manifests are read in the background as the market names them."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass

from agents.core.dataset.cid import Cid
from agents.core.dataset.manifest import Manifest
from agents.core.errors import HoldfastError, ManifestInvalid
from agents.core.market.types import SlotState
from agents.core.market.view import MarketView

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Manifests asked for at a time."""
PAUSE, LONGEST_PAUSE = 5.0, 3600.0
"""Seconds before a manifest that nobody gave is asked for again, doubled each time."""

Read = Callable[[bytes], Awaitable[Manifest]]


@dataclass
class _Effort:
    """A manifest that is still to be read."""

    due: float = float("-inf")
    pause: float = PAUSE


class Learner:
    """Manifests that the market names or the disk has. ``read`` reads one, and takes in whatever else it wants of it."""

    def __init__(self, read: Read, clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._known: set[bytes] = set()
        self._efforts: dict[bytes, _Effort] = {}
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        self._free = asyncio.Semaphore(AT_ONCE)
        self._roots: defaultdict[Cid, dict[bytes, None]] = defaultdict(dict)
        self._lists: dict[bytes, tuple[tuple[bytes, int], ...]] = {}

    async def close(self) -> None:
        """Stop."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def learn(self, view: MarketView) -> None:
        """Take in what the market names."""
        self.take(
            request.content.cid
            for request in view.requests.values()
            if request.content.cid not in self._known and any(slot.state is SlotState.FILLED for slot in request.slots)
        )

    def take(self, manifests: Iterable[bytes]) -> None:
        """Take in manifests by digest, and begin to read those that are due."""
        for digest in manifests:
            if digest not in self._known:
                self._known.add(digest)
                self._efforts[digest] = _Effort()
        now = self._clock()
        for digest, effort in self._efforts.items():
            if digest not in self._tasks and now >= effort.due:
                self._tasks[digest] = asyncio.create_task(self._learn(digest, effort))

    async def caught_up(self, within: float) -> bool:
        """Whether anything was being read, which has ended now, or goes on after so many seconds."""
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=within)
        return bool(tasks)

    def note(self, digest: bytes, manifest: Manifest) -> None:
        """A manifest was read."""
        self._known.add(digest)
        self._efforts.pop(digest, None)
        if manifest.ipfs is not None:
            self._roots[manifest.ipfs][digest] = None
        for index, slot in enumerate(manifest.slots):
            known = self._lists.get(slot.blocks, ())
            if (digest, index) not in known:
                self._lists[slot.blocks] = (*known, (digest, index))

    def knows(self, digest: bytes) -> bool:
        """Whether it is the digest of a manifest."""
        return digest in self._known

    def roots(self, cid: Cid) -> Iterator[bytes]:
        """Manifests that claim to be of the file which IPFS knows by that root: anybody may claim it."""
        return iter(list(self._roots.get(cid, ())))

    def refute(self, cid: Cid, digest: bytes) -> None:
        """That manifest lies about its root."""
        self._roots[cid].pop(digest, None)

    def doubt(self, cid: Cid, digest: bytes) -> None:
        """That manifest did not prove its root when it was asked to: it comes after all others."""
        if self._roots[cid].pop(digest, True) is None:
            self._roots[cid][digest] = None

    def listings(self, digest: bytes) -> Iterator[tuple[bytes, int]]:
        """(manifest, slot) of whatever names that block list: anybody may name it."""
        return iter(self._lists.get(digest, ()))

    async def _learn(self, digest: bytes, effort: _Effort) -> None:
        try:
            async with self._free:
                self.note(digest, await self._read(digest))
        except ManifestInvalid as error:
            log.info("manifest %s is none: %s", digest.hex(), error)
            self._efforts.pop(digest, None)
        except HoldfastError as error:
            log.info("manifest %s is not known yet: %s", digest.hex(), error)
            effort.due = self._clock() + effort.pause
            effort.pause = min(2 * effort.pause, LONGEST_PAUSE)
        finally:
            del self._tasks[digest]
