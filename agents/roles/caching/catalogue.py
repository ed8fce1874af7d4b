"""What a CID leads to: datasets, their manifests and block lists, and every block of them."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NamedTuple

from agents.core.dataset.cid import DIGEST_BYTES, Cid
from agents.core.dataset.manifest import Manifest
from agents.core.dataset.segments import Digests, pieces_of
from agents.core.dataset.unixfs import FileTree, checked_tree, tree_of
from agents.core.errors import ManifestInvalid, NotFound, PeerError
from agents.core.market.view import MarketView
from agents.roles.caching.athand import AtHand, Listing
from agents.roles.caching.documents import Documents, parsed_list
from agents.roles.caching.flight import SingleFlight, first_good
from agents.roles.caching.learning import Learner

log = logging.getLogger(__name__)

MANIFESTS = 1024
"""At hand."""
MOST_LEAVES = 1 << 21
"""Blocks of the largest file that is served as IPFS knows it, 128 GiB: its tree is whole in memory."""
RIVALS = 8
"""Manifests that claim one root, of which the first to prove it has it. Those that did not are asked after all others."""
HEAD_START = 1.0
"""Seconds that each of them has before the next."""
PATIENCE = 5.0
"""Seconds that a CID nobody knows waits for manifests which are being read."""

Kind = Literal["manifest", "list", "root", "node", "leaf", "last"]
Recover = Callable[[Manifest, int], Awaitable[bytes]]
"""Makes the block list of a slot that nobody gives."""
LastBlock = Callable[["Dataset"], Awaitable[bytes | memoryview]]
"""Reads the last block of a dataset's sealed file."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset at hand."""

    digest: bytes
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Place:
    """Where a CID leads to."""

    dataset: Dataset
    kind: Kind
    number: int = 0
    """Of the slot whose list it is; of the sealed file's block that is a leaf, as it is listed or, the last, without zeros."""


class _Lead(NamedTuple):
    """A place in a dataset that may not be at hand: ``number`` as in Place, or that of a leaf in its slot."""

    digest: bytes
    kind: Kind
    slot: int = 0
    number: int = 0

    def place(self, dataset: Dataset) -> Place:
        """The place in the dataset."""
        if self.kind == "last":
            return Place(dataset, "last", dataset.manifest.blocks - 1)
        return Place(dataset, self.kind, self.slot * dataset.manifest.data_blocks + self.number)


