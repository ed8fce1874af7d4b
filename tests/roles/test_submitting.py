"""Proofs of several slots go to the chain together; one that is wrong costs the others nothing. Real proofs, real verifier."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from agents.core.market.periods import period_of
from agents.core.market.types import SlotState
from agents.core.market.view import SlotKey
from agents.core.proofs.proof import Groth16Proof
from agents.proving.service import ProvingService
from agents.runtime.follower import Moment
from agents.store.folders import SlotName
from agents.store.slots import SlotStore, put_all
from tests.roles.house import CONFIG, living, town


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
    async with town() as place:
        store = SlotStore(folder / "provider", 1 << 30)
        for name in ("one", "two"):
            _, dataset = await place.post(folder, name, 100_000)
            for index in range(2):
                slot = SlotName(dataset.manifest.digest, index)
                put_all(store, slot, dataset.manifest_bytes, dataset.block_list(index), list(dataset.blocks(index)))
        await place.rpc.call("evm_increaseTime", 5_000)  # the placement windows are over: everybody is eligible
        async with living(place, store, folder, Spoiling) as (house, life):
            proving = house.proving

            def hosted(now: Moment) -> list[SlotKey]:
                """The provider's slots."""
                return [
                    (request.id, index)
                    for request in now.view.requests.values()
                    for index, slot in enumerate(request.slots)
                    if slot.state is SlotState.FILLED
                ]

            async def next_period() -> int:
                block = await place.rpc.block_number()
                await place.rpc.call("anvil_mine", hex(CONFIG.period_blocks - block % CONFIG.period_blocks))
                return period_of(await place.rpc.block_number(), CONFIG)

            async def proven(period: int) -> None:
                """Wait until both slots are proven in ``period``."""
                await house.until(lambda now: all(period in now.view.slot(key).proven for key in hosted(now)), life)

            await house.until(lambda now: len(hosted(now)) == 2, life)
            await proven(await next_period())
            # Both in one transaction, which stands for each of them.
            (batch,) = place.actor.sender.effects("proofs:")
            assert place.actor.sender.effects("prove:") == {}

            # One of the two is wrong: the batch is refused, the sound one goes alone, the other is made again.
            made, proving.spoil = proving.made, True
            period = await next_period()
            await proven(period)
            assert set(place.actor.sender.effects("proofs:")) == {batch}
            alone = [key for key in place.actor.sender.effects("prove:") if key.endswith(f":{period}")]
            assert (len(alone), proving.made - made) == (2, 3)


def test_proofs_go_together_and_a_wrong_one_costs_the_others_nothing(tmp_path: Path) -> None:
    asyncio.run(story(tmp_path))
