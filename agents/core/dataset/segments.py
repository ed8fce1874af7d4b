"""Segments: what of a sealed file is fetched, cached and admitted together."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from agents.core.dataset.cid import DIGEST_BYTES
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest

SEGMENT_BLOCKS = 16
"""Blocks of it; the last segment may have fewer."""
SEGMENT_BYTES = SEGMENT_BLOCKS * BLOCK_BYTES


class Digests(Sequence[bytes]):
    """sha2-256 digests, one behind the other in memory: a list of them takes twice as much."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @classmethod
    def of(cls, digests: Sequence[bytes]) -> "Digests":
        """The same digests."""
        return cls(b"".join(digests))

    def __len__(self) -> int:
        return len(self.data) // DIGEST_BYTES

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        start = index % len(self) * DIGEST_BYTES
        return self.data[start : start + DIGEST_BYTES]


def segments_of_file(manifest: Manifest) -> int:
    """Segments of the sealed file."""
    return -(-manifest.size // SEGMENT_BYTES)


def segment_size(manifest: Manifest, number: int) -> int:
    """Bytes of segment ``number``: the last is as short as the file. Not positive for one that the file does not have."""
    return min(SEGMENT_BYTES, manifest.size - number * SEGMENT_BYTES)


@dataclass(frozen=True, slots=True)
class Piece:
    """``count`` blocks from ``start`` of data slot ``slot``."""

    slot: int
    start: int
    count: int


def pieces_of(manifest: Manifest, number: int) -> Iterator[Piece]:
    """Where segment ``number`` stands in the slots, in order."""
    first = number * SEGMENT_BLOCKS
    end = min(first + SEGMENT_BLOCKS, manifest.blocks)
    while first < end:
        slot, start = divmod(first, manifest.data_blocks)
        count = min(end - first, manifest.data_blocks - start)
        yield Piece(slot, start, count)
        first += count


def are_sound(data: memoryview, digests: Sequence[bytes]) -> bool:
    """Whether the blocks in ``data`` have these digests. A last block cut short is one of zeros behind its bytes."""
    if -(-len(data) // BLOCK_BYTES) != len(digests):
        return False
    for index, digest in enumerate(digests):
        block = data[index * BLOCK_BYTES : (index + 1) * BLOCK_BYTES]
        found = hashlib.sha256(block)
        found.update(bytes(BLOCK_BYTES - len(block)))
        if found.digest() != digest:
            return False
    return True
