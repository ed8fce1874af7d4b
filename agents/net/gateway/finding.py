"""From a question to the answer's status, headers and body."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from agents.core.dataset.cid import Cid
from agents.net.gateway.asking import Asked
from agents.net.gateway.bodies import Body, car_of_block, car_of_tree, empty_car, of_file, plain
from agents.net.gateway.headers import headers_of
from agents.net.gateway.ranges import Unsatisfiable, byte_range
from agents.net.listening import Refusal
from agents.net.shelf import Item, Shelf


@dataclass(frozen=True, slots=True)
class Found:
    """An answer that can be sent."""

    status: int
    headers: dict[str, str]
    body: Body


class Finder:
    """Finds answers on a shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def at_hand(self, asked: Asked, wanted: str | None) -> Found | None:
        """The same as `find` where nothing need be fetched for it; else None, and nothing was."""
        if asked.cid is None or self._shelf.has_block(asked.cid):
            found = await self.find(asked, wanted)
            if found.body.fetched is None or self._shelf.has_bytes(*found.body.fetched):
                return found
        return None

    async def find(self, asked: Asked, wanted: str | None) -> Found:
        """The answer; ``wanted``: a Range header. Raises Refusal, and what the shelf raises."""
        cid = asked.cid
        if cid is None:
            return Found(200, headers_of(asked), empty_car() if asked.form == "car" else plain(b""))
        item = await self._shelf.find(cid)
        if item is None:
            raise Refusal(404, "not found", "nobody has this, as far as is known here")
        headers = headers_of(asked, item.name, item.dataset)
        if asked.form == "car":
            return Found(200, headers, await self._car(asked, cid, item))
        if asked.form == "sealed" and item.kind != "file":
            raise Refusal(404, "not found", "this is no manifest")
        whole = asked.form == "sealed" or (asked.form == "file" and cid.codec != "dag-cbor")
        if whole and item.kind == "file" and item.dataset:
            dataset = item.dataset
            return _part(headers, item.size, wanted, lambda part: of_file(self._shelf, dataset, _shifted(part, item)))
        data = await self._shelf.block(cid)
        return _part(headers, len(data), wanted, lambda part: plain(data[part.start : part.stop]))

    async def _car(self, asked: Asked, cid: Cid, item: Item) -> Body:
        part = _bytes_of(asked, item.size) if item.kind == "file" and cid.codec != "dag-cbor" else None
        if part and item.dataset is not None:
            tree = await self._shelf.tree(item.dataset)
            if asked.once:
                await asyncio.to_thread(lambda: tree.twins)  # of a large file for the first time: for seconds
            return car_of_tree(self._shelf, item.dataset, tree, cid, _shifted(part, item), asked.once)
        return car_of_block(cid, await self._shelf.block(cid))


def _part(headers: dict[str, str], size: int, wanted: str | None, body: Callable[[range], Body]) -> Found:
    """All of ``size`` bytes, or the range of them that is wanted."""
    try:
        part = byte_range(wanted, size) if wanted else None
    except Unsatisfiable:
        raise Refusal(416, "range", f"it has {size} bytes", {"Content-Range": f"bytes */{size}"}) from None
    if part is None:
        return Found(200, headers, body(range(size)))
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    return Found(206, headers, body(part))


def _shifted(part: range, item: Item) -> range:
    """The same bytes by their places in the file that ``item`` may be a part of."""
    return range(item.start + part.start, item.start + part.stop)


def _bytes_of(asked: Asked, size: int) -> range:
    """The bytes that a CAR is to verify, of a file of ``size``; none: its root alone."""
    if asked.span is None:
        return range(0 if asked.scope == "block" else size)
    part = asked.span.within(size)
    if part.start >= size:
        raise Refusal(400, "entity-bytes", f"it has {size} bytes")
    return part
