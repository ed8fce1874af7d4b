"""Every event once and in order, whatever the chain and its endpoint do."""

import asyncio
from typing import Any

import pytest

from agents.chain.anvil import Anvil, dev_account
from agents.chain.contracts import Registry
from agents.chain.cursor import Batch, EventCursor, Position, Reorged
from agents.chain.deploy import Deployment
from agents.chain.logs import market_decoder
from agents.chain.rpc import Rpc, RpcError
from agents.core.errors import ChainLies
from agents.core.market.events import Deposited, Registered
from tests.chain.ground import market_on, sender_of, stake, twisted


class Story:
    """A consumer: what it holds after following the cursor's steps."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.reorgs = 0

    def take(self, step: Batch | Reorged) -> None:
        if isinstance(step, Reorged):
            self.reorgs += 1
            self.events = [event for event in self.events if event.at.block_number <= step.to_block]
        else:
            self.events += step.events

    @property
    def deposits(self) -> list[int]:
        return [event.amount for event in self.events if isinstance(event, Deposited)]


def cursor_of(rpc: Rpc, made: Deployment, position: Position | None = None, confirmations: int = 0) -> EventCursor:
    decoder = market_decoder(made.marketplace, made.registry)
    addresses = [made.marketplace, made.registry]
    return EventCursor(rpc, addresses, decoder, made.block, position=position, confirmations=confirmations, poll=0.02)


async def read(cursor: EventCursor, story: Story) -> Story:
    async for step in cursor.catch_up():
        story.take(step)
    return story


def test_events_come_typed_in_order_and_once_across_cursors(anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            made = await market_on(rpc)
            await stake(rpc, made, 1, [1, 2, 3])
            cursor, story = cursor_of(rpc, made), Story()
            await read(cursor, story)
            registered = next(event for event in story.events if isinstance(event, Registered))
            assert registered.provider == dev_account(1).address
            assert registered.endpoint == f"http://{registered.provider}"
            assert registered.id == (await Registry(rpc, made.registry).provider_of(registered.provider)).id
            assert registered.at.timestamp > 0
            assert story.deposits == [1, 2, 3]
            # Another cursor goes on from the position of the first, and gets the rest only.
            await stake_more(rpc, made, 1, [4, 5])
            await read(cursor_of(rpc, made, cursor.position), story)
            assert story.deposits == [1, 2, 3, 4, 5]
            assert story.events == sorted(story.events, key=lambda event: event.at)

    asyncio.run(check())


async def stake_more(rpc: Rpc, made: Deployment, index: int, amounts: list[int]) -> None:
    sender = sender_of(rpc, index)
    for amount in amounts:
        await sender.send(Registry(rpc, made.registry).deposit(amount), f"more:{amount}")
    await sender.close()


def test_a_reorg_rolls_back_to_the_common_ancestor_and_no_further(own_anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(own_anvil.url) as rpc:
            made = await market_on(rpc)
            await stake(rpc, made, 1, [1, 2, 3])
            cursor, story = cursor_of(rpc, made), Story()
            await read(cursor, story)
            tip = await rpc.block_number()
            # The blocks of deposits 2 and 3 go; the same number of empty ones comes.
            await rpc.call("anvil_reorg", 2, [])
            step = await cursor.advance()
            assert isinstance(step, Reorged)
            assert step.to_block == tip - 2
            story.take(step)
            assert story.deposits == [1]
            await stake_more(rpc, made, 1, [7])
            await read(cursor, story)
            assert (story.deposits, story.reorgs) == ([1, 7], 1)

    asyncio.run(check())


def test_a_reorg_while_the_consumer_was_down_is_rolled_back_too(own_anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(own_anvil.url) as rpc:
            made = await market_on(rpc)
            await stake(rpc, made, 1, [1, 2])
            cursor, story = cursor_of(rpc, made), Story()
            await read(cursor, story)
            stored = cursor.position
            await rpc.call("anvil_reorg", 1, [])
            await stake_more(rpc, made, 1, [9])
            await read(cursor_of(rpc, made, stored), story)
            assert (story.deposits, story.reorgs) == ([1, 9], 1)

    asyncio.run(check())


def test_a_reorg_deeper_than_memory_starts_over(own_anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(own_anvil.url) as rpc:
            made = await market_on(rpc)
            await stake(rpc, made, 1, [1, 2, 3])
            cursor, story = cursor_of(rpc, made), Story()
            await read(cursor, story)
            assert cursor.position is not None
            forgetful = cursor_of(rpc, made, Position(cursor.position.refs[-1:]))
            await rpc.call("anvil_reorg", 2, [])
            await read(forgetful, story)
            assert (story.deposits, story.reorgs) == ([1], 1)

    asyncio.run(check())


def test_unconfirmed_blocks_are_waited_for(own_anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(own_anvil.url) as rpc:
            made = await market_on(rpc)
            await stake(rpc, made, 1, [1, 2])
            cursor = cursor_of(rpc, made, confirmations=1)
            story = await read(cursor, Story())
            assert story.deposits == [1]
            await rpc.call("anvil_reorg", 1, [])
            await rpc.call("evm_mine")
            assert (await read(cursor, story)).reorgs == 0
            assert story.deposits == [1]

    asyncio.run(check())


def test_an_endpoint_that_limits_ranges_is_asked_in_smaller_ones(anvil: Anvil) -> None:
    async def limit(method: str, params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        if method == "eth_getLogs" and int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) >= 5:
            return {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32005, "message": "range too large"}}
        return answer

    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            made = await market_on(rpc)
            await stake(rpc, made, 1, [1, 2, 3])
        async with twisted(anvil, limit) as url, Rpc(url) as limited:
            assert (await read(cursor_of(limited, made), Story())).deposits == [1, 2, 3]

    asyncio.run(check())


def test_an_endpoint_that_withholds_logs_is_noticed(anvil: Anvil) -> None:
    async def withhold(method: str, _params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        return answer | {"result": []} if method == "eth_getLogs" else answer

    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            made = await market_on(rpc)
            await stake(rpc, made, 1, [1])
        async with twisted(anvil, withhold) as url, Rpc(url) as rpc:
            with pytest.raises(ChainLies, match="withholds logs of block"):
                await read(cursor_of(rpc, made), Story())

    asyncio.run(check())


def test_an_endpoint_that_invents_logs_is_noticed(anvil: Anvil) -> None:
    async def invent(method: str, _params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        if method == "eth_getLogs" and answer["result"]:
            false = answer["result"][-1] | {"blockNumber": empty["number"], "blockHash": empty["hash"]}
            answer["result"].append(false)
        return answer

    empty: dict[str, Any] = {}

    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            made = await market_on(rpc)
            await stake(rpc, made, 1, [1])
            await rpc.call("evm_mine")
            empty.update(await rpc.call("eth_getBlockByNumber", "latest", False))
        async with twisted(anvil, invent) as url, Rpc(url) as rpc:
            with pytest.raises(ChainLies, match="invents logs of block"):
                await read(cursor_of(rpc, made), Story())

    asyncio.run(check())


def failed(answer: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32005, "message": "rate limited"}}


TROUBLES = {
    "no block number": ("eth_blockNumber", failed, 2),
    "no logs at any range": ("eth_getLogs", failed, 8),
    "a page": ("eth_blockNumber", lambda _: b"<html>", 2),
    "a node without the newest block": ("eth_getBlockByNumber", lambda answer: answer | {"result": None}, 12),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_endpoint_in_trouble_is_waited_for(anvil: Anvil, caplog: pytest.LogCaptureFixture, trouble: str) -> None:
    asked, broken, times = TROUBLES[trouble]
    left = iter(range(times))

    async def twist(method: str, _params: list[Any], answer: dict[str, Any]) -> dict[str, Any] | bytes:
        return broken(answer) if method == asked and next(left, None) is not None else answer

    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            made = await market_on(rpc)
            await stake(rpc, made, 1, [1, 2])
        story = Story()
        async with twisted(anvil, twist) as url, Rpc(url) as rpc, asyncio.timeout(30):
            steps = cursor_of(rpc, made).follow()
            while story.deposits != [1, 2]:
                story.take(await anext(steps))

    asyncio.run(check())
    assert "waiting for the chain" in caplog.text


def test_a_one_time_reader_is_told_of_trouble_at_once(anvil: Anvil) -> None:
    async def twist(method: str, _params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        return failed(answer) if method == "eth_blockNumber" else answer

    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            made = await market_on(rpc)
        async with twisted(anvil, twist) as url, Rpc(url) as rpc:
            with pytest.raises(RpcError, match="rate limited"):
                await read(cursor_of(rpc, made), Story())

    asyncio.run(check())
