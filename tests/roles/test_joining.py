"""How a provider takes its place in the market, and takes it again after whatever happened to it."""

import asyncio
import socket
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.contracts import ProviderRecord
from agents.chain.journal import MemoryJournal
from agents.chain.rpc import Rpc
from agents.core.errors import Misuse, NotEnoughTokens
from agents.core.market.types import StakeConfig
from agents.core.units import TOKEN
from agents.net.server import PeerServer
from agents.roles.actor import Actor
from agents.roles.fitting import Fitting
from agents.roles.hosting import Hosting
from agents.runtime.joining import PORT, join, listen
from agents.runtime.settings import Place, ProviderSettings
from agents.store.slots import SlotStore
from agents.store.state import StateStore
from tests.chain.ground import market_on
from tests.roles.scenes import ME, Scene, scene

HERE = "http://127.0.0.1:9"
RULES = StakeConfig(100 * TOKEN, 1, 30, "0x" + "e" * 40)
SLASHED = ProviderRecord(bytes([1]) * 32, 5, 6, 0, free=900 * TOKEN, locked=80 * TOKEN, unbonding=0, endpoint=HERE)
POOR = replace(SLASHED, free=0)


def penniless(known: ProviderRecord) -> Any:
    """An actor whose wallet is empty."""

    async def found(account: str) -> Any:
        return known

    async def balance(account: str) -> int:
        return 0

    return SimpleNamespace(
        address=ME, sender=SimpleNamespace(pending=list), registry=SimpleNamespace(provider_of=found),
        token=SimpleNamespace(balance_of=balance),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("known", "stake", "lack"),
    [(SLASHED, 1_000 * TOKEN, "20 HOLD are needed"), (POOR, None, "Only 80 HOLD are staked")],
)
def test_a_slashed_provider_goes_on_with_what_it_has_while_slots_must_be_proven(
    known: ProviderRecord, stake: int | None, lack: str
) -> None:
    said: list[str] = []
    asyncio.run(join(penniless(known), RULES, HERE, stake, said.append))
    assert len(said) == 2 and lack in said[0] and "80 HOLD are locked for slots that must be proven" in said[1]
    with pytest.raises(NotEnoughTokens if stake else Misuse):
        asyncio.run(join(penniless(replace(known, locked=0, free=known.free // 20)), RULES, HERE, stake, said.append))


def test_a_start_killed_while_its_stake_is_on_its_way_does_not_stake_twice() -> None:
    async def act() -> None:
        async with AsyncExitStack() as stack:
            anvil = stack.enter_context(Anvil(AnvilOptions(block_time=None)))
            rpc = await stack.enter_async_context(Rpc(anvil.url))
            deployment = await market_on(rpc)
            bank, journal = Actor(rpc, deployment, dev_account(0), MemoryJournal()), MemoryJournal()
            await bank.sender.send(bank.token.transfer(dev_account(1).address, 5_000 * TOKEN), "fund")
            await bank.sender.close()
            rules = await bank.registry.config()
            await rpc.call("evm_setAutomine", False)

            async def started() -> "tuple[Actor, asyncio.Task[None]]":
                actor = Actor(rpc, deployment, dev_account(1), journal)
                await actor.sender.resume()
                return actor, asyncio.create_task(join(actor, rules, HERE, 1_000 * TOKEN, lambda said: None))

            async def killed(actor: Actor, task: "asyncio.Task[None]") -> None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                await actor.sender.close()

            async with asyncio.timeout(60):
                actor, task = await started()
                while not any(key.startswith("deposit:") for key in actor.sender.pending()):
                    await rpc.call("evm_mine")
                    await asyncio.sleep(0.1)
                await killed(actor, task)
                actor, task = await started()
                await asyncio.sleep(0.3)
                while not task.done():
                    await rpc.call("evm_mine")
                    await asyncio.sleep(0.1)
                task.result()
            assert (await actor.registry.provider_of(actor.address)).free == 1_000 * TOKEN
            await actor.sender.close()

    asyncio.run(act())


def test_a_port_that_was_kept_and_is_taken_is_left_for_another_unless_it_was_typed(tmp_path: Path) -> None:
    place: Scene = scene(tmp_path)
    said: list[str] = []
    settings = ProviderSettings(Place(), None, 1 << 20)
    state = StateStore(tmp_path / "state.db")
    store = SlotStore(tmp_path / "agent", 1 << 30)

    async def at(settings: ProviderSettings) -> str:
        server = PeerServer(Hosting(ME, store, lambda: place.view, Fitting("devnet")), "eip155:1:0x" + "22" * 20)
        try:
            return await listen(state, server, settings, said.append)
        finally:
            await server.stop()

    with closing(state), closing(store), socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        state.save(PORT, PORT, str(taken).encode())
        endpoint = asyncio.run(at(settings))
        port = int(endpoint.rpartition(":")[2])
        assert port != taken and state.load(PORT) == {PORT: str(port).encode()}
        assert f"cannot listen on 127.0.0.1:{taken}" in said[0] and f"port {port} is used" in said[0]
        assert asyncio.run(at(settings)) == endpoint  # and kept
        with pytest.raises(Misuse, match="--listen"):
            asyncio.run(at(replace(settings, listen=f"127.0.0.1:{taken}")))
        assert len(said) == 1
