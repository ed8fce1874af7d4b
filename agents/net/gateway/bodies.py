"""What an answer's body consists of, piece by piece as it is sent: one segment of a file at hand, and the next when it is near.

A segment may have left the cache's memory while it is sent: then it is in memory for this reader alone. So it is given up where
the reader takes too long over it, and asked for again: no frame here keeps a view while a piece is on its way.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from agents.core.dataset.car import header, section_bytes, section_head
from agents.core.dataset.cid import Cid
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.segments import SEGMENT_BYTES
from agents.core.dataset.unixfs import FileTree, Inner
from agents.core.errors import Corrupt
from agents.net.shelf import Shelf

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
    fetched: tuple[bytes, range] | None = None
    """(dataset, bytes of its file) that are fetched as they are sent; all else is here."""


def plain(data: bytes) -> Body:
    """One block as it is."""
    return _framed(b"", [(b"", data)])


def of_file(shelf: Shelf, dataset: bytes, part: range) -> Body:
    """Bytes ``part`` of a file."""
    return Body(len(part), len(part), lambda step: _slices(shelf, dataset, part, step), (dataset, part))


def empty_car() -> Body:
    """The CAR of the empty probe."""
    return _framed(_EMPTY_CAR, [])


def car_of_block(cid: Cid, data: bytes) -> Body:
    """A CAR of one block."""
    return _framed(header([cid]), [(section_head(cid, len(data)), data)])


def car_of_tree(shelf: Shelf, dataset: bytes, tree: FileTree, root: Cid, part: range, once: bool) -> Body:
    """A CAR of what verifies bytes ``part`` of a public file below ``root``; ``once``: with no block twice."""
    first, last = part.start // BLOCK_BYTES, (part.stop - 1) // BLOCK_BYTES
    whole = range(first * BLOCK_BYTES, min((last + 1) * BLOCK_BYTES, tree.size))
    head, sizes = header([root]), list(tree.sizes(first, last, once, root))

    async def pieces(step: int) -> Pieces:
        framing = head
        with _segments(shelf, dataset, whole.stop) as segments:
            for node in tree.walk(first, last, once, root):
                if isinstance(node, Inner):
                    yield framing + section_head(node.cid, len(node.data)), node.data
                else:
                    start = node.index * BLOCK_BYTES
                    stop = min(start + BLOCK_BYTES, tree.size)
                    yield framing + section_head(node.cid, stop - start), await segments.get(start, stop)
                framing = b""

    length = len(head) + sum(count * section_bytes(size) for count, size in sizes)
    return Body(length, sum(count * size for count, size in sizes), pieces, (dataset, whole))


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


async def _slices(shelf: Shelf, dataset: bytes, part: range, step: int) -> Pieces:
    """Bytes ``part`` of a file, ``step`` at a time; where a segment ends, less."""
    with _segments(shelf, dataset, part.stop) as segments:
        start = part.start
        while start < part.stop:
            stop = min(start + step, (start // SEGMENT_BYTES + 1) * SEGMENT_BYTES, part.stop)
            yield b"", await segments.get(start, stop)
            start = stop


@contextmanager
def _segments(shelf: Shelf, dataset: bytes, end: int) -> Iterator["_Segments"]:
    found = _Segments(shelf, dataset, end)
    try:
        yield found
    finally:
        found.give_up()


class _Segments:
    """One segment of a file at a time, and the next when half of it is read, up to byte ``end``; both for HOLD at most."""

    def __init__(self, shelf: Shelf, dataset: bytes, end: int) -> None:
        self._shelf = shelf
        self._dataset = dataset
        self._end = end
        self._number = -1
        self._data: memoryview | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._asked = -1
        self._ahead: asyncio.Task[memoryview] | None = None

    async def get(self, start: int, stop: int) -> memoryview:
        """Bytes of one segment, by their places in the file. Raises Corrupt where it ends before, and what the shelf raises."""
        number = start // SEGMENT_BYTES
        begin, end = start - number * SEGMENT_BYTES, stop - number * SEGMENT_BYTES
        if end > AHEAD and self._end > (number + 1) * SEGMENT_BYTES:
            self._ask(number + 1)
        if self._data is None or self._number != number:
            self._data = None
            if self._asked == number and self._ahead is not None:
                ahead, self._ahead = self._ahead, None  # it is waited for, so it is not given up any more
                self._data = await ahead
            else:
                self._data = await self._shelf.segment(self._dataset, number)
            self._give_up_later()
            self._number = number
        if len(self._data) < end:
            raise Corrupt(f"Segment {number} of {self._dataset.hex()} is cut short", f"it has {len(self._data)} bytes")
        return self._data[begin:end]

    def _ask(self, number: int) -> None:
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
