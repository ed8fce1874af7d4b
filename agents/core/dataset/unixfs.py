"""The UnixFS tree over a public file's blocks: what ordinary IPFS clients know the file by.

It is the tree that ``ipfs add --cid-version=1 --raw-leaves --chunker=size-65536`` makes: leaves are the file's blocks as they
are, the last one as short as the file; inner nodes are dag-pb of at most 174 links, balanced. A file of one block is that
block. Nobody stores inner nodes: sizes and digests of the leaves give every byte of them.

dag-pb:  PBNode { repeated PBLink Links = 2; bytes Data = 1 }   PBLink { bytes Hash = 1; string Name = 2; uint64 Tsize = 3 }
UnixFS:  Data { DataType Type = 1 (2: a file); uint64 filesize = 3; repeated uint64 blocksizes = 4 }
Fields stand in this order; Tsize counts the bytes of all blocks below a link.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agents.core.dataset.cid import CID_BYTES, DIGEST_BYTES, Cid, digest_of
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest
from agents.core.dataset.segments import Digests
from agents.core.dataset.varint import varint
from agents.core.errors import ManifestInvalid

LINKS = 174
"""Of a node at most."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf met on the way through a tree."""

    index: int
    cid: Cid


@dataclass(frozen=True, slots=True)
class Inner:
    """An inner node met on the way through a tree."""

    cid: Cid
    data: bytes


