"""A shelf in memory over datasets as a client's spool makes them, and a gateway over it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from agents.core.dataset.cid import Cid, digest_of
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest
from agents.core.dataset.segments import SEGMENT_BYTES
from agents.core.dataset.unixfs import FileTree, tree_of
from agents.core.errors import HoldfastError
from agents.core.proofs.profiles import profile_named
from agents.net.gateway.server import LIMITS, Gateway
from agents.net.limits import Limits
from agents.net.shelf import Counter, Item
from agents.store.spool import Spool


class MemoryShelf:
    """Everything of a few datasets; ``trouble`` is raised instead of an answer."""

    def __init__(self) -> None:
        self.trouble: HoldfastError | None = None
        self.items: dict[Cid, Item] = {}
        self.blocks: dict[Cid, bytes] = {}
        self.files: dict[bytes, bytes] = {}
        self.listed: dict[bytes, list[bytes]] = {}
        self.trees: dict[bytes, FileTree] = {}
        self.served: list[tuple[bytes, int]] = []
        self.far: set[Cid] = set()
        self.far_segments: set[int] = set()
        """What only an origin has."""

    def store(self, folder: Path, name: str, data: bytes, key: bytes | None = None, k: int = 3) -> Manifest:
        """Make ``data`` into a dataset and hold it."""
        (folder / name).write_bytes(data)
        dataset = Spool(folder / "spool").encode(folder / name, k, 1, key, profile_named("devnet"))
        manifest, digest = dataset.manifest, dataset.manifest.digest
        sealed = b"".join(b"".join(dataset.blocks(index)) for index in range(k))
        self.files[digest] = sealed[: manifest.size]
        self.listed[digest] = [d for index in range(k) for d in dataset.digests(index)[: manifest.data_blocks]]
        self._put(Cid("dag-cbor", digest), dataset.manifest_bytes, Item("file", manifest.size, digest))
        for index in range(k):
            self._put(Cid("dag-cbor", manifest.slots[index].blocks), dataset.block_list(index))
        for index in range(manifest.blocks):
            self._put_raw(sealed[index * BLOCK_BYTES : (index + 1) * BLOCK_BYTES])
        if manifest.ipfs is not None:
            last = sealed[(manifest.blocks - 1) * BLOCK_BYTES : manifest.blocks * BLOCK_BYTES]
            tree = self.trees[digest] = tree_of(manifest, self.listed[digest], last)
            self._put_raw(self.files[digest][(manifest.blocks - 1) * BLOCK_BYTES :])
            for node in tree.inner:
                part = tree.part(node.cid)
                assert part is not None
                self._put(node.cid, node.data, Item("file", len(part), digest, start=part.start))
            self.items[tree.root] = Item("file", manifest.size, digest, manifest.name)
        return manifest

    def _put(self, cid: Cid, data: bytes, item: Item | None = None) -> None:
        self.blocks[cid] = data
        self.items[cid] = item or Item("block", len(data))

    def _put_raw(self, data: bytes) -> None:
        self._put(Cid("raw", digest_of(data)), data)

    async def find(self, cid: Cid) -> Item | None:
        if self.trouble is not None:
            raise self.trouble
        return self.items.get(cid)

    def has_block(self, cid: Cid) -> bool:
        return cid not in self.far

    def has_bytes(self, dataset: bytes, part: range) -> bool:
        return not any(number in self.far_segments for number in range(part.start >> 20, (part.stop - 1 >> 20) + 1))

    async def block(self, cid: Cid) -> bytes:
        return self.blocks[cid]

    async def segment(self, dataset: bytes, number: int) -> memoryview:
        if self.served and self.trouble is not None:
            raise self.trouble
        self.served.append((dataset, number))
        return memoryview(self.files[dataset])[number * SEGMENT_BYTES : (number + 1) * SEGMENT_BYTES]

    async def tree(self, dataset: bytes) -> FileTree:
        return self.trees[dataset]


@contextlib.asynccontextmanager
async def gateway(shelf: MemoryShelf, counter: Counter | None = None, limits: Limits = LIMITS) -> AsyncIterator[str]:
    """The URL of a gateway over ``shelf``."""
    server = Gateway(shelf, counter, limits)
    port = await server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.stop()
