"""A chain that goes back across a fill and across a proof: the provider fills and proves again.

Real proofs, the generated verifier, and anvil_reorg; the chain moves only when the test mines.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from agents.artefacts.files import verification_key
from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.blocks import header_of
from agents.chain.contracts import Market, SlotRecord
from agents.chain.deploy import Deployment, deploy
from agents.chain.journal import MemoryJournal
from agents.chain.lane import NonceLane
from agents.chain.rpc import Rpc
from agents.core.agents.provider_duties import Policy
from agents.core.market.periods import first_block
from agents.core.market.types import Ask, Content, MarketConfig, Request, SlotState, StakeConfig, slot_id
from agents.core.proofs.profiles import profile_named
from agents.core.units import TOKEN
from agents.net.client import PeerClient
from agents.proving.prover import prover_for
from agents.proving.service import ProvingService
from agents.proving.turns import Turns
from agents.roles.actor import Actor
from agents.roles.fitting import Fitting
from agents.roles.provider import Provider
from agents.runtime.follower import Follower, Moment
from agents.runtime.network import Network
from agents.store.folders import SlotName
from agents.store.slots import SlotStore, put_all
from agents.store.spool import Spool

PROFILE = profile_named("devnet")
STAKES = StakeConfig(100 * TOKEN, 1, 30, "0x000000000000000000000000000000000000dEaD")
CONFIG = MarketConfig(
    period_blocks=200, block_seconds=1, mark_blocks=400, settle_seconds=1_200, max_misses=2, slash_bps=2000,
    validator_bps=1000, bounty_bps=5000, bond_bps=500, reserve_seconds=3_600, repair_window=10, min_term_periods=1,
    max_duration=86_400, min_extension=200,
)  # fmt: skip


class House:
    """One provider on a chain that the test mines."""

    def __init__(self, provider: Provider, actor: Actor, network: Network) -> None:
        self.provider = provider
        self.actor = actor
        self.network = network
        self.moment: Moment | None = None
        self.reorgs = 0

    async def live(self) -> None:
        """As agents do: after every step of the chain, look what is due."""
        async for moment in Follower(self.network, poll=0.05).follow():
            if moment.reorged:
                self.reorgs += 1
                await self.actor.lane.recheck()
            self.moment = moment
            await self.provider.step(moment.view, moment.block, moment.timestamp, moment.reorged)

    async def until(self, state: Callable[[Moment], bool], living: "asyncio.Task[None]") -> Moment:
        """Mine, slowly, until ``state``."""
        async with asyncio.timeout(240):
            while self.moment is None or not state(self.moment):
                if living.done():
                    living.result()
                await self.network.rpc.call("evm_mine")
                await asyncio.sleep(0.2)
            return self.moment


async def story(folder: Path) -> None:
    async with AsyncExitStack() as stack:
        anvil = stack.enter_context(Anvil(AnvilOptions(block_time=None)))
        rpc = await stack.enter_async_context(Rpc(anvil.url))
        bank = Actor(rpc, await founded(rpc), dev_account(0), MemoryJournal())
        network = Network(rpc, bank.deployment)
        actor = Actor(rpc, network.deployment, dev_account(1), MemoryJournal())
        await bank.lane.send(bank.token.transfer(actor.address, 1_000 * TOKEN), "fund")
        await actor.lane.send(actor.token.approve(network.deployment.registry, 1_000 * TOKEN), "approve")
        await actor.lane.send(actor.registry.register("http://127.0.0.1:9"), "register")
        await actor.lane.send(actor.registry.deposit(1_000 * TOKEN), "deposit")
        (folder / "file").write_bytes(os.urandom(200_000))
        dataset = Spool(folder / "spool").encode(folder / "file", 1, 1, None, PROFILE)
        manifest = dataset.manifest
        ask = Ask(1, 2, 1, 1, 5_000, manifest.slot_bytes, 20_000, 1_000, 10**12)
        request = Request(bank.address, ask, Content(manifest.digest, manifest.dataset_root), 9_000, os.urandom(32))
        await bank.lane.send(bank.token.approve(network.deployment.registry, ask.price), "approve")
        await bank.lane.send(bank.market.request_storage(request), "post")
        await rpc.call("evm_increaseTime", 5_000)  # the placement window is over: everybody is eligible

        store = SlotStore(folder / "provider", 1 << 30)
        key = verification_key(PROFILE.name)
        proving = ProvingService(prover_for(PROFILE), PROFILE, key, Turns(folder / "prover"))
        peers = await stack.enter_async_context(PeerClient(network.deployment.reference))
        provider = Provider(actor, store, proving, peers, Policy(quota=1 << 30), Fitting(PROFILE.name), MemoryJournal())
        house = House(provider, actor, network)
        living = asyncio.create_task(house.live())
        try:
            seen = await house.until(lambda now: reserved(now, request.id) is not None, living)
            index = reserved(seen, request.id)
            assert index is not None
            name = SlotName(manifest.digest, index)
            put_all(store, name, dataset.manifest_bytes, dataset.block_list(index), list(dataset.blocks(index)))
            state = lambda now: now.view.requests[request.id].slots[index]  # noqa: E731
            filled = lambda now: state(now).state is SlotState.FILLED  # noqa: E731
            await house.until(filled, living)

            # Across the fill: the block it is in goes, and the proof still fits the challenge.
            fill = await block_at(rpc, state(await house.until(filled, living)).filled_at)
            await go_back(rpc, fill)
            await house.until(lambda now: house.reorgs == 1 and filled(now), living)
            assert (await record(rpc, network, request.id, index)).state is SlotState.FILLED

            # Across a proof and the challenge it answers: the period's first block is another one now.
            await rpc.call("anvil_mine", hex(CONFIG.period_blocks - await rpc.block_number() % CONFIG.period_blocks))
            proven = lambda now: bool(state(now).proven)  # noqa: E731
            period = max(state(await house.until(proven, living)).proven)
            await go_back(rpc, first_block(period, CONFIG))
            await house.until(lambda now: house.reorgs == 2 and period in state(now).proven, living)
            again = await record(rpc, network, request.id, index)
            assert again.proven_at > again.filled_at
        finally:
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
            await provider.close()
            await proving.close()
            await actor.lane.close()
            await bank.lane.close()
            store.close()


async def founded(rpc: Rpc) -> Deployment:
    """A market with the generated verifier."""
    lane = NonceLane(rpc, dev_account(0), await rpc.chain_id(), MemoryJournal(), poll=0.05)
    try:
        return await deploy(lane, stake=STAKES, market=CONFIG)
    finally:
        await lane.close()


def reserved(now: Moment, request: bytes) -> int | None:
    """Which slot is reserved."""
    found = now.view.requests.get(request)
    states = [slot.state for slot in found.slots] if found else []
    return states.index(SlotState.RESERVED) if SlotState.RESERVED in states else None


async def record(rpc: Rpc, network: Network, request: bytes, index: int) -> SlotRecord:
    """The slot as the contract has it."""
    return await Market(rpc, network.deployment.marketplace).slot_of(slot_id(request, index))


async def go_back(rpc: Rpc, number: int) -> None:
    """Replace the chain from block ``number`` on by as many blocks, empty but for somebody's transfer in the first."""
    before, head = await header_of(rpc, number), await rpc.block_number()
    transfer = {"from": dev_account(8).address, "to": dev_account(9).address, "value": "0x1"}
    await rpc.call("anvil_reorg", head - number + 1, [[transfer, 0]])
    after = await header_of(rpc, number)
    assert before is not None and after is not None and before.hash != after.hash


async def block_at(rpc: Rpc, timestamp: int) -> int:
    """The block of ``timestamp``, not far below the newest."""
    number = await rpc.block_number()
    while (header := await header_of(rpc, number)) is not None and header.timestamp > timestamp:
        number -= 1
    return number


def test_a_fill_and_a_proof_that_the_chain_forgets_are_made_again(tmp_path: Path) -> None:
    asyncio.run(story(tmp_path))
