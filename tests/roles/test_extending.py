"""A client that keeps its requests from ending, on a real chain: it pays once for each end, and no more than its budget."""

import asyncio
from collections.abc import Awaitable, Callable

from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.deploy import deploy
from agents.chain.journal import Journal, MemoryJournal
from agents.chain.rpc import Rpc
from agents.core.agents.client import AutoExtend
from agents.core.market.view import MarketView
from agents.core.units import TOKEN
from agents.roles.actor import Actor
from agents.roles.extending import Extending
from tests.chain.ground import ACCEPT_ALL, sender_of, stake
from tests.chain.test_view import ASK, CONFIG, STAKES, History

CLIENT = 7
EXTRA = 300
PRICE = 3 * EXTRA * ASK.rate
POLICY = AutoExtend(EXTRA, at_least_left=5_000, budget=2 * PRICE + 1)


class Role:
    """The role over one journal; what is on disk outlives it."""

    def __init__(self, history: History, journal: Journal) -> None:
        self.history = history
        self.actor = Actor(history.rpc, history.deployment, dev_account(CLIENT), journal)
        self.extending = Extending(self.actor, POLICY)

    async def look(self, view: MarketView, behind: int = 0) -> None:
        """A step, and some time for what it starts."""
        block = await self.history.rpc.block_number() - behind
        await self.extending.step(view, block, int(view.last.timestamp if view.last else 0))

    async def close(self) -> None:
        await self.extending.close()
        await self.actor.sender.close()


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await done():  # noqa: ASYNC110 - the chain rings no bell
            await asyncio.sleep(0.05)


async def story(anvil: Anvil) -> None:
    async with Rpc(anvil.url) as rpc:
        bank = sender_of(rpc, 0)
        deployment = await deploy(bank, verifier=ACCEPT_ALL, profile="", stake=STAKES, market=CONFIG)
        await bank.close()
        for n in (1, 2, 3, CLIENT):
            await stake(rpc, deployment, n, [9_000 * TOKEN] if n < CLIENT else [])
        history = History(rpc, deployment, 0)
        await history.post()
        await history.fill()
        request = history.request
        assert request is not None
        # Its first allowance is what one extension costs: for the second the role asks itself.
        token = Actor(rpc, deployment, dev_account(CLIENT), MemoryJournal()).token
        assert await history.send(CLIENT, token.approve(deployment.registry, PRICE))

        async def view() -> MarketView:
            return MarketView(CONFIG, STAKES).after_all(await history.events())

        async def end() -> int:
            return (await history.market.request_of(request.id)).ends_at

        first, before, journal = await end(), await view(), MemoryJournal()
        role = Role(history, journal)
        await role.look(before)
        await role.look(before)

        async def extended_once() -> bool:
            return await end() == first + EXTRA

        await until(extended_once)
        await role.look(before, behind=1)  # a view that does not have it yet
        await asyncio.sleep(0.3)
        await role.close()

        # Restarted on the same disk, whatever it sees first.
        again = Role(history, journal)
        await again.look(before, behind=1)
        await again.look(before)
        await asyncio.sleep(0.3)
        assert await end() == first + EXTRA

        async def extended_twice() -> bool:
            return await end() == first + 2 * EXTRA

        await again.look(await view())
        await until(extended_twice)
        await again.look(await view())  # the budget is used up but for one base unit
        await asyncio.sleep(0.3)
        assert await end() == first + 2 * EXTRA
        assert sum((await view()).requests[request.id].funded.values()) == 2 * PRICE
        await again.close()
        for sender in history.senders.values():
            await sender.close()


def test_each_end_is_paid_for_once_and_the_budget_is_the_limit() -> None:
    with Anvil(AnvilOptions(block_time=None)) as anvil:
        asyncio.run(story(anvil))
