"""Agents die with SIGKILL at every named step, and come back: no data, no money and no slot is lost but the one taken away.

Every process is `agent ...` as a user types it, with the generated verifier and real proofs. A provider's drills are chained
so that whichever providers come to host a slot, every step is died at: each host passes every step of its own chain.
"""

import asyncio
import filecmp
import json
import os
import resource
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.chain.codec import artefact
from agents.chain.deploy import DEV_SINK
from agents.chain.devnet import Devnet
from agents.core.market import events as e
from agents.core.market.ledger import ledger_of
from agents.core.market.types import RequestState, SlotState
from agents.core.proofs.profiles import profile_named
from agents.demo.cast import Agent, agent, end
from agents.demo.sheet import balance_sheet, wealth
from agents.demo.terms import COLLATERAL, RATE, rules, seconds_per_proof
from agents.demo.watch import Watch
from agents.runtime.network import Network

CHAINS = (
    ("reserve.before", "upload.committed", "fill.sent", "prove.proven", "settle.before"),
    ("reserve.sent", "fill.proven", "prove.sent", "settle.before"),
)
"""What providers die at, one after the other; every second provider has the second chain."""
CLIENT_CHAIN = ("encoded", "posted", "pushed")
VALIDATOR_CHAIN = ("mark.before", "mark.sent")
SPARE_CHAIN = ("rebuild.done",)
EVERY_STEP = {*CHAINS[0], *CHAINS[1], *CLIENT_CHAIN, *VALIDATOR_CHAIN, *SPARE_CHAIN}

PROVIDERS, DATA, PARITY = 6, 2, 2
NINES = 3
"""A file is stored for so many; the slots are what the quote makes of them with six hosts."""
REST = 5
"""Blocks of a period beyond those that the proofs need: for coming back from the dead."""


@dataclass
class Drilled:
    """An agent that is started again whenever it dies, each time to die at the next step of its chain."""

    agent: Agent
    chain: tuple[str, ...]
    died_at: list[str] = field(default_factory=list)

    def start(self) -> None:
        step = self.chain[len(self.died_at)] if len(self.died_at) < len(self.chain) else ""
        self.agent.start(HOLDFAST_KILL_AT=step)

    def revive(self) -> None:
        """Start it again if it killed itself; any other end is a failure."""
        if self.agent.running:
            return
        assert self.agent.process is not None
        code = self.agent.process.returncode
        assert code == -signal.SIGKILL, f"{self.agent.name} ended with {code}: {self.agent.said()}"
        assert len(self.died_at) < len(self.chain), f"{self.agent.name} died of something else: {self.agent.said()}"
        self.died_at.append(self.chain[len(self.died_at)])
        self.start()

    def turn(self, chain: tuple[str, ...]) -> None:
        """Kill it wherever it is, and have it die at ``chain`` from now on; what it died at so far counts."""
        self.agent.kill()
        self.chain = (*self.died_at, *chain)
        self.start()


