"""One provider on a chain that the test mines: real proofs, the generated verifier."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.artefacts.files import verification_key
from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.deploy import Deployment, deploy
from agents.chain.journal import MemoryJournal
from agents.chain.rpc import Rpc
from agents.chain.sender import Sender
from agents.core.agents.provider_duties import Policy
from agents.core.market.types import Ask, Content, MarketConfig, Request, StakeConfig
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
from agents.store.slots import SlotStore
from agents.store.spool import Spool, SpooledDataset

PROFILE = profile_named("devnet")
STAKES = StakeConfig(100 * TOKEN, 1, 30, "0x000000000000000000000000000000000000dEaD")
CONFIG = MarketConfig(
    period_blocks=200, block_seconds=1, mark_blocks=400, settle_seconds=1_200, max_misses=2, slash_bps=2000,
    validator_bps=1000, bounty_bps=5000, bond_bps=500, reserve_seconds=3_600, repair_window=10, min_term_periods=1,
    max_duration=86_400, min_extension=200,
)  # fmt: skip


@dataclass(frozen=True)
class Town:
    """A market, its bank that is also the client, and a provider's account."""

    rpc: Rpc
    network: Network
    bank: Actor
    actor: Actor

    async def post(self, folder: Path, name: str, size: int) -> tuple[Request, SpooledDataset]:
        """A request for a file of ``size`` bytes as one slot and one of parity, and its slots."""
        (folder / name).write_bytes(os.urandom(size))
        dataset = Spool(folder / "spool").encode(folder / name, 1, 1, None, PROFILE)
        manifest = dataset.manifest
        ask = Ask(1, 2, 1, 1, 5_000, manifest.slot_bytes, 20_000, 1_000, 10**12)
        content = Content(manifest.digest, manifest.dataset_root)
        request = Request(self.bank.address, ask, content, 9_000, os.urandom(32))
        await self.bank.sender.send(
            self.bank.token.approve(self.network.deployment.registry, ask.price), f"approve {name}"
        )
        await self.bank.sender.send(self.bank.market.request_storage(request), f"post {name}")
        return request, dataset


class House:
    """One provider on a chain that the test mines."""

    def __init__(self, provider: Provider, proving: Any, town: "Town") -> None:
        self.provider = provider
        self.proving = proving
        self.actor = town.actor
        self.network = town.network
        self.moment: Moment | None = None
        self.reorgs = 0

    async def live(self) -> None:
        """As agents do: after every step of the chain, look what is due."""
        async for moment in Follower(self.network, poll=0.05).follow():
            if moment.reorged:
                self.reorgs += 1
                await self.actor.sender.recheck()
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


@asynccontextmanager
async def town() -> AsyncIterator[Town]:
    """A chain with a market on it, and a provider that staked."""
    async with AsyncExitStack() as stack:
        anvil = stack.enter_context(Anvil(AnvilOptions(block_time=None)))
        rpc = await stack.enter_async_context(Rpc(anvil.url))
        bank = Actor(rpc, await founded(rpc), dev_account(0), MemoryJournal())
        network = Network(rpc, bank.deployment)
        actor = Actor(rpc, network.deployment, dev_account(1), MemoryJournal())
        try:
            await bank.sender.send(bank.token.transfer(actor.address, 1_000 * TOKEN), "fund")
            await actor.sender.send(actor.token.approve(network.deployment.registry, 1_000 * TOKEN), "approve")
            await actor.sender.send(actor.registry.register("http://127.0.0.1:9"), "register")
            await actor.sender.send(actor.registry.deposit(1_000 * TOKEN), "deposit")
            yield Town(rpc, network, bank, actor)
        finally:
            await actor.sender.close()
            await bank.sender.close()


@asynccontextmanager
async def living(
    town: Town, store: SlotStore, folder: Path, over: Callable[[ProvingService], Any] = lambda service: service
) -> AsyncIterator[tuple[House, "asyncio.Task[None]"]]:
    """A provider at work with the slots of ``store``; ``over`` may put something before its prover."""
    service = ProvingService(prover_for(PROFILE), PROFILE, verification_key(PROFILE.name), Turns(folder / "prover"))
    async with PeerClient(town.network.deployment.reference) as peers:
        policy, fitting = Policy(quota=1 << 30), Fitting(PROFILE.name)
        proving = over(service)
        provider = Provider(town.actor, store, proving, peers, policy, fitting, MemoryJournal())
        house = House(provider, proving, town)
        life = asyncio.create_task(house.live())
        try:
            yield house, life
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
            await provider.close()
            await service.close()
            store.close()


async def founded(rpc: Rpc) -> Deployment:
    """A market with the generated verifier."""
    sender = Sender(rpc, dev_account(0), await rpc.chain_id(), MemoryJournal(), poll=0.05)
    try:
        return await deploy(sender, stake=STAKES, market=CONFIG)
    finally:
        await sender.close()
