"""A small market with everybody on it: one real chain, real proofs, real sockets, all agents in one process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agents.artefacts.files import verification_key
from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.deploy import Deployment, deploy
from agents.chain.journal import MemoryJournal
from agents.chain.rpc import Rpc
from agents.core.agents.provider_duties import Policy
from agents.core.market.types import MarketConfig, StakeConfig
from agents.core.market.view import MarketView
from agents.core.proofs.profiles import profile_named
from agents.core.units import TOKEN
from agents.net.client import PeerClient
from agents.net.server import PeerServer
from agents.net.signing import AccountSigner
from agents.proving.lock import ProverLock
from agents.proving.prover import prover_for
from agents.proving.service import ProvingService
from agents.roles.actor import Actor
from agents.roles.client import Client
from agents.roles.hosting import Hosting
from agents.roles.provider import Provider
from agents.roles.validator import Validator
from agents.runtime.follower import Follower, Moment
from agents.runtime.network import Network
from agents.store.slots import SlotStore
from agents.store.state import StateStore

PROFILE = profile_named("devnet")
STAKES = StakeConfig(100 * TOKEN, 1, 30, "0x000000000000000000000000000000000000dEaD")
CONFIG = MarketConfig(
    period_blocks=30, block_seconds=1, mark_blocks=60, settle_seconds=180, max_misses=2, slash_bps=2000,
    validator_bps=1000, bounty_bps=5000, bond_bps=500, reserve_seconds=60, repair_window=10, min_term_periods=1,
    max_duration=86_400,
)  # fmt: skip
BANK, CLIENT, VALIDATOR = 0, 1, 2


@dataclass
class House:
    """One provider's process, as far as a test needs it."""

    actor: Actor
    provider: Provider
    server: PeerServer
    store: SlotStore
    proving: ProvingService
    peers: PeerClient
    alive: bool = True

    async def stop(self) -> None:
        """End it, as a kill would: nothing is told to anybody."""
        self.alive = False
        await self.provider.close()
        await self.server.stop()
        await self.proving.close()
        await self.peers.close()
        await self.actor.lane.close()
        self.store.close()


@dataclass
class Town:
    """Everybody."""

    network: Network
    folder: Path
    houses: dict[str, House] = field(default_factory=dict)
    client: Client = field(init=False)
    client_actor: Actor = field(init=False)
    client_peers: PeerClient = field(init=False)
    validator: Validator = field(init=False)
    moment: Moment = field(init=False)
    each: list[Callable[[Moment], None]] = field(default_factory=list)

    @property
    def view(self) -> MarketView:
        return self.moment.view

    @property
    def reference(self) -> str:
        return self.network.deployment.reference

    def actor(self, index: int, state: str) -> Actor:
        journal = StateStore(self.folder / f"{state}.db")
        return Actor(self.network.rpc, self.network.deployment, dev_account(index), journal)

    def peer_client(self, index: int) -> PeerClient:
        return PeerClient(self.reference, AccountSigner(dev_account(index)))

    async def open_house(self, index: int) -> House:
        """A provider that registers, stakes and listens."""
        actor = self.actor(index, f"provider-{index}")
        store = SlotStore(self.folder / f"provider-{index}", 1 << 30)
        lock = ProverLock(self.folder / "prover")
        proving = ProvingService(prover_for(PROFILE), PROFILE, verification_key("devnet"), lock)
        peers = self.peer_client(index)
        await peers.__aenter__()
        provider = Provider(actor, store, proving, peers, Policy(quota=1 << 30))
        hosting = Hosting(actor.address, store, lambda: provider.view or self.view, PROFILE.name)
        server = PeerServer(hosting, self.reference)
        port = await server.start("127.0.0.1", 0)
        await actor.lane.send(actor.token.approve(self.network.deployment.registry, 5_000 * TOKEN), "approve")
        await actor.lane.send(actor.registry.register(f"http://127.0.0.1:{port}"), "register")
        await actor.lane.send(actor.registry.deposit(5_000 * TOKEN), "deposit")
        house = House(actor, provider, server, store, proving, peers)
        self.houses[actor.address] = house
        return house

    async def until(self, condition: Callable[[], bool], seconds: float = 400) -> None:
        """Live on until ``condition`` holds."""
        async with asyncio.timeout(seconds):
            async for moment in Follower(self.network, poll=0.2).follow():
                self.moment = moment
                view, block, now = self.moment.view, self.moment.block, self.moment.timestamp
                for house in list(self.houses.values()):
                    if house.alive:
                        await house.provider.step(view, block, now, self.moment.reorged)
                await self.validator.step(view, block, now, self.moment.reorged)
                for action in self.each:
                    action(self.moment)
                if condition():
                    return


@asynccontextmanager
async def town(folder: Path, providers: int) -> AsyncIterator[Town]:
    """A town whose providers are staked and whose client has money."""
    with Anvil(AnvilOptions()) as anvil:
        async with Rpc(anvil.url) as rpc:
            bank = Actor(rpc, _nowhere(), dev_account(BANK), MemoryJournal())
            deployment = await deploy(bank.lane, stake=STAKES, market=CONFIG)
            place = Town(Network(rpc, deployment), folder)
            bank = Actor(rpc, deployment, dev_account(BANK), MemoryJournal())
            accounts = [dev_account(index).address for index in range(1, 3 + providers)]
            await asyncio.gather(
                *(bank.lane.send(bank.token.transfer(account, 10_000 * TOKEN), account) for account in accounts)
            )
            place.client_actor = place.actor(CLIENT, "client")
            peers = place.peer_client(CLIENT)
            await peers.__aenter__()
            place.client_peers = peers
            place.client = Client(place.client_actor, peers)
            place.validator = Validator(place.actor(VALIDATOR, "validator"))
            await asyncio.gather(*(place.open_house(3 + index) for index in range(providers)))
            place.moment = await Follower(place.network).now()
            try:
                yield place
            finally:
                with contextlib.suppress(Exception):
                    await place.client.close()
                    await place.validator.close()
                    await peers.close()
                for house in place.houses.values():
                    if house.alive:
                        await house.stop()


def _nowhere() -> Deployment:
    nobody = "0x" + "00" * 20
    return Deployment(31_337, nobody, nobody, nobody, nobody, "devnet", 0)
