"""Block lists and trees in memory, and the way from a block's digest to them."""

from collections import OrderedDict
from typing import NamedTuple

from agents.core.dataset.segments import Digests
from agents.core.dataset.unixfs import FileTree
from agents.roles.caching.places import BlockIndex

BLOCKS = 1 << 18
"""Blocks whose digests are at hand: 16 GiB of files in some 25 MiB of memory."""


class Listing(NamedTuple):
    """A data slot's block list."""

    dataset: bytes
    slot: int


class AtHand:
    """Lists and trees of at most ``limit`` blocks; the longest unused go first, the newest is always kept."""

    def __init__(self, limit: int = BLOCKS) -> None:
        self._limit = limit
        self._kept: OrderedDict[Listing | bytes, Digests | FileTree] = OrderedDict()
        """Lists, and trees by dataset."""
        self._index = BlockIndex()
        self._nodes: dict[bytes, bytes] = {}
        """Datasets by what of their trees no block list names."""
        self._weight = 0

    @property
    def room(self) -> int:
        """Blocks that may be added before others go."""
        return self._limit - self._weight

    def listed(self, listing: Listing) -> Digests | None:
        """Digests of the slot's data blocks."""
        found = self._get(listing)
        assert not isinstance(found, FileTree)
        return found

    def tree(self, dataset: bytes) -> FileTree | None:
        """The dataset's tree."""
        found = self._get(dataset)
        assert not isinstance(found, Digests)
        return found

    def put_list(self, listing: Listing, listed: Digests, used: int) -> None:
        """Keep a list, of whose blocks the first ``used`` are the file's: what follows are zeros."""
        if listing not in self._kept:
            self._index.add(listing, Digests.of(listed[:used]))
            self._put(listing, listed, len(listed))

    def put_tree(self, dataset: bytes, tree: FileTree) -> None:
        """Keep a tree."""
        if dataset not in self._kept:
            for digest in _own_digests(tree):
                self._nodes[digest] = dataset
            self._put(dataset, tree, len(tree.leaves))

    def listings(self, digest: bytes) -> list[tuple[Listing, int]]:
        """Lists at hand that have the digest, and where."""
        found = []
        for listing, place in self._index.find(digest):
            assert isinstance(listing, Listing)
            listed = self.listed(listing)
            if listed is not None and listed[place] == digest:
                found.append((listing, place))
        return found

    def dataset_of_node(self, digest: bytes) -> bytes | None:
        """The dataset whose tree has the inner node, or the last leaf, of that digest."""
        return self._nodes.get(digest)

    def _get(self, key: Listing | bytes) -> Digests | FileTree | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def _put(self, key: Listing | bytes, kept: Digests | FileTree, weight: int) -> None:
        self._kept[key] = kept
        self._weight += weight
        while self._weight > self._limit and len(self._kept) > 1:
            oldest, gone = self._kept.popitem(last=False)
            if isinstance(gone, FileTree):
                self._weight -= len(gone.leaves)
                for digest in _own_digests(gone):
                    self._nodes.pop(digest, None)
            else:
                self._weight -= len(gone)
                self._index.forget(oldest)


def _own_digests(tree: FileTree) -> list[bytes]:
    """Of what no block list names: a tree's inner nodes, and its last leaf."""
    return [tree.leaves[-1], *(node.cid.digest for node in tree.inner)]
