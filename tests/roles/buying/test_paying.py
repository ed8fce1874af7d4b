"""When a reader pays that need not yet."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from agents.core.channels.offers import Offer
from agents.core.dataset.cid import Cid
from agents.net.endpoint import Peer
from tests.roles.buying.town import BLOCK, Funds, town

PRICE = 7


def test_of_answers_that_arrive_together_the_last_is_paid_with_all_others(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            cache, manifest = await here.open_cache(PRICE), here.manifest
            async with here.reader(funds=Funds()) as reader:
                client, lanes = reader.shop._client, reader.shop._lanes
                assert lanes is not None
                payer, digests = await lanes.payer(cache.peer), here.made.listed[manifest.digest]

                def pair(first: int) -> AsyncGenerator[bytes, None]:
                    wanted = digests[first : first + 2]
                    return client.blocks(
                        cache.peer, Cid("dag-cbor", manifest.digest), manifest.size, first, wanted, payer
                    )

                async with aclosing(pair(0)) as one, aclosing(pair(2)) as other:
                    await anext(one)
                    assert len([block async for block in other]) == 2
                    assert cache.earned == 0
                    assert len([block async for block in one]) == 1
                assert cache.earned == 4 * BLOCK * PRICE and cache.unpaid == 0

    asyncio.run(story())


def test_answers_that_end_while_a_voucher_is_on_its_way_are_paid(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            cache, manifest = await here.open_cache(PRICE), here.manifest
            async with here.reader(funds=Funds()) as reader:
                client, lanes = reader.shop._client, reader.shop._lanes
                assert lanes is not None
                payer, digests = await lanes.payer(cache.peer), here.made.listed[manifest.digest]
                quick = client.vouch

                async def vouch(peer: Peer, payment: str, within: float | None = None) -> Offer | None:
                    await asyncio.sleep(0.3)
                    return await quick(peer, payment, within)

                client.vouch = vouch  # type: ignore[method-assign]

                async def read(first: int, count: int, pause: float) -> None:
                    cid, wanted = Cid("dag-cbor", manifest.digest), digests[first : first + count]
                    run = client.blocks(cache.peer, cid, manifest.size, first, wanted, payer)
                    async with aclosing(run) as blocks:
                        async for _ in blocks:
                            await asyncio.sleep(pause)

                await asyncio.gather(read(0, 9, 0.0), read(9, 2, 0.1))  # the voucher for eight leaves as the first ends
                assert cache.earned == 11 * BLOCK * PRICE and cache.unpaid == 0

    asyncio.run(story())
