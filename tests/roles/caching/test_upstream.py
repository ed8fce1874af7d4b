"""A cache behind another cache."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agents.core.dataset.cid import Cid
from agents.core.errors import NotFound, PeerError
from agents.net.caches import CacheClient
from agents.net.gateway.server import Gateway
from agents.net.shelf import Gone, Item, Shelf
from agents.roles.caching.hosts import Reputations
from agents.roles.caching.shelf import CachingShelf
from agents.roles.caching.upstream import PAUSE, FreeCache
from agents.store.cache.disk import Name
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


@pytest.mark.parametrize("key", [None, bytes(range(32))])
def test_a_cache_that_knows_no_market_has_what_another_has_by_any_cid(tmp_path: Path, key: bytes | None) -> None:
    async def story() -> None:
        async with street(tmp_path, key=key) as place, place.cache("first") as (first, _):
            manifest, before = place.manifest, Cid("dag-cbor", place.manifest.digest)
            await whole(first, place)
            async with open_to_all(first) as url:
                async with place.cache("second", upstream=url, market=False) as (second, _):
                    assert await second.find(Cid("raw", bytes(32))) is None
                    with pytest.raises(NotFound):
                        await second.block(Cid("dag-cbor", bytes(32)))
                    leaf = place.dataset.digests(1)[3]
                    assert await second.block(Cid("raw", leaf)) == await first.block(Cid("raw", leaf))
                    assert await whole(second, place) == place.sealed
                if manifest.ipfs is not None:
                    tree = await first.tree(manifest.digest)
                    for cid in (manifest.ipfs, Cid("raw", tree.leaves[-1])):
                        async with place.cache(f"by {cid}", upstream=url, market=False) as (third, _):
                            found = await third.find(cid)
                            assert found == await first.find(cid)
                async with place.cache("last", upstream=url, market=False) as (last, disk):
                    for cid in (Cid("dag-cbor", manifest.slots[0].blocks), before):
                        assert await last.block(cid) == await first.block(cid)
                    assert Name(manifest.digest, "manifest") in disk
            async with place.cache("late", upstream=url, market=False) as (late, _):
                with pytest.raises(PeerError):
                    await late.find(before)

    asyncio.run(story())


def test_a_cache_that_names_another_dataset_than_a_block_is_of_is_believed_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place:
            manifest = str(Cid("dag-cbor", place.manifest.digest))
            hint = f"HTTP/1.1 200 OK\nHoldfast-Manifest: {manifest}\nContent-Length: 0\nConnection: close"
            async with raw_peer(answering(hint)) as liar:
                async with place.cache(upstream=liar.endpoint, market=False) as (shelf, _):
                    with pytest.raises(NotFound):
                        await shelf.find(Cid("dag-pb", bytes(32)))
                async with place.cache(upstream=liar.endpoint) as (shelf, _):
                    assert await whole(shelf, place) == place.sealed
            hint = hint.replace(manifest, "what?")
            async with (
                raw_peer(answering(hint)) as liar,
                place.cache("other", upstream=liar.endpoint, market=False) as (shelf, _),
            ):
                with pytest.raises(PeerError, match="names a manifest that is none"):
                    await shelf.find(Cid("raw", bytes(32)))

    asyncio.run(story())


GONE, SLOW = Cid("raw", bytes(32)), Cid("raw", bytes([1]) * 32)


class Poor(CachingShelf):
    """A cache that cannot have everything."""

    async def find(self, cid: Cid) -> Item | None:
        if cid == GONE:
            raise Gone("It is gone")
        if cid == SLOW:
            raise PeerError("Nobody answers")
        return await super().find(cid)


def test_that_a_cache_cannot_have_one_thing_keeps_nobody_from_the_others(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place, place.cache("first") as (first, _):
            await whole(first, place)
            first.__class__ = Poor
            async with open_to_all(first) as url, place.cache("second", upstream=url, market=False) as (second, _):
                for cid in (GONE, SLOW):
                    with pytest.raises(PeerError):
                        await second.find(cid)
                assert await whole(second, place) == place.sealed

    asyncio.run(story())


def test_a_cache_that_was_down_for_long_is_asked_again_soon() -> None:
    async def story() -> None:
        now = 0.0
        reputations = Reputations(lambda: now)
        async with CacheClient() as client:
            upstream = FreeCache(client, "http://127.0.0.1:1", reputations)
            for _ in range(12):
                with pytest.raises(PeerError, match="cannot be reached"):
                    await upstream.document(bytes(32))
                with pytest.raises(PeerError, match="left alone"):
                    await upstream.document(bytes(32))
                now += PAUSE

    asyncio.run(story())
