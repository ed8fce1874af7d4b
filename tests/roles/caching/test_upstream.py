"""A cache behind another cache."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agents.net.gateway.server import Gateway
from agents.net.shelf import Shelf
from agents.roles.caching.shelf import CachingShelf
from tests.net.peers import answering, raw_peer
from tests.roles.caching.street import street
from tests.roles.caching.test_shelf import whole


@asynccontextmanager
async def open_to_all(shelf: Shelf) -> AsyncIterator[str]:
    """The URL of a gateway that serves a shelf for nothing."""
    gateway = Gateway(shelf)
    port = await gateway.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await gateway.stop()


def test_what_another_cache_gives_is_not_asked_of_hosts_and_what_it_lacks_is(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place, place.cache("first") as (first, _):
            await whole(first, place)
            before = place.blocks_read
            async with open_to_all(first) as url, place.cache("second", upstream=url) as (second, _):
                assert bytes(await second.segment(place.manifest.digest, 5)) == place.segment(5)
                assert bytes(await second.segment(place.manifest.digest, 0)) == place.segment(0)
                assert place.blocks_read == before and first.figures.hot == 2
            async with place.cache("third", upstream=url) as (third, _):
                assert await whole(third, place) == place.sealed
            assert place.blocks_read == before + place.manifest.blocks

    asyncio.run(story())


class Forger(CachingShelf):
    """A cache that changes a bit on the way out."""

    async def segment(self, dataset: bytes, number: int) -> memoryview:
        data = bytearray(await super().segment(dataset, number))
        data[-1] ^= 1
        return memoryview(data)


def test_a_cache_that_lies_is_found_out_and_left_alone(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place, place.cache("first") as (first, _):
            first.__class__ = Forger
            async with open_to_all(first) as url, place.cache("second", upstream=url) as (second, _):
                assert await whole(second, place) == place.sealed
                assert first.figures.origin == 1, "it is asked once"

    asyncio.run(story())


def test_a_cache_that_asks_for_money_is_passed_over(tmp_path: Path) -> None:
    async def story() -> None:
        refusal = answering("HTTP/1.1 402 Payment Required\nContent-Length: 2\nConnection: close", b"{}")
        async with (
            street(tmp_path) as place,
            raw_peer(refusal) as dear,
            place.cache(upstream=dear.endpoint) as (shelf, _),
        ):
            assert await whole(shelf, place) == place.sealed

    asyncio.run(story())
