"""Random histories on a real chain: the books balance, every amount is the one the rules give, and so are the wallets."""

import asyncio

import pytest

from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.contracts import Registry, Token
from agents.chain.deploy import deploy
from agents.chain.rpc import Rpc
from agents.core.market import events as e
from agents.core.market.ledger import MARKET, ledger_of
from agents.core.units import TOKEN
from tests.chain.ground import ACCEPT_ALL, sender_of, stake
from tests.chain.test_view import CONFIG, HOSTS, SINK, STAKES, History

CLIENT, VALIDATOR = 7, 6
EVERYBODY = (*HOSTS, VALIDATOR, CLIENT)


@pytest.mark.parametrize("seed", [10])
def test_the_books_of_a_random_history(seed: int) -> None:
    async def story(anvil: Anvil) -> None:
        async with Rpc(anvil.url) as rpc:
            bank = sender_of(rpc, 0)
            deployment = await deploy(bank, verifier=ACCEPT_ALL, profile="", stake=STAKES, market=CONFIG)
            await bank.close()
            token, registry = Token(rpc, deployment.token), Registry(rpc, deployment.registry)
            before = {n: await token.balance_of(dev_account(n).address) for n in EVERYBODY}
            for n in (*HOSTS, CLIENT):
                await stake(rpc, deployment, n, [9_000 * TOKEN] if n != CLIENT else [])
                before[n] += 10_000 * TOKEN
            history = History(rpc, deployment, seed)
            await history.post()
            await history.fill()
            for _ in range(2):
                for _ in range(30):
                    await history.act()
                ledger_of(await history.events(), CONFIG, STAKES).check()
            await history.wind_up()
            for n in EVERYBODY:
                await history.send(n, registry.withdraw(dev_account(n).address))

            events = await history.events()
            ledger = ledger_of(events, CONFIG, STAKES)
            wallets = {}
            for n in EVERYBODY:
                address = dev_account(n).address
                wallets[address] = await token.balance_of(address) - before[n]
            ledger.check(wallets)
            assert any(isinstance(event, e.SlotFilled) for event in events)
            assert ledger.change(MARKET) == ledger.pool == await registry.pool_of(deployment.marketplace) == 0
            for account in (*wallets, SINK):
                if account in ledger.holdings:
                    assert ledger.holdings[account].credit == await registry.credit_of(account)
            for sender in history.senders.values():
                await sender.close()

    with Anvil(AnvilOptions(block_time=None)) as anvil:
        asyncio.run(story(anvil))
