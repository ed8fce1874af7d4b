"""A slot at a cache that is slow, or failed before: left for others where there are any, and asked all the same where not."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from agents.core.dataset.cid import Cid
from agents.core.errors import PeerError
from agents.net.caches import CacheClient, Pace
from agents.net.endpoint import Peer
from agents.net.errors import PeerCorrupt, PeerDown, PeerSlow
from agents.net.fetch import SlotSource
from agents.net.paying import Payer
from agents.roles.buying import slots
from agents.roles.buying.caches import Caches
from agents.roles.buying.shop import Shop
from agents.roles.buying.slots import GRACE, LEAST_RATE
from agents.store.state import StateStore
from tests.roles.buying.town import BLOCK, town

CACHE = Peer("http://127.0.0.1:1", "")
COUNT = 20
"""Blocks read of a slot."""


class Scripted(CacheClient):
    """A cache that takes ``each`` seconds for a block, and has ``fault``."""

    def __init__(self, each: float = 0.0, fault: PeerError | None = None) -> None:
        super().__init__()
        self.each = each
        self.fault = fault
        self.asked = 0
        self.now = 0.0

    async def blocks(
        self, cache: Peer, manifest: Cid, size: int, first: int, digests: Sequence[bytes], payer: Payer | None = None,
        pace: Pace | None = None,
    ) -> AsyncGenerator[bytes, None]:  # fmt: skip
        assert pace is not None
        self.asked += 1
        for _ in digests:
            if self.fault is not None:
                raise self.fault
            self.now += self.each
            pace.bytes += BLOCK
            yield bytes(BLOCK)


@asynccontextmanager
async def slots_at(folder: Path, client: CacheClient) -> AsyncIterator[list[SlotSource]]:
    """The slots of a file, each at one cache."""
    state = StateStore(folder / "reader.db")
    async with town(folder) as here:
        shop = Shop(client, Caches(client, state, lambda: 1_700_000_000), None, 0, 1.0, [CACHE])
        replicated = await shop.in_front(here.manifest, here.hosted())
        yield [each.sources[0] for each in replicated if hasattr(each, "sources")]
    state.close()


async def read(slot: SlotSource) -> int:
    return len([block async for block in slot.blocks(0, COUNT)])


def test_a_cache_that_drips_is_left_and_not_met_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        client = Scripted()
        monkeypatch.setattr(slots, "time", SimpleNamespace(monotonic=lambda: client.now))
        async with slots_at(tmp_path, client) as (first, second, third):
            client.each = 4 * len((first, second, third)) * BLOCK / LEAST_RATE
            with pytest.raises(PeerSlow, match="too slow"):
                await read(first)
            assert GRACE < client.now < 2 * GRACE
            with pytest.raises(PeerDown, match="left alone"):
                await read(second)
            assert client.asked == 1
            assert await read(first) == COUNT, "nobody else had it"

    asyncio.run(story())


def test_a_slow_line_that_the_slots_of_a_file_share_is_no_fault_of_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        client = Scripted()
        monkeypatch.setattr(slots, "time", SimpleNamespace(monotonic=lambda: client.now))
        async with slots_at(tmp_path, client) as sources:
            client.each = len(sources) * BLOCK / LEAST_RATE
            assert await read(sources[0]) == COUNT
            assert client.now > GRACE + COUNT * BLOCK / LEAST_RATE, "slower than one slot alone may be"

    asyncio.run(story())


def test_a_cache_that_was_down_for_a_moment_is_asked_again_where_no_other_is(tmp_path: Path) -> None:
    async def story() -> None:
        client = Scripted(fault=PeerDown(CACHE.endpoint, "cut the connection"))
        async with slots_at(tmp_path, client) as (first, second, third):
            with pytest.raises(PeerDown, match="cut"):
                await read(first)
            with pytest.raises(PeerDown, match="left alone"):
                await read(second)
            client.fault = None
            assert await read(second) == COUNT
            assert await read(third) == COUNT, "it is as good as any again"

    asyncio.run(story())


def test_a_liar_is_not_asked_even_where_no_other_is(tmp_path: Path) -> None:
    async def story() -> None:
        client = Scripted(fault=PeerCorrupt(CACHE.endpoint, "sends corrupt data"))
        async with slots_at(tmp_path, client) as (first, *_):
            for fault in ("corrupt", "left alone", "left alone"):
                with pytest.raises(PeerError, match=fault):
                    await read(first)
            assert client.asked == 1

    asyncio.run(story())
