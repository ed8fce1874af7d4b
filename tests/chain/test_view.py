"""Random histories on a real chain: the view made of events alone agrees with the contracts in every slot and every stake."""

import asyncio
import random

import pytest

from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.contracts import Market, Registry
from agents.chain.cursor import Batch, EventCursor
from agents.chain.deploy import Deployment, deploy
from agents.chain.logs import market_decoder
from agents.chain.rpc import Rpc
from agents.core.errors import ChainLies, HoldfastError
from agents.core.market import events as e
from agents.core.market.placement import position
from agents.core.market.types import (
    Ask,
    Content,
    MarketConfig,
    Request,
    RequestState,
    SlotState,
    StakeConfig,
    slot_id,
)  # fmt: skip
from agents.core.market.view import MarketView, locked_for
from agents.core.units import TOKEN
from tests.chain.ground import ACCEPT_ALL, sender_of, stake

SINK = "0x000000000000000000000000000000000000dEaD"
STAKES = StakeConfig(100 * TOKEN, 1, 60, SINK)
CONFIG = MarketConfig(5, 1, 20, 60, 2, 2000, 2000, 5000, 500, 30, 60, 2, 86_400, 30)
ASK = Ask(1, 3, 1, 1, 5000, 1 << 20, 2_000, 1_000, 10**9)
PROOF = ((1, 2), ((1, 2), (3, 4)), (1, 2))
HOSTS = range(1, 6)


class History:
    """A chain on which providers, a validator and time act at random."""

    def __init__(self, rpc: Rpc, deployment: Deployment, seed: int) -> None:
        self.rpc, self.deployment, self.random = rpc, deployment, random.Random(seed)
        self.market = Market(rpc, deployment.marketplace)
        self.registry = Registry(rpc, deployment.registry)
        self.senders = {index: sender_of(rpc, index) for index in range(1, 8)}
        self.count = 0
        self.request: Request | None = None

    async def send(self, index: int, call: object) -> bool:
        self.count += 1
        try:
            await self.senders[index].send(call, f"call:{self.count}")  # type: ignore[arg-type]
        except HoldfastError:
            return False
        return True

    async def post(self) -> None:
        client = dev_account(7).address
        nonce = self.random.randbytes(32)
        self.request = Request(client, ASK, Content(bytes(32), 7), 400, nonce)
        assert await self.send(7, self.market.request_storage(self.request))

    async def fill(self) -> None:
        """Every slot filled by a host of its own."""
        assert self.request is not None
        await self.rpc.call("anvil_mine", hex(2), hex(150))
        for index in range(3):
            slot = slot_id(self.request.id, index)
            assert await self.send(index + 1, self.market.reserve_slot(self.request.id, index))
            if not await self.send(index + 1, self.market.fill_slot(slot, PROOF)):
                # The first block of a period knows no challenge yet; the block after it does.
                await self.rpc.call("evm_mine")
                assert await self.send(index + 1, self.market.fill_slot(slot, PROOF))

    async def act(self) -> None:
        assert self.request is not None
        kind, who, index = self.random.randrange(11), self.random.choice(HOSTS), self.random.randrange(3)
        slot = slot_id(self.request.id, index)
        period = await self.market.view("currentPeriod")
        record = await self.market.slot_of(slot)
        host = next((n for n in HOSTS if dev_account(n).address == record.host), who)
        if kind <= 1:
            await self.rpc.call("anvil_mine", hex(self.random.randrange(1, 8)), hex(self.random.choice([1, 3, 12])))
        elif kind == 2:
            await self.send(who, self.market.reserve_slot(self.request.id, index))
        elif kind in (3, 4):
            await self.send(host, self.market.fill_slot(slot, PROOF))
        elif kind == 5:
            single = self.market.submit_proof(slot, period, PROOF)
            every = [slot_id(self.request.id, n) for n in range(3)]
            await self.send(host, self.random.choice([single, self.market.submit_proofs(every, [PROOF] * 3)]))
        elif kind == 6:
            past = period - self.random.randrange(1, 4)
            every = [slot_id(self.request.id, n) for n in range(3)]
            single = self.market.mark_proof_missing(slot, past)
            await self.send(6, self.random.choice([single, self.market.mark_proofs_missing(every, past)]))
        elif kind == 8:
            await self.send(self.random.choice((6, 7)), self.market.extend_request(self.request.id, 30))
        elif kind == 9:
            await self.send(host, self.market.accept_extension(slot, 2**40 - 1))
        elif kind == 7:
            await self.send(who, self.market.close_reservation(slot))
        else:
            await self.send(host, self.market.claim(slot))

    async def wind_up(self) -> None:
        """Let it end, and close what can be closed."""
        assert self.request is not None
        await self.rpc.call("anvil_mine", hex(10), hex(500))
        for index in range(3):
            await self.send(6, self.market.close_reservation(slot_id(self.request.id, index)))
            await self.send(6, self.market.settle(slot_id(self.request.id, index)))
        assert await self.send(6, self.market.close_request(self.request.id))

    async def events(self) -> list[e.Event]:
        addresses = [self.deployment.marketplace, self.deployment.registry]
        decoder = market_decoder(*addresses)
        cursor = EventCursor(self.rpc, addresses, decoder, self.deployment.block)
        found: list[e.Event] = []
        async for step in cursor.catch_up():
            assert isinstance(step, Batch)
            found.extend(step.events)
        return found

    async def compare(self, view: MarketView) -> None:
        assert self.request is not None
        now = int((await self.rpc.call("eth_getBlockByNumber", "latest", False))["timestamp"], 16)
        told, seen = await self.market.request_of(self.request.id), view.requests[self.request.id]
        # The call runs in a block to come, whose time may be a second later; states are compared well off their edges.
        assert told.state in (seen.state(now), seen.state(now + 1))
        assert (told.vacant, told.closed, told.failed_at) == (seen.vacant, seen.closed, seen.failed_at)
        assert (told.repair_opened_at, told.repair_opened_block) == (seen.repair_opened_at, seen.repair_opened_block)
        assert told.unspent == (0 if seen.closed else seen.unspent)
        if not seen.closed:
            assert await self.market.extensions_of(self.request.id) == seen.extensions
        assert (told.expires_at, told.ends_at, told.rate) == (seen.expires_at, seen.ends_at, seen.ask.rate)
        for index, slot in enumerate(seen.slots):
            record = await self.market.slot_of(slot_id(self.request.id, index))
            assert record.state is slot.state
            if slot.state in (SlotState.RESERVED, SlotState.FILLED):
                assert record.host == slot.host
            if slot.state is SlotState.RESERVED:
                assert (record.held_until, record.reservations) == (slot.held_until, slot.reservations)
            if slot.state is SlotState.FILLED:
                held = (record.filled_at, record.fill_period, record.proven_at, record.misses, record.claimed)
                assert held == (slot.filled_at, slot.fill_period, slot.proven_at, len(slot.missed), slot.claimed)
                assert record.held_until == slot.held_until
                pay = await self.market.view("claimable", slot_id(self.request.id, index))
                assert pay in (seen.claimable(index, now, CONFIG), seen.claimable(index, now + 1, CONFIG))
            if not seen.closed:
                assert record.pot == slot.pot
            assert (record.vacated_at, record.vacated_block) == (slot.vacated_at, slot.vacated_block)
            assert record.departed_at == slot.departed_at
        for n in HOSTS:
            address = dev_account(n).address
            record_, known = await self.registry.provider_of(address), view.providers[address]
            assert (record_.id, record_.free, record_.locked) == (known.id, known.free, known.locked)
            assert (record_.staked_since, record_.endpoint) == (known.staked_since, known.endpoint)
            locked = sum(
                locked_for(seen, index, CONFIG) for index, slot in enumerate(seen.slots) if slot.host == address
            )
            assert locked == known.locked
        for account in (*(dev_account(n).address for n in range(1, 8)), SINK):
            assert await self.registry.credit_of(account) == view.credits.get(account, 0)


