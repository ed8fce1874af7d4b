"""A host's disk loses a part of its slot: real providers notice, mend it from what is left, and their next proofs count."""

import asyncio
import json
import os
from contextlib import AsyncExitStack
from pathlib import Path

from agents.chain.devnet import Devnet
from agents.core.market.periods import period_of
from agents.core.market.types import SlotState
from agents.core.proofs.profiles import profile_named
from agents.demo.cast import Agent, agent, end
from agents.demo.terms import COLLATERAL, RATE, rules, seconds_per_proof
from agents.demo.watch import Watch
from agents.runtime.network import Network
from agents.store.folders import HeldSlot
from agents.store.mending import Health, told_health
from agents.store.slots import held_below

BLOCK = 65_536


def held_by(host: Agent) -> HeldSlot:
    """Its one slot: a block of data and one of parity."""
    (slot,) = held_below(host.data)
    assert len(slot.digests) == 2
    return slot


def lose(slot: HeldSlot, block: int) -> bytes:
    """Overwrite a block; the slot's bytes before."""
    data = slot.path / "data"
    whole = data.read_bytes()
    with data.open("r+b") as file:
        file.seek(block * BLOCK)
        file.write(os.urandom(BLOCK))
    return whole


async def story(folder: Path) -> None:
    proof = await seconds_per_proof(folder / "measure", profile_named("devnet"))
    config = rules(proof)
    period, file = config.period_blocks, folder / "letter"
    file.write_bytes(os.urandom(50_000))
    async with AsyncExitStack() as stack:
        devnet = await stack.enter_async_context(await Devnet.start(folder / "devnet", market=config))
        network = Network(devnet.rpc, devnet.deployment)
        watch = Watch(network, lambda moment: None)
        watching = asyncio.create_task(watch.run())
        place = {"HOLDFAST_RPC": devnet.anvil.url, "HOLDFAST_MARKET": devnet.deployment.reference}
        hosts = [agent(f"provider {at}", ["provider", "--stake", "2000"], folder, 3 + at, place) for at in range(2)]
        client = agent("client", [
            "client", "store", str(file), "--json", "--slots", "1", "--parity", "1", "--dispersal", "0.99",
            "--duration", f"{20 * period}s", "--expiry", f"{60 + period}s",
            "--price", str(RATE // (2 * BLOCK)), "--collateral", str(COLLATERAL // (2 * BLOCK)),
        ], folder, 1, place)  # fmt: skip

        def alive() -> None:
            if watching.done():
                watching.result()
            for host in hosts:
                host.must_run()

        def now() -> int:
            return period_of(watch.moment.block, config)

        async def proven(host: Agent, after: int) -> None:
            """Wait for a proof of the slot of ``host`` in a period after ``after``."""
            index = held_by(host).name.index
            await watch.until(
                "A proof", lambda: max(watch.request.slots[index].proven, default=0) > after, 4 * period + 30, alive
            )

        try:
            for host in hosts:
                host.start()
            staked = lambda: sum(one.staked_since > 0 for one in watch.view.providers.values()) == len(hosts)  # noqa: E731
            await watch.until("Registration", staked, 120, alive)
            client.start()
            await client.result(120 + period)
            first, second = hosts

            # Once both are proven in a period nothing looks at their slots until the next.
            rested = lambda: (  # noqa: E731
                watch.moment.block % period < period - 6 and all(now() in slot.proven for slot in watch.request.slots)
            )
            await watch.until("The proofs of a period", rested, 4 * period + 30, alive)
            begun = now()
            own, told = held_by(first), held_by(second)
            before = lose(own, 0), lose(told, 1)
            scrub = agent("scrub", ["provider", "scrub", "--data-dir", str(second.data), "--json"], folder, 4, place)
            scrub.start()
            (found,) = json.loads(await scrub.result(60))["slots"]
            assert (found["damaged"], found["mended"], found["left"]) == (1, 1, 0)
            # The one that nobody told finds out by itself: each proof samples five cells of its two blocks.
            mended = lambda: (told_health(own.path) or Health(0, 0, 0, 0)).mended == 1  # noqa: E731
            await watch.until("The mending", mended, 6 * period, alive)
            assert ((own.path / "data").read_bytes(), (told.path / "data").read_bytes()) == before
            await proven(first, now() - 1)
            await proven(second, begun)
            assert all(slot.state is SlotState.FILLED for slot in watch.request.slots)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await end([client, *hosts])


def test_a_slot_that_lost_a_part_is_mended_and_proven(tmp_path: Path) -> None:
    asyncio.run(story(tmp_path))
