"""A request that a stranger extends, on a real chain: who stays, who leaves, who takes over, and where every token goes."""

import asyncio

from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.contracts import Registry, Token
from agents.chain.deploy import deploy
from agents.chain.rpc import Rpc
from agents.core.market import events as e
from agents.core.market.ledger import MARKET, Line, ledger_of
from agents.core.market.types import RequestState, SlotState, slot_id
from agents.core.market.view import MarketView
from agents.core.units import TOKEN
from tests.chain.ground import ACCEPT_ALL, sender_of, stake
from tests.chain.test_view import ASK, CONFIG, HOSTS, PROOF, STAKES, History

STAYS, NEXT, WATCHER, FUNDER, CLIENT = 1, 4, 5, 6, 7
EXTRA = 3_000


async def _pass(rpc: Rpc, now: int, until: int) -> None:
    """Blocks until the chain's clock is at ``until``, and some of the period's to spare."""
    await rpc.call("anvil_mine", hex(2), hex(max(1, until - now)))


def test_where_the_money_of_an_extension_goes() -> None:
    async def story(anvil: Anvil) -> None:
        async with Rpc(anvil.url) as rpc:
            bank = sender_of(rpc, 0)
            deployment = await deploy(bank, verifier=ACCEPT_ALL, profile="", stake=STAKES, market=CONFIG)
            token, registry = Token(rpc, deployment.token), Registry(rpc, deployment.registry)
            for n in (*HOSTS, FUNDER, CLIENT):
                await stake(rpc, deployment, n, [9_000 * TOKEN] if n < FUNDER else [])
            await bank.close()
            history = History(rpc, deployment, 0)
            market = history.market
            await history.post()
            await history.fill()
            request = history.request
            assert request is not None
            ids = [slot_id(request.id, index) for index in range(3)]
            ends = (await market.request_of(request.id)).ends_at
            before = {n: await token.balance_of(dev_account(n).address) for n in (FUNDER, CLIENT)}

            async def now() -> int:
                return int((await rpc.call("eth_getBlockByNumber", "latest", False))["timestamp"], 16)

            async def view() -> MarketView:
                return MarketView(CONFIG, STAKES).after_all(await history.events())

            assert await history.send(FUNDER, market.extend_request(request.id, EXTRA))
            assert await history.send(STAYS, market.accept_extension(ids[0], ends + EXTRA))
            assert not await history.send(STAYS, market.accept_extension(ids[0], ends + EXTRA))
            await history.compare(await view())

            await _pass(rpc, await now(), ends + CONFIG.settle_seconds)
            assert (await market.request_of(request.id)).state is RequestState.STARTED
            assert await history.send(WATCHER, market.settle(ids[1]))
            seen = (await view()).requests[request.id]
            assert [slot.state for slot in seen.slots] == [SlotState.FILLED, SlotState.DEPARTED, SlotState.FILLED]
            assert seen.repair_opened_at > 0 and seen.slots[1].departed_at == ends
            assert seen.for_sale(1, await now(), CONFIG) and not seen.for_sale(2, await now(), CONFIG)

            await _pass(rpc, await now(), await now() + CONFIG.repair_window)
            assert await history.send(NEXT, market.reserve_slot(request.id, 1))
            await history.compare(await view())
            if not await history.send(NEXT, market.fill_slot(ids[1], PROOF)):
                await rpc.call("evm_mine")
                assert await history.send(NEXT, market.fill_slot(ids[1], PROOF))
            filled = [event for event in await history.events() if isinstance(event, e.SlotFilled)][-1]
            assert filled.bounty > 0 and filled.bounty % ASK.rate == 0 and filled.to_client == 0
            await history.compare(await view())

            await rpc.call("anvil_mine", hex(10), hex(500))
            for index in (0, 1, 2):
                assert await history.send(WATCHER, market.settle(ids[index]))
            await history.compare(await view())
            assert await history.send(WATCHER, market.close_request(request.id))
            for n in (FUNDER, CLIENT):
                await history.send(n, registry.withdraw(dev_account(n).address))

            ledger = ledger_of(await history.events(), CONFIG, STAKES)
            changed = {n: await token.balance_of(dev_account(n).address) - before[n] for n in before}
            funder, client = (ledger.lines(dev_account(n).address) for n in (FUNDER, CLIENT))
            ledger.check({dev_account(FUNDER).address: changed[FUNDER]})
            assert ledger.change(MARKET) == ledger.pool == 0
            assert funder[Line.PRICE] == -3 * EXTRA * ASK.rate
            # Slot 0 served all of it, slot 1 all but what nobody served before its repair, slot 2 none.
            served = filled.at.timestamp - filled.bounty // ASK.rate - ends
            assert funder[Line.REFUND] == (EXTRA + served) * ASK.rate
            # The client gets back the time before each slot was filled, and no part of the stranger's money.
            events = await history.events()
            posted = next(event.at for event in events if isinstance(event, e.StorageRequested))
            first = [event.at.timestamp for event in events if isinstance(event, e.SlotFilled)][:3]
            assert client[Line.REFUND] == changed[CLIENT] == sum(at - posted.timestamp for at in first) * ASK.rate
            for sender in history.senders.values():
                await sender.close()

    with Anvil(AnvilOptions(block_time=None)) as anvil:
        asyncio.run(story(anvil))
