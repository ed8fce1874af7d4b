"""A validator on a real chain: what several hosts missed in one period is marked in one transaction, once."""

import asyncio
from dataclasses import replace

from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.blocks import latest
from agents.chain.deploy import deploy
from agents.chain.journal import MemoryJournal
from agents.chain.rpc import Rpc
from agents.core.market import events as e
from agents.core.market.types import SlotState
from agents.core.market.view import MarketView
from agents.core.units import TOKEN
from agents.roles.actor import Actor
from agents.roles.validator import Validator
from tests.chain.ground import ACCEPT_ALL, sender_of, stake
from tests.chain.test_view import ASK, CONFIG, STAKES, History
from tests.roles.test_extending import until

VALIDATOR = 6
RULES = replace(CONFIG, mark_blocks=CONFIG.period_blocks, max_misses=3)
"""Misses of one period at a time can be marked, and one more is no loss."""


async def story(anvil: Anvil) -> None:
    async with Rpc(anvil.url) as rpc:
        bank = sender_of(rpc, 0)
        deployment = await deploy(bank, verifier=ACCEPT_ALL, profile="", stake=STAKES, market=RULES)
        await bank.close()
        for n in (1, 2, 3, 7):
            await stake(rpc, deployment, n, [9_000 * TOKEN] if n < 7 else [])
        history = History(rpc, deployment, 0)
        await history.post()
        await history.fill()
        journal = MemoryJournal()
        actor = Actor(rpc, deployment, dev_account(VALIDATOR), journal)
        validator = Validator(actor)

        async def look() -> MarketView:
            view = MarketView(RULES, STAKES).after_all(await history.events())
            head = await latest(rpc)
            await validator.step(view, head.number, head.timestamp)
            return view

        async def missed(times: int) -> bool:
            seen = [event for event in await history.events() if isinstance(event, e.ProofMissed)]
            return len(seen) >= times

        def transactions(kind: type[e.Event], events: list[e.Event]) -> list[bytes]:
            return [event.at.tx_hash for event in events if isinstance(event, kind)]

        # Through the fills' period and two more, in which all three miss.
        block = await rpc.block_number()
        await rpc.call("anvil_mine", hex(3 * RULES.period_blocks - block % RULES.period_blocks), hex(1))
        before = await look()
        await until(lambda: missed(3))
        # A view from before says the same again: what was sent stands for each of them, after a restart too.
        await validator.close()
        validator = Validator(actor)
        head = await latest(rpc)
        await validator.step(before, head.number, head.timestamp)
        await asyncio.sleep(0.3)
        events = await history.events()
        assert len(transactions(e.ProofMissed, events)) == 3 and len(set(transactions(e.ProofMissed, events))) == 1

        # Extended, and accepted by nobody: at their end the validator settles them, and the request with them.
        (request,) = (await look()).requests.values()
        assert await history.send(VALIDATOR, history.market.extend_request(request.id, 5_000)) is False  # no tokens
        assert await history.send(7, history.market.extend_request(request.id, 3_000))
        over = request.ends_at + RULES.settle_seconds
        await rpc.call("anvil_mine", hex(2), hex(over - (await latest(rpc)).timestamp))
        await rpc.call("anvil_mine", hex(RULES.mark_blocks + RULES.period_blocks), hex(1))
        await look()

        async def left() -> bool:
            events = await history.events()
            return len(transactions(e.SlotDeparted, events) + transactions(e.SlotSettled, events)) == 3

        await until(left)
        (request,) = (await look()).requests.values()
        # With the second that left the request failed: the third's host had agreed to no more either.
        assert [slot.state for slot in request.slots].count(SlotState.DEPARTED) == ASK.max_slot_loss + 1
        assert request.failed_at > 0

        async def closed() -> bool:
            return bool(transactions(e.RequestClosed, await history.events()))

        await until(closed)
        await validator.close()
        await actor.sender.close()
        for sender in history.senders.values():
            await sender.close()


def test_misses_go_together_and_what_ended_is_settled_and_closed() -> None:
    with Anvil(AnvilOptions(block_time=None)) as anvil:
        asyncio.run(story(anvil))