class Catalogue:
    """Datasets by digest, and places by CID. ``recover`` and ``last_block`` are the origin's."""

    def __init__(
        self, documents: Documents, recover: Recover, last_block: LastBlock, at_hand: AtHand | None = None
    ) -> None:
        self._documents = documents
        self._recover = recover
        self._last_block = last_block
        self._at_hand = at_hand or AtHand()
        self._datasets: OrderedDict[bytes, Dataset] = OrderedDict()
        self._learner = Learner(self._read, time.monotonic)
        self._lists: SingleFlight[Listing, Digests] = SingleFlight()
        self._trees: SingleFlight[bytes, FileTree] = SingleFlight()
        self._hints: SingleFlight[Cid, bool] = SingleFlight()

    async def close(self) -> None:
        """Stop what goes on in the background."""
        await self._learner.close()

    def learn(self, view: MarketView) -> None:
        """Take in what the market names."""
        self._learner.learn(view)

    def learn_kept(self) -> None:
        """Take in what the disk has."""
        self._learner.take(self._documents.kept)

    async def _read(self, digest: bytes) -> Manifest:
        """Read a manifest, and have what is on disk of its dataset at hand, as far as there is room: its blocks are found."""
        manifest = await self._documents.manifest(digest)
        kept = self._documents.lists_kept(manifest)
        if kept and len(kept) * manifest.data_blocks <= self._at_hand.room:
            dataset = await self.dataset(digest)
            for slot in kept:
                await self.listed(dataset, slot)
            if len(kept) == manifest.data_slots and self._documents.has_last_leaf(digest):
                await self.tree(dataset)
        return manifest

    # ---- datasets

    async def dataset(self, digest: bytes) -> Dataset:
        """The dataset of a manifest. Raises NotFound, ManifestInvalid."""
        found = self._datasets.get(digest)
        if found is None:
            manifest = await self._documents.manifest(digest)
            self._learner.note(digest, manifest)
            found = self._datasets.setdefault(digest, Dataset(digest, manifest))
        self._datasets.move_to_end(digest)
        while len(self._datasets) > MANIFESTS:
            self._datasets.popitem(last=False)
        return found

    async def listed(self, dataset: Dataset, slot: int) -> Digests:
        """Digests of the data blocks of a data slot. Raises NotFound, and what recovering them raises."""
        listing = Listing(dataset.digest, slot)
        found = self._at_hand.listed(listing)
        return found if found is not None else await self._lists.run(listing, lambda: self._load(dataset, listing))

    async def _load(self, dataset: Dataset, listing: Listing) -> Digests:
        manifest = dataset.manifest
        data = await self.block_list(dataset, listing.slot)
        listed = await asyncio.to_thread(parsed_list, data, manifest, listing.slot)
        of_file = manifest.blocks - listing.slot * manifest.data_blocks
        self._at_hand.put_list(listing, listed, max(0, min(manifest.data_blocks, of_file)))
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
        found = self._at_hand.tree(dataset.digest)
        if found is not None:
            return found
        if dataset.manifest.ipfs is None:
            raise NotFound("The file has no UnixFS tree", "it is encrypted, or of an older version")
        if dataset.manifest.blocks > MOST_LEAVES:
            raise NotFound("The file is too large to be served as one here", "", "Read it with `agent client get`.")
        return await self._trees.run(dataset.digest, lambda: self._grow(dataset))

    async def _grow(self, dataset: Dataset) -> FileTree:
        manifest = dataset.manifest
        listed = Digests.of(await self.digests(dataset, 0, manifest.blocks))
        found: list[FileTree] = []

        def grown(leaf: bytes) -> bool:
            with suppress(ManifestInvalid):
                found.append(checked_tree(manifest, Digests(listed.data[:-DIGEST_BYTES] + leaf)))
            return bool(found)

        if await self._documents.last_leaf(dataset.digest, grown) is None:
            found = [await asyncio.to_thread(tree_of, manifest, listed, await self._last_block(dataset))]
            await self._documents.keep_last_leaf(dataset.digest, found[0].leaves[-1])
        self._at_hand.put_tree(dataset.digest, found[0])
        return found[0]

    def has_list(self, dataset: Dataset, slot: int) -> bool:
        """Whether the slot's block list is here."""
        return self._documents.has_list(dataset.manifest, slot)

    def can_compare(self, digest: bytes, number: int) -> bool:
        """Whether the digests of the dataset's segment ``number`` are here."""
        dataset = self._datasets.get(digest)
        return dataset is not None and all(
            self._at_hand.listed(Listing(digest, piece.slot)) is not None or self.has_list(dataset, piece.slot)
            for piece in pieces_of(dataset.manifest, number)
        )

    # ---- places

    def known(self, cid: Cid) -> Place | None:
        """Where ``cid`` leads to, as far as that is in memory."""
        roots = (_Lead(digest, "root") for digest in self._learner.roots(cid) if self._at_hand.tree(digest) is not None)
        for lead in (*roots, *self._leads(cid)):
            dataset = self._datasets.get(lead.digest)
            if dataset is not None:
                return lead.place(dataset)
        return None

    async def find(self, cid: Cid) -> Place | None:
        """Where ``cid`` leads to. Raises HoldfastError where that cannot be told now."""
        async for place in self.places(cid):
            return place
        return None

    async def places(self, cid: Cid) -> AsyncIterator[Place]:
        """Every place where ``cid`` may lead to: what strangers list need not be what they have."""
        found = False
        async for place in self._places(cid):
            found = True
            yield place
        if not found and await self._learner.caught_up(PATIENCE):
            async for place in self._places(cid):
                found = True
                yield place
        if not found and await self._hints.run(cid, lambda: self._hinted(cid)):
            async for place in self._places(cid):
                yield place

    async def _hinted(self, cid: Cid) -> bool:
        """Whether another cache names a dataset that may have the block, and all that leads to it is at hand now."""
        digest = await self._documents.dataset_of(cid)
        if digest is None:
            return False
        dataset = await self.dataset(digest)
        if dataset.manifest.ipfs is not None and cid.codec != "dag-cbor":
            with suppress(ManifestInvalid):  # which is told when its root is looked for
                await self.tree(dataset)
        elif cid.codec == "raw":
            await self.digests(dataset, 0, dataset.manifest.blocks)
        return True

    async def _places(self, cid: Cid) -> AsyncIterator[Place]:
        root = await self._root(cid)
        if root is not None:
            yield root
            return
        for lead in self._leads(cid):
            yield lead.place(await self.dataset(lead.digest))

    def _leads(self, cid: Cid) -> Iterator["_Lead"]:
        if cid.codec == "dag-cbor":
            if self._learner.knows(cid.digest):
                yield _Lead(cid.digest, "manifest")
            for dataset, slot in self._learner.listings(cid.digest):
                yield _Lead(dataset, "list", number=slot)
            return
        if cid.codec == "raw":
            for owner, number in self._at_hand.listings(cid.digest):
                yield _Lead(owner.dataset, "leaf", owner.slot, number)
        node = self._at_hand.dataset_of_node(cid.digest)
        if node is not None:
            yield _Lead(node, "last" if cid.codec == "raw" else "node")

    async def _root(self, cid: Cid) -> Place | None:
        """The public file with that root, its tree compared: a manifest may name the root of a file that it is not of."""
        claims = list(self._learner.roots(cid))
        for digest in claims:
            if self._at_hand.tree(digest) is not None:
                return Place(await self.dataset(digest), "root")
        if not claims:
            return None
        asked = (self._proven(cid, digest, place * HEAD_START) for place, digest in enumerate(claims[:RIVALS]))
        try:
            return (await first_good([asyncio.create_task(each) for each in asked])).result()
        except ManifestInvalid:
            return await self._root(cid)  # without those that are refuted now

    async def _proven(self, cid: Cid, digest: bytes, after: float) -> Place:
        """The root in one dataset, looked for ``after`` so many seconds. Raises ManifestInvalid where it is of another file."""
        await asyncio.sleep(after)
        try:
            dataset = await self.dataset(digest)
            await self.tree(dataset)
        except ManifestInvalid as error:
            log.warning("%s is not what %s says: %s", cid, digest.hex(), error)
            self._learner.refute(cid, digest)
            raise
        except BaseException:  # it may be a liar's that keeps everybody waiting
            self._learner.doubt(cid, digest)
            raise
        return Place(dataset, "root")
