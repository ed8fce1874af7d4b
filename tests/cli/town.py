"""A devnet that runs in a thread of its own, with hosts on it: what the commands are typed at.

The hosts are the real servers and stores; only their proofs are for show, since the devnet's verifier accepts any.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from agents.chain.anvil import dev_account
from agents.chain.blocks import latest
from agents.chain.devnet import Devnet
from agents.chain.rpc import Rpc
from agents.chain.transactions import Call
from agents.core.errors import ChainUnavailable
from agents.core.market.periods import period_of
from agents.core.market.types import MarketConfig, RequestState, SlotState, StakeConfig, slot_id
from agents.core.market.view import MarketView
from agents.core.units import TOKEN
from agents.net.server import PeerServer
from agents.roles.actor import Actor, Tasks
from agents.roles.fitting import Fitting
from agents.roles.hosting import Hosting
from agents.runtime.follower import Follower, Moment
from agents.runtime.network import Network
from agents.store.folders import SlotName
from agents.store.slots import SlotStore
from agents.store.state import StateStore
from tests.chain.ground import ACCEPT_ALL
from tests.examples import GOOD_PROOF, SINK

STAKES = StakeConfig(min_stake=100 * TOKEN, stake_per_byte=1, unbonding_seconds=15, sink=SINK)
MARKET = MarketConfig(
    period_blocks=20, block_seconds=1, mark_blocks=40, settle_seconds=120, max_misses=3, slash_bps=2000, validator_bps=1000,
    bounty_bps=5000, bond_bps=500, reserve_seconds=60, repair_window=20, min_term_periods=1, max_duration=30 * 86_400,
    min_extension=60,
)  # fmt: skip

HOSTS = (1, 2, 3, 4)
"""Development accounts that host."""

Result = TypeVar("Result")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def mine(url: str) -> None:
    """Time flies: a block every tenth of a second, each a second later than the one before."""
    async with Rpc(url) as rpc:
        while True:
            with contextlib.suppress(ChainUnavailable):  # it starts, or ends
                await rpc.call("anvil_setBlockTimestampInterval", 1)
                await rpc.call("evm_mine")
            await asyncio.sleep(0.1)


class Host:
    """One host: reserves what is free, takes what is uploaded, fills and proves."""

    def __init__(self, network: Network, folder: Path, index: int) -> None:
        self.account = dev_account(index)
        self.actor = Actor(network.rpc, network.deployment, self.account, StateStore(folder / f"{index}.db"))
        self.store = SlotStore(folder / str(index), 1 << 30)
        self.view: MarketView | None = None
        self.reference = network.deployment.reference
        self.server = PeerServer(Hosting(self.actor.address, self.store, self._seen, Fitting("devnet")), self.reference)
        self.tasks = Tasks()

    def _seen(self) -> MarketView:
        assert self.view is not None
        return self.view

    async def join(self, view: MarketView) -> None:
        self.view = view
        port = await self.server.start("127.0.0.1", 0)
        sender, token, registry = self.actor.sender, self.actor.token, self.actor.registry
        await sender.send(token.approve(registry.address, 1_000 * TOKEN), "approve")
        await sender.send(registry.register(f"http://127.0.0.1:{port}"), "register")
        await sender.send(registry.deposit(1_000 * TOKEN), "deposit")

    def step(self, moment: Moment, reserving: bool, proving: bool) -> None:
        """Begin whatever is to do after a block."""
        self.view, mine = moment.view, self.actor.address
        for request in moment.view.requests.values():
            state = request.state(moment.timestamp)
            for index, slot in enumerate(request.slots):
                id = slot_id(request.id, index)
                if state is RequestState.NEW and slot.state is SlotState.FREE and not request.holds(mine) and reserving:
                    self._begin(f"reserve:{id.hex()}", self.actor.market.reserve_slot(request.id, index))
                    break
                if slot.host != mine or state.terminal:
                    continue
                if slot.state is SlotState.RESERVED and self.store.find(SlotName(request.content.cid, index)):
                    self._begin(f"fill:{id.hex()}", self.actor.market.fill_slot(id, GOOD_PROOF))
                period = period_of(moment.block + 1, MARKET)
                if proving and slot.state is SlotState.FILLED and period not in slot.proven:
                    call = self.actor.market.submit_proof(id, period, GOOD_PROOF)
                    self._begin(f"prove:{id.hex()}:{period}", call)

    def _begin(self, key: str, call: Call) -> None:
        self.tasks.start(key, self._send(key, call))

    async def _send(self, key: str, call: Call) -> None:
        await self.actor.sender.send(call, key)

    async def stop(self) -> None:
        await self.tasks.close()
        await self.server.stop()
        await self.actor.sender.close()
        self.store.close()


class Town:
    """The devnet in ``home`` and its hosts."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.hosts: list[Host] = []
        self.reserving = True
        self.proving = False
        """What hosts do; they serve whatever happens."""
        self._living: list[asyncio.Task[None]] = []
        self.do(self._build())

    def do(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run ``work`` in the town's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    async def _build(self) -> None:
        port = free_port()
        mining = asyncio.create_task(mine(f"http://127.0.0.1:{port}"))
        self.devnet = await Devnet.start(
            self.home / "devnet", port=port, verifier=ACCEPT_ALL, stake=STAKES, market=MARKET
        )
        self.network = Network(self.devnet.rpc, self.devnet.deployment)
        folder = self.home / "hosts"
        folder.mkdir()
        view = (await Follower(self.network).now()).view
        self.hosts = [Host(self.network, folder, index) for index in HOSTS]
        await asyncio.gather(*(host.join(view) for host in self.hosts))
        self._living = [mining, asyncio.create_task(self._live())]

    async def _live(self) -> None:
        async for moment in Follower(self.network, poll=0.05).follow():
            for host in self.hosts:
                host.step(moment, self.reserving, self.proving)

    def give(self, address: str, tokens: int = 0, wei: int = 0) -> None:
        """The faucet."""
        self.do(self.devnet.give(address, tokens=tokens, wei=wei))

    def now(self) -> int:
        """UNIX seconds, as the chain has it."""
        return self.do(latest(self.network.rpc)).timestamp

    def later(self, seconds: int) -> None:
        """Let time pass at once."""
        self.do(self._later(seconds))

    def expire_once_filled(self, client: str, slots: int) -> None:
        """Have time pass to the expiry of the request of ``client`` as soon as so many of its slots are filled."""
        asyncio.run_coroutine_threadsafe(self._expire_once_filled(client, slots), self._loop)

    async def _expire_once_filled(self, client: str, slots: int) -> None:
        async for moment in Follower(self.network, poll=0.05).follow():
            for request in moment.view.requests.values():
                filled = sum(slot.state is SlotState.FILLED for slot in request.slots)
                if request.client == client and filled == slots:
                    await self._later(request.expires_at - moment.timestamp)
                    return

    async def _later(self, seconds: int) -> None:
        rpc = self.network.rpc
        await rpc.call("evm_setNextBlockTimestamp", (await latest(rpc)).timestamp + seconds)
        await rpc.call("evm_mine")

    def end(self) -> None:
        """Stop everything."""
        self.do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _close(self) -> None:
        for life in self._living:
            life.cancel()
        await asyncio.gather(*(host.stop() for host in self.hosts))
        await self.devnet.stop()