@pytest.mark.parametrize("seed", range(3))
def test_the_view_is_the_contracts_state(seed: int) -> None:
    async def story(anvil: Anvil) -> None:
        async with Rpc(anvil.url) as rpc:
            bank = sender_of(rpc, 0)
            deployment = await deploy(bank, verifier=ACCEPT_ALL, profile="", stake=STAKES, market=CONFIG)
            await bank.close()
            for n in (*HOSTS, 7):
                await stake(rpc, deployment, n, [9_000 * TOKEN] if n != 7 else [])
            history = History(rpc, deployment, seed)
            await history.post()
            if seed % 2 == 0:
                await history.fill()
            for _ in range(3):
                for _ in range(30):
                    await history.act()
                events = await history.events()
                view = MarketView(CONFIG, STAKES).after_all(events)
                await history.compare(view)
            await history.wind_up()
            events = await history.events()
            view = MarketView(CONFIG, STAKES).after_all(events)
            await history.compare(view)
            assert seed % 2 or any(isinstance(event, e.RequestStarted) for event in events)
            with pytest.raises(ChainLies):
                view.after(events[-1])
            for sender in history.senders.values():
                await sender.close()

    with Anvil(AnvilOptions(block_time=None)) as anvil:
        asyncio.run(story(anvil))


def test_placement_agrees_with_the_contract() -> None:
    async def story(anvil: Anvil) -> None:
        async with Rpc(anvil.url) as rpc:
            bank = sender_of(rpc, 0)
            deployment = await deploy(bank, verifier=ACCEPT_ALL, profile="", stake=STAKES, market=CONFIG)
            await bank.close()
            for n in (1, 7):
                await stake(rpc, deployment, n, [9_000 * TOKEN] if n == 1 else [])
            market, sender, host = Market(rpc, deployment.marketplace), sender_of(rpc, 7), dev_account(1).address
            provider = await Registry(rpc, deployment.registry).provider_of(host)
            compared = 0
            for h in (100, 2_500, 5_000, 7_777, 9_900):
                ask = Ask(1, 3, 1, 1, h, 1 << 20, 2_000, 1_000, 10**9)
                request = Request(dev_account(7).address, ask, Content(bytes(32), 7), 400, h.to_bytes(32, "big"))
                await sender.send(market.request_storage(request), f"post:{h}")
                history = History(rpc, deployment, 0)
                view = MarketView(CONFIG, STAKES).after_all(await history.events())
                seen = view.requests[request.id]
                sale = seen.sale(2, CONFIG)
                assert sale is not None
                block = await rpc.call("eth_getBlockByNumber", hex(sale.seed_block), False)
                distance = int.from_bytes(provider.id, "big") ^ position(
                    bytes.fromhex(block["hash"][2:]), request.id, 2, 0
                )
                for _ in range(6):
                    await rpc.call("anvil_mine", hex(1), hex(1))
                    await rpc.call("evm_increaseTime", hex(29))
                    await rpc.call("evm_mine")
                    now = int((await rpc.call("eth_getBlockByNumber", "latest", False))["timestamp"], 16)
                    found = await market.placement_of(host, request.id, 2)
                    assert found[0] == distance
                    assert found[1] in (sale.threshold(now), sale.threshold(now + 1))
                    compared += 1
                assert seen.state(sale.start) is RequestState.NEW
            assert compared == 30
            await sender.close()

    with Anvil(AnvilOptions(block_time=None)) as anvil:
        asyncio.run(story(anvil))
