"""What a CID leads to: datasets of the market, their manifests and block lists, and every block of them."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from agents.core.dataset.cid import DIGEST_BYTES, Cid
from agents.core.dataset.manifest import Manifest
from agents.core.dataset.segments import Digests
from agents.core.dataset.unixfs import FileTree, checked_tree, tree_of
from agents.core.errors import HoldfastError, ManifestInvalid, NotFound, PeerError
from agents.core.market.types import SlotState
from agents.core.market.view import MarketView
from agents.roles.caching.documents import Documents, parsed_list
from agents.roles.caching.flight import SingleFlight
from agents.roles.caching.places import BlockIndex

log = logging.getLogger(__name__)

BLOCKS = 1 << 18
"""Blocks whose digests are at hand: 16 GiB of files in some 20 MiB of memory, trees and index included."""
LEARNERS = 4
"""Manifests asked for at a time to learn what public files there are."""
PATIENCE = 5.0
"""Seconds that a CID nobody knows waits for manifests which are being learned."""
EFFORTS = 5
"""How often a manifest that nobody gives is asked for."""

Recover = Callable[[Manifest, int], Awaitable[bytes]]
"""Makes the block list of a slot that nobody gives."""
LastBlock = Callable[["Dataset"], Awaitable[bytes | memoryview]]
"""Reads the last block of a dataset's sealed file."""


