"""What an answer's body consists of, piece by piece as it is sent: never more than two segments of a file at hand."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from agents.core.dataset.car import header, section_bytes, section_head
from agents.core.dataset.cid import Cid
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest, block_list_bytes
from agents.core.dataset.unixfs import FileTree, Inner
from agents.core.errors import Corrupt
from agents.net.shelf import SEGMENT_BLOCKS, SEGMENT_BYTES, Shelf

HALF = SEGMENT_BYTES // 2

Piece = tuple[bytes, bytes | memoryview]
"""Framing, which is free, and the content behind it."""

_EMPTY_CAR = b"\x19\xa2\x65roots\x81\xd8\x2a\x45\0\x01\x55\0\0\x67version\x01"
"""Its root is the identity CID of nothing, which needs no block."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body."""

    length: int
    """Bytes of it."""
    content: int
    """Bytes of blocks in it: what is paid for."""
    pieces: Callable[[], AsyncGenerator[Piece, None]]


def plain(data: bytes) -> Body:
    """One block as it is."""

    async def pieces() -> AsyncGenerator[Piece, None]:
        yield b"", data

    return Body(len(data), len(data), pieces)


def of_file(shelf: Shelf, dataset: bytes, part: range) -> Body:
    """Bytes ``part`` of a file."""

    async def pieces() -> AsyncGenerator[Piece, None]:
        async with aclosing(_slices(shelf, dataset, part)) as slices:
            async for data in slices:
                yield b"", data

    return Body(len(part), len(part), pieces)


def empty_car() -> Body:
    """The CAR of the empty probe."""
    return _framed(_EMPTY_CAR, [])


def car_of_block(cid: Cid, data: bytes) -> Body:
    """A CAR of one block."""
    return _framed(header([cid]), [(cid, data)])


def car_of_tree(shelf: Shelf, dataset: bytes, tree: FileTree, part: range | None = None) -> Body:
    """A CAR of what verifies bytes ``part`` of a public file (by default all of them)."""
    first, last = (
        (0, len(tree.leaves) - 1) if part is None else (part.start // BLOCK_BYTES, (part.stop - 1) // BLOCK_BYTES)
    )
    head = header([tree.root])
    sizes = list(tree.sizes(first, last))

    async def pieces() -> AsyncGenerator[Piece, None]:
        framing = head
        async with aclosing(_blocks(shelf, dataset, range(first, last + 1), tree.size)) as leaves:
            for node in tree.walk(first, last):
                if isinstance(node, Inner):
                    yield framing + section_head(node.cid, len(node.data)), node.data
                else:
                    leaf = await anext(leaves)
                    yield framing + section_head(node.cid, len(leaf)), leaf
                framing = b""

    length = len(head) + sum(count * section_bytes(size) for count, size in sizes)
    return Body(length, sum(count * size for count, size in sizes), pieces)


def car_of_dataset(shelf: Shelf, manifest: Manifest, part: range) -> Body:
    """A CAR of the manifest, of the block lists that verify bytes ``part`` of the sealed file, and of its blocks.

    The blocks are whole, as their lists have them: the last with the zeros behind the file.
    """
    root = Cid("dag-cbor", manifest.digest)
    blocks = range(part.start // BLOCK_BYTES, (part.stop - 1) // BLOCK_BYTES + 1)
    slots = range(blocks.start // manifest.data_blocks, (blocks.stop - 1) // manifest.data_blocks + 1)
    lists = [Cid("dag-cbor", manifest.slots[index].blocks) for index in slots]
    begun = _framed(header([root]), [(root, manifest.to_bytes())])

    async def pieces() -> AsyncGenerator[Piece, None]:
        async for piece in begun.pieces():
            yield piece
        for cid in lists:
            data = await shelf.block(cid)
            yield section_head(cid, len(data)), data
        digests: Sequence[bytes] = []
        async with aclosing(_blocks(shelf, root.digest, blocks, manifest.size)) as found:
            for place, index in enumerate(blocks):
                if place % SEGMENT_BLOCKS == 0:
                    digests = await shelf.digests(root.digest, index, min(SEGMENT_BLOCKS, blocks.stop - index))
                block = await anext(found)
                whole = block if len(block) == BLOCK_BYTES else bytes(block).ljust(BLOCK_BYTES, b"\0")
                yield section_head(Cid("raw", digests[place % SEGMENT_BLOCKS]), BLOCK_BYTES), whole

    listed = block_list_bytes(manifest.blocks_per_slot)
    length = begun.length + len(lists) * section_bytes(listed) + len(blocks) * section_bytes(BLOCK_BYTES)
    return Body(length, begun.content + len(lists) * listed + len(blocks) * BLOCK_BYTES, pieces)


def _framed(head: bytes, blocks: Sequence[tuple[Cid, bytes]]) -> Body:
    async def pieces() -> AsyncGenerator[Piece, None]:
        yield head, b""
        for cid, data in blocks:
            yield section_head(cid, len(data)), data

    content = sum(len(data) for _, data in blocks)
    return Body(len(head) + sum(section_bytes(len(data)) for _, data in blocks), content, pieces)


async def _blocks(shelf: Shelf, dataset: bytes, blocks: range, size: int) -> AsyncGenerator[memoryview, None]:
    """Blocks of a file of ``size`` bytes; its last is as short as it is."""
    part = range(blocks.start * BLOCK_BYTES, min(blocks.stop * BLOCK_BYTES, size))
    async with aclosing(_slices(shelf, dataset, part)) as slices:
        async for data in slices:
            for start in range(0, len(data), BLOCK_BYTES):
                yield data[start : start + BLOCK_BYTES]


async def _slices(shelf: Shelf, dataset: bytes, part: range) -> AsyncGenerator[memoryview, None]:
    """Bytes ``part`` of a file, half a segment at a time; the next segment is asked for once a half was sent.

    Not before: whoever stops reading has one segment kept for it, not two.
    """
    numbers = range(part.start // SEGMENT_BYTES, -(-part.stop // SEGMENT_BYTES))
    ahead: asyncio.Task[memoryview] | None = None
    try:
        for number in numbers:
            data = await ahead if ahead else await shelf.segment(dataset, number)
            ahead = None
            start = number * SEGMENT_BYTES
            wanted = range(max(part.start - start, 0), min(part.stop - start, SEGMENT_BYTES))
            if len(data) < wanted.stop:
                raise Corrupt(f"Segment {number} of {dataset.hex()} is cut short", f"it has {len(data)} bytes")
            for begin in (0, HALF):
                if begin and number + 1 in numbers:
                    ahead = asyncio.create_task(_segment(shelf, dataset, number + 1))
                if half := data[max(wanted.start, begin) : min(wanted.stop, begin + HALF)]:
                    yield half
    finally:
        if ahead is not None:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)


async def _segment(shelf: Shelf, dataset: bytes, number: int) -> memoryview:
    return await shelf.segment(dataset, number)


async def stepwise(body: Body, step: int) -> AsyncGenerator[Piece, None]:
    """The pieces of a body, none with more content than ``step``."""
    async with aclosing(body.pieces()) as pieces:
        async for framing, data in pieces:
            if len(data) <= step:
                yield framing, data
                continue
            view = memoryview(data)
            for start in range(0, len(view), step):
                yield framing if start == 0 else b"", view[start : start + step]
