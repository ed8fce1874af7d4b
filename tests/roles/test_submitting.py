"""Proofs of several slots go to the chain together; one that is wrong costs the others nothing. Real proofs, real verifier."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

from agents.artefacts.files import verification_key
from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.journal import MemoryJournal
from agents.chain.rpc import Rpc
from agents.core.agents.provider_duties import Policy
from agents.core.market.periods import period_of
from agents.core.market.types import Ask, Content, Request, SlotState
from agents.core.market.view import SlotKey
from agents.core.proofs.proof import Groth16Proof
from agents.core.units import TOKEN
from agents.net.client import PeerClient
from agents.proving.prover import prover_for
from agents.proving.service import ProvingService
from agents.proving.turns import Turns
from agents.roles.actor import Actor
from agents.roles.fitting import Fitting
from agents.roles.provider import Provider
from agents.runtime.follower import Moment
from agents.runtime.network import Network
from agents.store.folders import SlotName
from agents.store.slots import SlotStore, put_all
from agents.store.spool import Spool
from tests.roles.test_reorg import CONFIG, PROFILE, House, founded


class Spoiling:
    """A prover that, when told to, answers another challenge than it was asked, once."""

    def __init__(self, service: ProvingService) -> None:
        self._service = service
        self.spoil = False
        self.made = 0

    @property
    def pace(self) -> float:
        return self._service.pace

    async def prove_slot(self, slot: Any, deadline: float, challenge: Callable[[], Awaitable[bytes]]) -> Groth16Proof:
        self.made += 1
        wrong, self.spoil = self.spoil, False

        async def other() -> bytes:
            return sha256(await challenge()).digest()

        return await self._service.prove_slot(slot, deadline, other if wrong else challenge)


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
        store = SlotStore(folder / "provider", 1 << 30)
        requests = []
        for name in ("one", "two"):
            (folder / name).write_bytes(os.urandom(100_000))
            dataset = Spool(folder / "spool").encode(folder / name, 1, 1, None, PROFILE)
            manifest = dataset.manifest
            ask = Ask(1, 2, 1, 1, 5_000, manifest.slot_bytes, 20_000, 1_000, 10**12)
            content = Content(manifest.digest, manifest.dataset_root)
            requests.append(Request(bank.address, ask, content, 9_000, os.urandom(32)))
            for index in range(2):
                slot = SlotName(manifest.digest, index)
                put_all(store, slot, dataset.manifest_bytes, dataset.block_list(index), list(dataset.blocks(index)))
            await bank.lane.send(bank.token.approve(network.deployment.registry, ask.price), f"approve {name}")
            await bank.lane.send(bank.market.request_storage(requests[-1]), f"post {name}")
        await rpc.call("evm_increaseTime", 5_000)  # the placement windows are over: everybody is eligible

        service = ProvingService(prover_for(PROFILE), PROFILE, verification_key(PROFILE.name), Turns(folder / "prover"))
        proving = Spoiling(service)
        peers = await stack.enter_async_context(PeerClient(network.deployment.reference))
        provider = Provider(
            actor, store, proving, peers, Policy(quota=1 << 30), Fitting(PROFILE.name), MemoryJournal()  # type: ignore[arg-type]
        )  # fmt: skip
        house = House(provider, actor, network)
        living = asyncio.create_task(house.live())

        def hosted(now: Moment) -> list[SlotKey]:
            """The provider's slots."""
            return [
                (request.id, index)
                for request in now.view.requests.values()
                for index, slot in enumerate(request.slots)
                if slot.state is SlotState.FILLED
            ]

        async def next_period() -> int:
            block = await rpc.block_number()
            await rpc.call("anvil_mine", hex(CONFIG.period_blocks - block % CONFIG.period_blocks))
            return period_of(await rpc.block_number(), CONFIG)

        async def proven(period: int) -> None:
            """Wait until both slots are proven in ``period``."""
            await house.until(lambda now: all(period in now.view.slot(key).proven for key in hosted(now)), living)

        try:
            await house.until(lambda now: len(hosted(now)) == 2, living)
            await proven(await next_period())
            # Both in one transaction, which stands for each of them.
            (batch,) = actor.lane.effects("proofs:")
            assert actor.lane.effects("prove:") == {}

            # One of the two is wrong: the batch is refused, the sound one goes alone, the other is made again.
            made, proving.spoil = proving.made, True
            period = await next_period()
            await proven(period)
            assert set(actor.lane.effects("proofs:")) == {batch}
            alone = [key for key in actor.lane.effects("prove:") if key.endswith(f":{period}")]
            assert (len(alone), proving.made - made) == (2, 3)
        finally:
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
            await provider.close()
            await service.close()
            await actor.lane.close()
            await bank.lane.close()
            store.close()


def test_proofs_go_together_and_a_wrong_one_costs_the_others_nothing(tmp_path: Path) -> None:
    asyncio.run(story(tmp_path))