async def campaign(folder: Path) -> None:
    profile = profile_named("devnet")
    proof = await seconds_per_proof(folder / "measure", profile)
    config = rules(proof, rest=REST)
    file, back = folder / "ledger.db", folder / "back"
    file.write_bytes(os.urandom(900_001))
    async with AsyncExitStack() as stack:
        devnet = await stack.enter_async_context(await Devnet.start(folder / "devnet", market=config))
        network = Network(devnet.rpc, devnet.deployment)
        assert await devnet.rpc.code(devnet.deployment.verifier) == contract_code()
        watch = Watch(network, lambda moment: None)
        watching = asyncio.create_task(watch.run())
        place = {"HOLDFAST_RPC": devnet.anvil.url, "HOLDFAST_MARKET": devnet.deployment.reference}
        period = config.period_blocks
        # Filled in 50 s, lost after at most three periods, rebuilt and reserved with a whole reservation to spare.
        expiry = 50 + period
        duration = 50 + 3 * period + 20 + config.reserve_seconds + period
        slot = 11 * 65_536  # seven blocks of data, four of parity
        wish = [
            str(file), "--json", "--nines", str(NINES), "--max-slots", "6", "--expansion", "2", "--repair-threshold", "1",
            "--duration", f"{duration}s", "--price", str(RATE // slot), "--collateral", str(COLLATERAL // slot),
        ]  # fmt: skip
        quote, order = ["client", "quote", *wish], ["client", "store", *wish, "--expiry", f"{expiry}s"]
        client = Drilled(agent("client", order, folder, 1, place), CLIENT_CHAIN)
        validator = Drilled(agent("validator", ["validator"], folder, 2, place), VALIDATOR_CHAIN)
        providers = [
            Drilled(agent(f"provider {at}", ["provider", "--stake", "2000"], folder, 3 + at, place), CHAINS[at % 2])
            for at in range(PROVIDERS)
        ]
        cast = [validator, *providers]

        def revive() -> None:
            if watching.done():
                watching.result()
            for each in cast:
                each.revive()

        try:
            parties = {each.agent.name: each.agent.address for each in (client, *cast)}
            parties["sink"] = DEV_SINK
            before = {address: await wealth(network, address) for address in parties.values()}
            for each in cast:
                each.start()
            staked = lambda: sum(one.staked_since > 0 for one in watch.view.providers.values()) == PROVIDERS  # noqa: E731
            await watch.until("Registration", staked, 120, revive)
            quoted = await quotation(agent("quote", quote, folder, 1, place))

            # The client dies three times; the same command typed again goes on with the same request.
            client.start()
            cast.append(client)
            # Its last start ends by itself: from then on it is not revived.
            while len(client.died_at) < len(CLIENT_CHAIN):
                await asyncio.sleep(0.2)
                revive()
            cast.remove(client)
            await watch.until("The start", lambda: watch.posted and watch.request.started, expiry + 30, revive)
            capability = json.loads(await client.agent.result(60))["capability"]
            ask = watch.request.ask
            assert (ask.slots, ask.max_slot_loss) == (DATA + PARITY, PARITY)
            assert (quoted["dataSlots"], quoted["paritySlots"]) == (DATA, PARITY)
            assert (ask.repair_threshold, ask.proof_probability) == (
                quoted["repairThreshold"],
                quoted["proofProbability"],
            )
            assert (str(ask.price), ask.slot_size) == (quoted["price"], quoted["slotSize"])

            hosts = {slot.host for slot in watch.request.slots}
            for each in providers:
                if each.agent.address not in hosts:
                    each.turn(SPARE_CHAIN)
            # Not the only host with its chain: another goes through the rest of the steps.
            hosting = [each for each in providers if each.agent.address in hosts]
            victim = next(one for one in hosting if sum(each.chain == one.chain for each in hosting) > 1)
            taken = [slot.host for slot in watch.request.slots].index(victim.agent.address)
            cast.remove(victim)
            victim.agent.kill()
            victim.agent.wipe()
            lost = lambda: watch.request.slots[taken].state is SlotState.LOST  # noqa: E731
            await watch.until("The loss", lost, 5 * period, revive)
            filled = lambda: watch.request.slots[taken].state is SlotState.FILLED  # noqa: E731
            await watch.until("The repair", filled, 2 * period + config.reserve_seconds, revive)

            keepers = {slot.host for slot in watch.request.slots}

            reader = agent("reader", ["client", "get", capability, "-o", str(back)], folder, 1, place)
            reader.start()
            await reader.result(60)
            assert filecmp.cmp(file, back, shallow=False)

            over = lambda: watch.request.state(watch.moment.timestamp) is RequestState.FINISHED  # noqa: E731
            await watch.until("The end", over, duration, revive)
            await devnet.rpc.call("evm_increaseTime", config.settle_seconds)
            await watch.until("The settlement", lambda: watch.request.closed, 90, revive)

            died = {step for each in (client, validator, *providers) for step in each.died_at}
            assert died == EVERY_STEP
            losses = [event.host for event in watch.events if isinstance(event, e.SlotLost)]
            assert losses == [victim.agent.address]
            assert len(watch.view.requests) == 1  # the client paid once
            ledger = ledger_of(watch.events, config, watch.view.stake)
            sheet = await balance_sheet(network, ledger, parties, before, {})
            paid = {account.address for account in sheet if account.lines.get("pay")}
            assert paid >= keepers
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await end([each.agent for each in (client, *cast)])


async def quotation(asker: Agent) -> dict[str, Any]:
    """What `agent client quote` says, in less than two seconds of a core."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    asker.start()
    quoted: dict[str, Any] = json.loads(await asker.result(60))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
    assert quoted["lossAYear"] <= 10**-NINES
    return quoted


def contract_code() -> bytes:
    """The runtime code of the generated verifier, as it ships."""
    return artefact("DevnetVerifier").runtime


def test_killing_any_agent_at_any_step_loses_nothing(tmp_path: Path) -> None:
    asyncio.run(campaign(tmp_path))
