"""Following a market: the past is taken in, never acted on."""

import asyncio

import pytest

from agents.chain import cursor
from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.rpc import Rpc
from agents.core.market.events import Deposited
from agents.core.units import TOKEN
from agents.runtime.follower import Follower
from agents.runtime.network import Network
from tests.chain.ground import market_on, stake


def test_the_past_comes_as_one_moment_however_many_answers_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor, "SPAN", 2)

    async def check() -> None:
        with Anvil(AnvilOptions(block_time=None)) as anvil:
            async with Rpc(anvil.url) as rpc:
                made = await market_on(rpc)
                await stake(rpc, made, 1, [100 * TOKEN, 2, 3])
                await rpc.call("anvil_mine", hex(50))
                tip = await rpc.block_number()
                moments = Follower(Network(rpc, made), poll=0.02).follow()
                first = await anext(moments)
                assert first.block == tip
                assert [event.amount for event in first.events if isinstance(event, Deposited)] == [100 * TOKEN, 2, 3]
                assert first.view.providers[dev_account(1).address].free == 100 * TOKEN + 5
                await rpc.call("anvil_mine", hex(3))
                second = await anext(moments)
                assert (second.block, second.events) == (tip + 3, ())

                # A chain that goes back further than is remembered is read anew: that is one moment too.
                monkeypatch.setattr(cursor, "MEMORY", 2)
                await rpc.call("anvil_reorg", 40, [])
                third = await anext(moments)
                assert third.reorged
                assert third.block == tip + 3
                assert third.view.providers[dev_account(1).address].free == 100 * TOKEN + 5
                await moments.aclose()  # type: ignore[attr-defined]

    asyncio.run(check())
