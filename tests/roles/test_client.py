"""A client between approving a price and posting the request."""

import asyncio
from contextlib import AsyncExitStack

from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.journal import MemoryJournal
from agents.chain.rpc import Rpc
from agents.core.market.types import Ask, Content, Request
from agents.core.units import TOKEN
from agents.net.client import PeerClient
from agents.roles.actor import Actor
from agents.roles.client import Client
from tests.chain.ground import market_on


def test_an_allowance_that_another_request_used_up_is_given_anew() -> None:
    async def act() -> None:
        async with AsyncExitStack() as stack:
            anvil = stack.enter_context(Anvil(AnvilOptions(block_time=None)))
            rpc = await stack.enter_async_context(Rpc(anvil.url))
            actor = Actor(rpc, await market_on(rpc), dev_account(0), MemoryJournal())
            peers = await stack.enter_async_context(PeerClient(actor.deployment.reference))
            client, token, registry = Client(actor, peers), actor.token, actor.deployment.registry
            rate = TOKEN // 10**9
            ask = Ask(1, 2, 1, 1, 5_000, 65_536, 7_200, rate, await least_collateral(actor))
            first, second = (Request(actor.address, ask, Content(bytes(32), 1), 600, bytes([n]) * 32) for n in (1, 2))
            # Killed between the two: approved and not posted; then the other request takes the allowance.
            await actor.sender.send(token.approve(registry, ask.price), f"approve:{first.id.hex()}")
            await client.post(second)
            assert await token.allowance(actor.address, registry) == 0
            await client.post(first)
            assert (await actor.market.request_of(first.id)).client == actor.address
            await client.post(first)  # once, and nothing is approved for it again
            assert await token.allowance(actor.address, registry) == 0
            await client.close()
            await actor.sender.close()

    asyncio.run(act())


async def least_collateral(actor: Actor) -> int:
    """The least a host must lock a byte."""
    return (await actor.registry.config()).stake_per_byte
