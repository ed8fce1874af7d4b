"""What an answer's body consists of, piece by piece as it is sent: one segment of a file at hand, and the next when it is near.

A segment may have left the cache's memory while it is sent: then it is in memory for this reader alone. So it is given up where
the reader takes too long over it, and asked for again: no frame here keeps a view while a piece is on its way.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from agents.core.dataset.car import header, section_bytes, section_head
from agents.core.dataset.cid import Cid
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest, block_list_bytes
from agents.core.dataset.unixfs import FileTree, Inner
from agents.core.errors import Corrupt
from agents.net.shelf import SEGMENT_BLOCKS, SEGMENT_BYTES, Shelf

HOLD = 4.0
"""Seconds that a segment is kept for one reader."""
AHEAD = SEGMENT_BYTES // 2
"""Of a segment is left when the next is asked for."""

Piece = tuple[bytes, bytes | memoryview]
"""Framing, which is free, and the content behind it."""
Pieces = AsyncGenerator[Piece, None]

_EMPTY_CAR = b"\x19\xa2\x65roots\x81\xd8\x2a\x45\0\x01\x55\0\0\x67version\x01"
"""Its root is the identity CID of nothing, which needs no block."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body."""

    length: int
    """Bytes of it."""
    content: int
    """Bytes of blocks in it: what is paid for."""
    pieces: Callable[[int], Pieces]
    """Its pieces, none with more content than given: at least a block."""


def plain(data: bytes) -> Body:
    """One block as it is."""
    return _framed(b"", [(b"", data)])


def of_file(shelf: Shelf, dataset: bytes, part: range) -> Body:
    """Bytes ``part`` of a file."""
    return Body(len(part), len(part), lambda step: _slices(shelf, dataset, part, step))


def empty_car() -> Body:
    """The CAR of the empty probe."""
    return _framed(_EMPTY_CAR, [])


def car_of_block(cid: Cid, data: bytes) -> Body:
    """A CAR of one block."""
    return _car(cid, [(cid, data)])


def car_of_tree(shelf: Shelf, dataset: bytes, tree: FileTree, part: range | None = None) -> Body:
    """A CAR of what verifies bytes ``part`` of a public file (by default all of them)."""
    blocks = _blocks_of(range(tree.size) if part is None else part)
    first, last = blocks.start, blocks.stop - 1
    head, sizes = header([tree.root]), list(tree.sizes(first, last))
    bytes_ = _bytes_of(blocks, tree.size)

    async def pieces(step: int) -> Pieces:
        framing = head
        async with aclosing(_slices(shelf, dataset, bytes_, BLOCK_BYTES)) as leaves:
            for node in tree.walk(first, last):
                if isinstance(node, Inner):
                    yield framing + section_head(node.cid, len(node.data)), node.data
                else:
                    size = min(BLOCK_BYTES, tree.size - node.index * BLOCK_BYTES)
                    yield framing + section_head(node.cid, size), (await anext(leaves))[1]
                framing = b""

    length = len(head) + sum(count * section_bytes(size) for count, size in sizes)
    return Body(length, sum(count * size for count, size in sizes), pieces)