@dataclass
class Dataset:
    """A dataset at hand; its block lists come as they are needed."""

    digest: bytes
    manifest: Manifest
    lists: dict[int, Digests] = field(default_factory=dict)
    """Of data slots, by slot."""
    tree: FileTree | None = None

    @property
    def weight(self) -> int:
        """Blocks whose digests it holds."""
        return sum(map(len, self.lists.values())) + (len(self.tree.leaves) if self.tree else 0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a CID leads to."""

    dataset: Dataset
    kind: Literal["manifest", "list", "root", "node", "leaf", "last"]
    number: int = 0
    """Of the slot whose list it is; of the sealed file's block that is a leaf, as it is listed or, the last, without zeros."""


class Catalogue:
    """Datasets by digest, and places by CID. ``recover`` and ``last_block`` are the origin's."""

    def __init__(self, documents: Documents, recover: Recover, last_block: LastBlock, limit: int = BLOCKS) -> None:
        self._documents = documents
        self._recover = recover
        self._last_block = last_block
        self._limit = limit
        self._datasets: OrderedDict[bytes, Dataset] = OrderedDict()
        self._index = BlockIndex()
        self._nodes: dict[bytes, bytes] = {}
        """Datasets by what of their trees no block list names."""
        self._roots: dict[Cid, bytes] = {}
        self._lists: dict[bytes, tuple[bytes, int]] = {}
        self._known: set[bytes] = set()
        """Manifests that the market names, or that are on disk."""
        self._unlearned: dict[bytes, int] = {}
        """Of them, those never read, and how often they were asked for."""
        self._learning: dict[bytes, asyncio.Task[None]] = {}
        self._free = asyncio.Semaphore(LEARNERS)
        self._flights: SingleFlight[tuple[bytes, int], Digests] = SingleFlight()
        self._trees: SingleFlight[bytes, FileTree] = SingleFlight()

    async def close(self) -> None:
        """Stop learning."""
        tasks = list(self._learning.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- what there is

    def learn(self, view: MarketView) -> None:
        """Take in what the market names: manifests never seen are read in time, for they say what IPFS knows files by."""
        for request in view.requests.values():
            digest = request.content.cid
            if digest not in self._known and any(slot.state is SlotState.FILLED for slot in request.slots):
                self._known.add(digest)
                self._unlearned[digest] = 0
        self._begin()

    def learn_kept(self) -> None:
        """Take in what the disk has."""
        for digest in self._documents.kept:
            if digest not in self._known:
                self._known.add(digest)
                self._unlearned[digest] = 0
        self._begin()

    def _begin(self) -> None:
        for digest in self._unlearned:
            if digest not in self._learning:
                self._learning[digest] = asyncio.create_task(self._learn(digest))

    async def _learn(self, digest: bytes) -> None:
        try:
            async with self._free:
                manifest = await self._documents.manifest(digest)
                self._note(digest, manifest)
                await self._recall(digest, manifest)
        except HoldfastError as error:
            log.info("manifest %s is not known yet: %s", digest.hex(), error)
            self._unlearned[digest] = self._unlearned.get(digest, 0) + 1
            if self._unlearned[digest] >= EFFORTS or isinstance(error, ManifestInvalid):
                self._unlearned.pop(digest)
        finally:
            del self._learning[digest]

    async def _recall(self, digest: bytes, manifest: Manifest) -> None:
        """Have what is on disk of a dataset at hand, as far as there is room: so that its blocks are found."""
        kept = self._documents.lists_kept(manifest)
        if not kept or self._weight() + len(kept) * manifest.data_blocks > self._limit:
            return
        dataset = await self.dataset(digest)
        for slot in kept:
            await self.listed(dataset, slot)
        if len(dataset.lists) == manifest.data_slots and self._documents.has_last_leaf(digest):
            await self.tree(dataset)

    def _note(self, digest: bytes, manifest: Manifest) -> None:
        self._known.add(digest)
        self._unlearned.pop(digest, None)
        if manifest.ipfs is not None:
            self._roots.setdefault(manifest.ipfs, digest)
        for index, slot in enumerate(manifest.slots):
            self._lists.setdefault(slot.blocks, (digest, index))

    # ---- datasets

    async def dataset(self, digest: bytes) -> Dataset:
        """The dataset of a manifest. Raises NotFound, ManifestInvalid."""
        found = self._datasets.get(digest)
        if found is None:
            manifest = await self._documents.manifest(digest)
            self._note(digest, manifest)
            found = self._datasets.setdefault(digest, Dataset(digest, manifest))
        self._datasets.move_to_end(digest)
        return found

    async def listed(self, dataset: Dataset, slot: int) -> Digests:
        """Digests of the blocks of a data slot. Raises NotFound, and what recovering it raises."""
        found = dataset.lists.get(slot)
        if found is not None:
            return found
        return await self._flights.run((dataset.digest, slot), lambda: self._load(dataset, slot))

    async def _load(self, dataset: Dataset, slot: int) -> Digests:
        manifest = dataset.manifest
        data = await self.block_list(dataset, slot)
        listed = await asyncio.to_thread(parsed_list, data, manifest, slot)
        first = slot * manifest.data_blocks
        dataset.lists[slot] = listed
        if self._datasets.get(dataset.digest) is dataset:
            of_file = Digests.of(listed[: max(0, min(manifest.data_blocks, manifest.blocks - first))])
            await asyncio.to_thread(self._index.add, dataset.digest, first, of_file)
            self._shrink()
        return listed

    async def block_list(self, dataset: Dataset, slot: int) -> bytes:
        """The block list of any slot, as it is stored. Raises as `listed` does."""
        try:
            return await self._documents.block_list(dataset.manifest, slot)
        except (NotFound, PeerError) as error:
            log.info("the block list of slot %d of %s is made anew: %s", slot, dataset.digest.hex(), error)
            data = await self._recover(dataset.manifest, slot)
            await self._documents.keep_list(data)
            return data

    async def digests(self, dataset: Dataset, first: int, count: int) -> list[bytes]:
        """Digests of the sealed file's blocks from ``first``, as the slots list them; fewer where it ends before."""
        found: list[bytes] = []
        end = min(first + count, dataset.manifest.blocks)
        while first < end:
            slot, start = divmod(first, dataset.manifest.data_blocks)
            some = min(end - first, dataset.manifest.data_blocks - start)
            found += (await self.listed(dataset, slot))[start : start + some]
            first += some
        return found

    async def tree(self, dataset: Dataset) -> FileTree:
        """The UnixFS tree of a public file. Raises NotFound for others, ManifestInvalid where its manifest lies."""
        if dataset.tree is None:
            if dataset.manifest.ipfs is None:
                raise NotFound("The file has no UnixFS tree", "it is encrypted, or of an older version")
            return await self._trees.run(dataset.digest, lambda: self._grow(dataset))
        return dataset.tree

    async def _grow(self, dataset: Dataset) -> FileTree:
        manifest = dataset.manifest
        listed = Digests.of(await self.digests(dataset, 0, manifest.blocks))
        found: list[FileTree] = []

        def grown(leaf: bytes) -> bool:
            with suppress(ManifestInvalid):
                found.append(checked_tree(manifest, Digests(listed.data[:-DIGEST_BYTES] + leaf)))
            return bool(found)

        if await self._documents.last_leaf(dataset.digest, grown) is None:
            last = await self._last_block(dataset)
            tree = await asyncio.to_thread(tree_of, manifest, listed, last)
            found = [tree]
            await self._documents.keep_last_leaf(dataset.digest, tree.leaves[-1])
        (dataset.tree,) = found
        if self._datasets.get(dataset.digest) is dataset:
            for digest in _own_digests(dataset.tree):
                self._nodes[digest] = dataset.digest
            self._shrink()
        return dataset.tree

    def _shrink(self) -> None:
        """Forget the longest unused datasets; the newest is always kept."""
        weight = self._weight()
        while weight > self._limit and len(self._datasets) > 1:
            digest, oldest = self._datasets.popitem(last=False)
            weight -= oldest.weight
            self._index.forget(digest)
            for node in _own_digests(oldest.tree) if oldest.tree else ():
                self._nodes.pop(node, None)

    def _weight(self) -> int:
        return sum(dataset.weight for dataset in self._datasets.values())

    # ---- places

    async def find(self, cid: Cid) -> Place | None:
        """Where ``cid`` leads to. Raises HoldfastError where that cannot be told now."""
        found = await self._place(cid)
        if found is None and self._learning:
            await asyncio.wait(list(self._learning.values()), timeout=PATIENCE)
            found = await self._place(cid)
        return found

    async def _place(self, cid: Cid) -> Place | None:
        if cid.codec == "dag-cbor":
            if cid.digest in self._known:
                return Place(await self.dataset(cid.digest), "manifest")
            listing = self._lists.get(cid.digest)
            return Place(await self.dataset(listing[0]), "list", listing[1]) if listing else None
        root = self._roots.get(cid)
        if root is not None:
            return Place(await self.dataset(root), "root")
        return (self._leaf(cid.digest) if cid.codec == "raw" else None) or self._node(cid)

    def _leaf(self, digest: bytes) -> Place | None:
        for name, number in self._index.find(digest):
            dataset = self._datasets.get(name)
            if dataset is None:
                continue
            slot, place = divmod(number, dataset.manifest.data_blocks)
            if slot in dataset.lists and dataset.lists[slot][place] == digest:
                return Place(dataset, "leaf", number)
        return None

    def _node(self, cid: Cid) -> Place | None:
        dataset = self._datasets.get(self._nodes.get(cid.digest, b""))
        if dataset is None:
            return None
        if cid.codec == "raw":
            return Place(dataset, "last", dataset.manifest.blocks - 1)
        return Place(dataset, "node")


def _own_digests(tree: FileTree) -> list[bytes]:
    """Of what no block list names: a tree's inner nodes, and its last leaf."""
    return [tree.leaves[-1], *(node.cid.digest for node in tree.inner)]
