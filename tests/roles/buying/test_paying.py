"""When a reader pays that need not yet."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from agents.core.dataset.cid import Cid
from agents.net.caches import CacheClient
from agents.net.endpoint import Peer
from tests.roles.buying.town import BLOCK, Cache, Funds, town

PRICE = 7
Run = Callable[[int, int], AsyncGenerator[bytes, None]]


@asynccontextmanager
async def paid_reads(folder: Path) -> AsyncIterator[tuple[Cache, CacheClient, Run]]:
    """A cache, the reader's client, and what reads so many blocks from the first one on, all in one lane."""
    async with town(folder) as here:
        cache, manifest = await here.open_cache(PRICE), here.manifest
        async with here.reader(funds=Funds()) as reader:
            client, lanes = reader.shop._client, reader.shop._lanes
            assert lanes is not None
            payer, digests = await lanes.payer(cache.peer), here.made.listed[manifest.digest]

            def run(first: int, count: int) -> AsyncGenerator[bytes, None]:
                cid, wanted = Cid("dag-cbor", manifest.digest), digests[first : first + count]
                return client.blocks(cache.peer, cid, manifest.size, first, wanted, payer)

            yield cache, client, run


def test_of_answers_that_arrive_together_the_last_is_paid_with_all_others(tmp_path: Path) -> None:
    async def story() -> None:
        async with paid_reads(tmp_path) as (cache, _, run):
            async with aclosing(run(0, 2)) as one, aclosing(run(2, 2)) as other:
                await anext(one)
                assert len([block async for block in other]) == 2
                assert cache.earned == 0
                assert len([block async for block in one]) == 1
            assert cache.earned == 4 * BLOCK * PRICE and cache.unpaid == 0

    asyncio.run(story())


def test_answers_that_end_while_a_voucher_is_on_its_way_are_paid(tmp_path: Path) -> None:
    async def story() -> None:
        async with paid_reads(tmp_path) as (cache, client, run):
            quick = client.vouch

            async def vouch(peer: Peer, payment: str, within: float | None = None) -> bytes:
                await asyncio.sleep(0.3)
                return await quick(peer, payment, within)

            client.vouch = vouch  # type: ignore[method-assign]

            async def read(first: int, count: int, pause: float) -> None:
                async with aclosing(run(first, count)) as blocks:
                    async for _ in blocks:
                        await asyncio.sleep(pause)

            await asyncio.gather(read(0, 9, 0.0), read(9, 2, 0.1))  # the voucher for eight leaves as the first ends
            assert cache.earned == 11 * BLOCK * PRICE and cache.unpaid == 0

    asyncio.run(story())