def car_of_dataset(shelf: Shelf, manifest: Manifest, part: range) -> Body:
    """A CAR of the manifest, of the block lists that verify bytes ``part`` of the sealed file, and of its blocks.

    The blocks are whole, as their lists have them: the last with the zeros behind the file.
    """
    root = Cid("dag-cbor", manifest.digest)
    blocks = _blocks_of(part)
    slots = range(blocks.start // manifest.data_blocks, (blocks.stop - 1) // manifest.data_blocks + 1)
    lists = [Cid("dag-cbor", manifest.slots[index].blocks) for index in slots]
    begun, bytes_ = _car(root, [(root, manifest.to_bytes())]), _bytes_of(blocks, manifest.size)

    async def pieces(step: int) -> Pieces:
        async for piece in begun.pieces(step):
            yield piece
        for cid in lists:
            data = await shelf.block(cid)
            for piece in _cut(section_head(cid, len(data)), data, step):
                yield piece
        digests: Sequence[bytes] = []
        async with aclosing(_slices(shelf, root.digest, bytes_, BLOCK_BYTES)) as found:
            for place, index in enumerate(blocks):
                if place % SEGMENT_BLOCKS == 0:
                    digests = await shelf.digests(root.digest, index, min(SEGMENT_BLOCKS, blocks.stop - index))
                head = section_head(Cid("raw", digests[place % SEGMENT_BLOCKS]), BLOCK_BYTES)
                yield head, _padded((await anext(found))[1])

    listed = block_list_bytes(manifest.blocks_per_slot)
    length = begun.length + len(lists) * section_bytes(listed) + len(blocks) * section_bytes(BLOCK_BYTES)
    return Body(length, begun.content + len(lists) * listed + len(blocks) * BLOCK_BYTES, pieces)


def _car(root: Cid, blocks: Sequence[tuple[Cid, bytes]]) -> Body:
    return _framed(header([root]), [(section_head(cid, len(data)), data) for cid, data in blocks])


def _framed(head: bytes, blocks: Sequence[tuple[bytes, bytes]]) -> Body:
    async def pieces(step: int) -> Pieces:
        yield head, b""
        for framing, data in blocks:
            for piece in _cut(framing, data, step):
                yield piece

    content = sum(len(data) for _, data in blocks)
    return Body(len(head) + sum(len(framing) for framing, _ in blocks) + content, content, pieces)


def _cut(framing: bytes, data: bytes, step: int) -> Iterator[Piece]:
    """``data`` in pieces, the first behind its framing."""
    view = memoryview(data)
    for start in range(0, max(1, len(view)), step):
        yield framing if start == 0 else b"", view[start : start + step]


def _padded(block: bytes | memoryview) -> bytes | memoryview:
    return block if len(block) == BLOCK_BYTES else bytes(block).ljust(BLOCK_BYTES, b"\0")


def _blocks_of(part: range) -> range:
    """The blocks in which these bytes are."""
    return range(part.start // BLOCK_BYTES, (part.stop - 1) // BLOCK_BYTES + 1)


def _bytes_of(blocks: range, size: int) -> range:
    """Their bytes, in a file of ``size``."""
    return range(blocks.start * BLOCK_BYTES, min(blocks.stop * BLOCK_BYTES, size))


async def _slices(shelf: Shelf, dataset: bytes, part: range, step: int) -> Pieces:
    """Bytes ``part`` of a file, ``step`` at a time; where a segment ends, less."""
    segments = _Segments(shelf, dataset)
    try:
        start = part.start
        while start < part.stop:
            number, begin = divmod(start, SEGMENT_BYTES)
            end = min(begin + step, SEGMENT_BYTES, part.stop - start + begin)
            if end > AHEAD and part.stop > (number + 1) * SEGMENT_BYTES:
                segments.ask(number + 1)
            start += end - begin
            yield b"", (await segments.get(number, end))[begin:end]
    finally:
        segments.give_up()


class _Segments:
    """One segment of a file at a time, and the next when it is asked for; both for HOLD at most."""

    def __init__(self, shelf: Shelf, dataset: bytes) -> None:
        self._shelf = shelf
        self._dataset = dataset
        self._number = -1
        self._data: memoryview | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._asked = -1
        self._ahead: asyncio.Task[memoryview] | None = None

    async def get(self, number: int, end: int) -> memoryview:
        """Segment ``number``. Raises Corrupt where it ends before ``end``, and what the shelf raises."""
        if self._data is None or self._number != number:
            ahead = self._ahead if self._asked == number else None
            self._data = None
            self._data = await ahead if ahead else await self._shelf.segment(self._dataset, number)
            self._give_up_later()
            self._number, self._ahead = number, None
        if len(self._data) < end:
            raise Corrupt(f"Segment {number} of {self._dataset.hex()} is cut short", f"it has {len(self._data)} bytes")
        return self._data

    def ask(self, number: int) -> None:
        """Have segment ``number`` brought."""
        if self._asked != number:
            self._asked, self._ahead = number, asyncio.create_task(self._bring(number))
            self._ahead.add_done_callback(_heard)

    async def _bring(self, number: int) -> memoryview:
        return await self._shelf.segment(self._dataset, number)

    def _give_up_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(HOLD, self.give_up)

    def give_up(self) -> None:
        """Keep nothing, and bring nothing."""
        self._data, self._asked = None, -1
        if self._ahead is not None:
            self._ahead.cancel()
            self._ahead = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _heard(task: asyncio.Task[memoryview]) -> None:
    """What fails ahead of its time is told when its turn comes; nobody else need hear of it."""
    if not task.cancelled():
        task.exception()