class FileTree:
    """The tree over ``leaves``, sha2-256 digests of a file's blocks: all whole but the last. An empty file has one leaf.

    It keeps 32 bytes a node; blocks of inner nodes are made when they are asked for. Takes less than 1 us a leaf.
    """

    def __init__(self, leaves: Sequence[bytes], size: int) -> None:
        if len(leaves) != max(1, -(-size // BLOCK_BYTES)):
            raise ValueError(f"{len(leaves)} leaves for {size} bytes")
        self.size = size
        self._levels: list[Sequence[bytes]] = [leaves]
        self._weights = [(BLOCK_BYTES, size - (len(leaves) - 1) * BLOCK_BYTES)]
        """Tsize of each level's nodes: of all but the last, of the last."""
        self._lengths = list(self._weights)
        """Bytes of each level's blocks: of all but the last, of the last."""
        while len(self._levels[-1]) > 1:
            self._grow()

    def _grow(self) -> None:
        level, below = len(self._levels), self._levels[-1]
        count = -(-len(below) // LINKS)
        full, last = self._weights[-1]
        nodes = [self._node(level, index) for index in range(count)]
        alone = len(below) - (count - 1) * LINKS
        self._lengths.append((len(nodes[0]), len(nodes[-1])))
        self._weights.append((len(nodes[0]) + LINKS * full, len(nodes[-1]) + (alone - 1) * full + last))
        self._levels.append([digest_of(node) for node in nodes])

    @property
    def leaves(self) -> Sequence[bytes]:
        """Digests of the leaves."""
        return self._levels[0]

    @property
    def root(self) -> Cid:
        """What IPFS knows the file by."""
        return self._cid(len(self._levels) - 1, 0)

    def block(self, digest: bytes) -> bytes | None:
        """The inner node of that digest."""
        place = self._places.get(digest)
        return None if place is None else self._node(*place)

    def part(self, root: Cid) -> range | None:
        """The bytes below an inner node, as which it is a file of its own; below the last of equal ones."""
        place = self._places.get(root.digest)
        if place is None:
            return None
        reach = BLOCK_BYTES * LINKS ** place[0]
        return range(place[1] * reach, min((place[1] + 1) * reach, self.size))

    @property
    def inner(self) -> Iterator[Inner]:
        """Every inner node, from the bottom to the root."""
        for level in range(1, len(self._levels)):
            for index in range(len(self._levels[level])):
                yield Inner(self._cid(level, index), self._node(level, index))

    def walk(
        self, first: int = 0, last: int | None = None, once: bool = False, root: Cid | None = None
    ) -> Iterator[Leaf | Inner]:
        """What verifies leaves ``first`` to ``last`` (to the end), depth first, parents before their children.

        ``once``: what was given already is not given again. ``root``: an inner node above all of them, from which to start.
        """
        end = len(self.leaves) - 1 if last is None else last
        top = self._top(root)
        yield from self._walk(top, first // LINKS**top, first, end, once)

    def _top(self, root: Cid | None) -> int:
        """The level of a walk's start."""
        return len(self._levels) - 1 if root is None or root.codec == "raw" else self._places[root.digest][0]

    def _walk(self, level: int, index: int, first: int, last: int, once: bool) -> Iterator[Leaf | Inner]:
        twin = self.twins[level] if once else None
        given = -1 if twin is None else int(twin[index])
        if given * LINKS**level >= first:
            return  # and so was all that is below it
        if level == 0:
            yield Leaf(index, self._cid(0, index))
            return
        if given < first // LINKS**level:
            yield Inner(self._cid(level, index), self._node(level, index))
        reach = LINKS ** (level - 1)
        for child in self._children(level, index):
            if child * reach <= last and first < (child + 1) * reach:
                yield from self._walk(level - 1, child, first, last, once)

    def sizes(
        self, first: int = 0, last: int | None = None, once: bool = False, root: Cid | None = None
    ) -> Iterator[tuple[int, int]]:
        """(blocks, bytes of each) of what `walk` gives, without walking: its nodes are of few sizes."""
        end = len(self.leaves) - 1 if last is None else last
        for level, nodes in enumerate(self._levels[: self._top(root) + 1]):
            begin, stop = first // LINKS**level, end // LINKS**level
            twin = self.twins[level] if once else None
            count = stop - begin + 1 if twin is None else int(np.count_nonzero(twin[begin : stop + 1] < begin))
            ends = stop == len(nodes) - 1 and (twin is None or int(twin[stop]) < begin)
            full, short = self._lengths[level]
            yield count - ends, full
            yield int(ends), short

    @cached_property
    def twins(self) -> list[NDArray[np.int32] | None]:
        """Of each level, the place of the nearest equal node before each node, -1 where there is none; None: all differ.

        Takes some 0.1 us a leaf, and 1 us for one that is there twice.
        """
        return [_twins(nodes) for nodes in self._levels]

    @cached_property
    def _places(self) -> dict[bytes, tuple[int, int]]:
        return {
            digest: (level, index)
            for level in range(1, len(self._levels))
            for index, digest in enumerate(self._levels[level])
        }

    def _cid(self, level: int, index: int) -> Cid:
        return Cid("dag-pb" if level else "raw", self._levels[level][index])

    def _children(self, level: int, index: int) -> range:
        return range(index * LINKS, min((index + 1) * LINKS, len(self._levels[level - 1])))

    def _node(self, level: int, index: int) -> bytes:
        below, children = self._levels[level - 1], self._children(level, index)
        full, last = self._weights[level - 1]
        reach = BLOCK_BYTES * LINKS ** (level - 1)
        prefix = Cid("raw" if level == 1 else "dag-pb", b"").to_bytes()
        ends = children.stop == len(below)
        whole = children[:-1] if ends else children
        links = _links(prefix, full, [below[child] for child in whole])
        sizes = _number(4, reach) * len(whole)
        if ends:
            links += _links(prefix, last, [below[-1]])
            sizes += _number(4, self.size - (len(below) - 1) * reach)
        size = min(self.size, children.stop * reach) - children.start * reach
        return links + _bytes(1, b"\x08\x02" + _number(3, size) + sizes)


def tree_of(manifest: Manifest, listed: Sequence[bytes], last: bytes | memoryview) -> FileTree:
    """The tree of a public file, from the digests of its blocks as the data slots list them, and its last block.

    That block is listed with the zeros behind the file; the leaf ends where the file ends. Raises ManifestInvalid where the
    root is not the one that the manifest names.
    """
    rest = manifest.size - (manifest.blocks - 1) * BLOCK_BYTES
    return checked_tree(manifest, [*listed[: manifest.blocks - 1], digest_of(last[:rest])])


def checked_tree(manifest: Manifest, leaves: Sequence[bytes]) -> FileTree:
    """The tree over ``leaves``. Raises ManifestInvalid as `tree_of` does."""
    tree = FileTree(leaves, manifest.size)
    if tree.root != manifest.ipfs:
        raise ManifestInvalid(
            "The manifest is not valid",
            f"it says that IPFS knows the file as {manifest.ipfs}; by its blocks it is {tree.root}",
            "Whoever stored the file lies or is broken: what it is called is not to be believed.",
        )
    return tree


def _twins(digests: Sequence[bytes]) -> NDArray[np.int32] | None:
    data = digests.data if isinstance(digests, Digests) else b"".join(digests)
    prefixes = np.frombuffer(data, dtype=">u8")[:: DIGEST_BYTES // 8].astype(np.uint64)
    order = np.argsort(prefixes, kind="stable")
    equal = np.flatnonzero(prefixes[order[1:]] == prefixes[order[:-1]])
    if not equal.size:
        return None
    found = np.full(len(digests), -1, dtype=np.int32)
    seen: dict[bytes, int] = {}
    for place in np.unique(order[np.concatenate((equal, equal + 1))]).tolist():
        digest = digests[place]  # whole: equal prefixes can be made
        found[place] = seen.get(digest, -1)
        seen[digest] = place
    return found


def _links(prefix: bytes, weight: int, digests: Sequence[bytes]) -> bytes:
    """PBLinks to CIDs of one prefix and one Tsize."""
    end = b"\x12\x00" + _number(3, weight)
    start = b"\x12" + varint(2 + CID_BYTES + len(end)) + b"\x0a" + varint(CID_BYTES) + prefix
    return b"".join(start + digest + end for digest in digests)


def _bytes(field: int, data: bytes) -> bytes:
    return bytes((field << 3 | 2,)) + varint(len(data)) + data


def _number(field: int, value: int) -> bytes:
    return bytes((field << 3,)) + varint(value)
