"""The story: a file is stored, proven, loses two hosts, is repaired, is read back and its reads are sold; all are paid."""

import asyncio
import filecmp
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from agents.chain.contracts import Market
from agents.chain.devnet import Devnet
from agents.chain.reverts import revert_of
from agents.chain.rpc import RpcError, to_hex
from agents.core.errors import FileRejected
from agents.core.market import events as e
from agents.core.market.ledger import ledger_of
from agents.core.market.periods import period_of
from agents.core.market.types import RequestState, SlotState, slot_index_of
from agents.core.market.view import RequestView
from agents.core.proofs.profiles import profile_named
from agents.core.units import format_duration, format_size
from agents.demo.cast import Agent, agent, end
from agents.demo.reads import Reads, Sold
from agents.demo.reports import Report, reports
from agents.demo.screen import Screen, amount
from agents.demo.sheet import Account, balance_sheet, wealth
from agents.demo.sources import archive_sources
from agents.demo.terms import DATA, PARITY, Terms, rules, seconds_per_proof, terms
from agents.demo.told import Told
from agents.demo.watch import StoryBroken, Watch
from agents.runtime.follower import Moment
from agents.runtime.network import Network

PROVIDERS = 7
CLIENT, VALIDATOR, FIRST_PROVIDER = 1, 2, 3
"""Which of the devnet's accounts they are."""
LOST = (0, DATA)
"""Slots whose hosts are killed: one of data, one of parity; it takes both to open the repair."""
APART = 1.0
"""Seconds between the kills: too few for a proof in between, which would make the second loss a period later."""
STAKE = "2000"
PROFILE = "devnet"


class Story:
    """One demo, from an empty chain to the balance sheet."""

    def __init__(self, folder: Path, file: Path, screen: Screen) -> None:
        self._folder = folder
        self._file = file
        self._screen = screen
        self._network: Network
        self._watch: Watch
        self._placed: dict[int, int] = {}
        self._losses = 0
        self._cast: list[Agent] = []
        self._names: dict[str, str] = {}

    # --- watching ---

    @property
    def _request(self) -> RequestView:
        return self._watch.request

    def _told(self, moment: Moment) -> None:
        for event in moment.events:
            self._tell(event)
        if self._watch.posted:
            self._screen.slots(self._request, self._names, self._placed)

    async def _until(self, what: str, condition: Callable[[], bool], seconds: float) -> None:
        """Wait for ``condition``; every agent that should be running must be. Raises StoryBroken, AgentGone."""

        def check() -> None:
            for each in self._cast:
                each.must_run()

        await self._watch.until(what, condition, seconds, check)

    def _name(self, address: str | None) -> str:
        return self._names.get(address or "", address or "nobody")

    def _tell(self, event: e.Event) -> None:
        """What an event means, in a line; those that say nothing new are left out."""
        say = self._screen.say
        id = getattr(event, "slot_id", None)
        index = slot_index_of(id) if id is not None else getattr(event, "slot_index", 0)
        match event:
            case e.StorageRequested():
                say(f"the client pays {amount(-event.deposit)[1:]} for {event.ask.slots} slots: request "
                    f"{event.request_id.hex()[:12]}")  # fmt: skip
            case e.SlotReserved():
                sale = self._request.sale(index, self._watch.view.config)
                self._placed[index] = event.at.timestamp - sale.start if sale else 0
                say(f"slot {index} is reserved by {self._name(event.provider)}, {self._placed[index]} s into its sale")
            case e.SlotFilled():
                bounty = f", bounty {amount(event.bounty)}" if event.bounty else ""
                say(f"slot {index} is filled by {self._name(event.host)}, with a proof{bounty}")
            case e.ProofMissed():
                say(f"slot {index} missed period {event.period}: {amount(event.slashed)[1:]} slashed, "
                    f"{amount(event.reward)} to the validator")  # fmt: skip
            case e.SlotLost():
                say(f"slot {index} is lost: {self._name(event.host)} loses {amount(event.slashed)[1:]} more, "
                    f"keeps {amount(event.paid)}")  # fmt: skip
                self._losses += 1
                if self._losses < len(LOST):
                    say(f"{self._losses} of the {len(LOST)} losses that open a repair: nothing is for sale yet")
            case e.RepairOpened():
                say(f"the repair opens: slots {_listed(LOST)} are on sale together")
            case e.SlotSettled():
                say(f"slot {index} is settled: {amount(event.paid)} to {self._name(event.host)}")
            case e.RequestClosed():
                pots = f" and {amount(event.pots)} slashed" if event.pots else ""
                say(f"the request is closed: {amount(event.refund)} unearned{pots} back to the client")

    # --- the acts ---

    async def tell(self) -> Told:
        """Tell it. Raises StoryBroken, AgentGone, LedgerMismatch, and what the tools raise."""
        profile, screen = profile_named(PROFILE), self._screen
        screen.act("A market on this machine")
        proof = await seconds_per_proof(self._folder / "measure", profile)
        config = rules(proof)
        bought = terms(self._file, profile, config, proof)
        screen.say(f"one proof takes {proof:.1f} s here, so a period is {config.period_blocks} blocks of one second")
        async with AsyncExitStack() as stack:
            devnet = await stack.enter_async_context(await Devnet.start(self._folder / "devnet", market=config))
            self._network = Network(devnet.rpc, devnet.deployment)
            screen.say(f"anvil at {devnet.anvil.url}")
            screen.say(f"market {devnet.deployment.reference}")
            screen.say("verifier of the DEVELOPMENT key: insecure, for local chains only")
            self._watch = Watch(self._network, self._told)
            watching = asyncio.create_task(self._watch.run())
            telling = asyncio.create_task(self._acts(devnet, bought, proof))
            try:
                done, _ = await asyncio.wait({watching, telling}, return_when=asyncio.FIRST_COMPLETED)
                if watching in done:
                    watching.result()
                return await telling
            finally:
                screen.still()
                for task in (watching, telling):
                    task.cancel()
                await asyncio.gather(watching, telling, return_exceptions=True)
                await end(self._cast)

    async def _acts(self, devnet: Devnet, bought: Terms, proof: float) -> Told:
        place = {"HOLDFAST_RPC": devnet.anvil.url, "HOLDFAST_MARKET": devnet.deployment.reference}
        client = agent("client", self._order(bought), self._folder, CLIENT, place)
        validator = agent("validator", ["validator"], self._folder, VALIDATOR, place)
        providers = [
            agent(f"provider {letter}", ["provider", "--stake", STAKE], self._folder, FIRST_PROVIDER + at, place)
            for at, letter in enumerate("ABCDEFG"[:PROVIDERS])
        ]
        parties = {each.name: each.address for each in (client, validator, *providers)}
        await self._until("The first block", lambda: True, 30)
        reads = Reads(self._folder / "reads", self._file, self._screen, self._network, place)
        parties |= reads.parties
        parties["sink"] = self._watch.view.stake.sink
        self._names = {address: name for name, address in parties.items()}
        before = {address: await wealth(self._network, address) for address in parties.values()}

        await self._open(validator, providers)
        started = self._screen.elapsed
        capability = await self._store(client, bought)
        await self._prove()
        await self._lose(providers, bought)
        repairs = await self._repair(providers, bought)
        await self._read(client, capability, providers, place)
        sold = await self._sell(reads, capability)
        accounts = await self._settle(parties, before, reads)
        seconds = self._screen.elapsed - started
        self._screen.say(f"from store to balance sheet: {seconds:.0f} s")
        return Told(
            str(self._file), self._file.stat().st_size, bought.layout.slot_bytes, round(proof, 2),
            self._watch.view.config.period_blocks, self._request.id.hex(),
            [self._placed[at] for at in sorted(self._placed)], repairs, sold, round(seconds, 1), accounts,
        )  # fmt: skip

    def _order(self, bought: Terms) -> list[str]:
        return [
            "client", "store", str(self._file), "--json", "--slots", str(DATA), "--parity", str(PARITY),
            "--repair-threshold", str(len(LOST)), "--duration", f"{bought.duration}s", "--expiry", f"{bought.expiry}s",
            "--price", str(bought.price), "--collateral", str(bought.collateral),
        ]  # fmt: skip

    async def _open(self, validator: Agent, providers: Sequence[Agent]) -> None:
        self._screen.act(f"{len(providers)} providers stake {STAKE} each; a validator watches")
        for each in (validator, *providers):
            each.start()
            self._cast.append(each)
        await self._until(
            "Every provider's registration",
            lambda: (
                sum(provider.staked_since > 0 for provider in self._watch.view.providers.values()) == len(providers)
            ),
            120,
        )
        self._screen.say(f"{len(providers)} provider processes are registered, staked and listening")

    async def _store(self, client: Agent, bought: Terms) -> str:
        size, slot = format_size(self._file.stat().st_size), format_size(bought.layout.slot_bytes)
        self._screen.act(f"The client stores {self._file.name} ({size}) for {format_duration(bought.duration)}")
        self._screen.say(f"encrypted, coded into {DATA}+{PARITY} slots of {slot}; any {DATA} of them rebuild it")
        client.start()
        await self._until("The request", lambda: self._watch.posted or not client.running, 120)
        if self._watch.posted:
            await self._refused()
        result = await client.result(bought.expiry + 60)
        await self._until("The start", lambda: self._request.started, 30)
        self._screen.say("every slot has a host that proved it: the request has started")
        return str(json.loads(result)["capability"])

    async def _refused(self) -> None:
        """Ask the contract what it says to a provider that runs ahead of its turn: a call, not a transaction."""
        market = Market(self._network.rpc, self._network.deployment.marketplace)
        await self._until("The next block", lambda: self._watch.moment.block > self._request.created_block, 30)
        request = self._request
        for index, slot in enumerate(request.slots):
            for address in self._watch.view.providers:
                distance, threshold = await market.placement_of(address, request.id, index)
                if slot.state is not SlotState.FREE or request.holds(address) or distance < threshold:
                    continue
                call = market.reserve_slot(request.id, index)
                try:
                    await self._network.rpc.call(
                        "eth_call", {"from": address, "to": call.to, "data": to_hex(call.data)}, "latest"
                    )
                except RpcError as refusal:
                    name = str(getattr(revert_of(call.label, refusal), "name", ""))
                    if name == "Marketplace_NotEligible":
                        self._screen.say(f"slot {index} is not yet {self._name(address)}'s to reserve: {name}")
                        return
        raise StoryBroken("No reservation out of turn was refused", "every provider was eligible at once")

    async def _prove(self) -> None:
        self._screen.act("Every period each slot is sampled anew, and proven")
        await self._until("A proof of every slot", lambda: all(slot.proven for slot in self._request.slots), 240)
        self._screen.say("every slot is proven: a Groth16 proof each, verified by the contract")
        self._screen.keep(self._request, self._names, self._placed)

    async def _lose(self, providers: Sequence[Agent], bought: Terms) -> None:
        hosts = [self._request.slots[index].host for index in LOST]
        victims = [next(each for each in providers if each.address == host) for host in hosts]
        self._screen.act(f"The hosts of slots {_listed(LOST)} are killed, one after the other, their disks wiped")
        period = period_of(self._watch.moment.block, self._watch.view.config)
        self._kill(victims[0])
        await asyncio.sleep(APART)
        if bought.apart:
            await self._until("The next proof", lambda: max(self._request.slots[LOST[1]].proven) > period, 240)
        self._kill(victims[1])
        lost = lambda: all(self._request.slots[index].state is not SlotState.FILLED for index in LOST)  # noqa: E731
        await self._until("The losses", lost, 400)

    def _kill(self, victim: Agent) -> None:
        self._cast.remove(victim)
        victim.kill()
        victim.wipe()
        self._screen.say(f"SIGKILL to {victim.name}; {victim.folder.name}/ is gone")

    async def _repair(self, providers: Sequence[Agent], bought: Terms) -> list[Report]:
        screen, slots = self._screen, self._request.slots
        held = {host for slot in slots for host in slot.former_hosts}
        screen.act("Lazy repair, by two providers that never held a slot of it")
        filled = lambda: all(self._request.slots[index].state is SlotState.FILLED for index in LOST)  # noqa: E731
        await self._until("The repairs", filled, 180)
        hosts = [self._request.slots[index].host for index in LOST]
        if held & set(hosts) or len(set(hosts)) != len(LOST):
            raise StoryBroken("A repairer held a slot before", " and ".join(map(self._name, hosts)))
        found = await reports(providers, dict(zip(LOST, hosts, strict=True)))
        for report in found:
            size = f"{format_size(report.fetched)}, {report.fetched / bought.layout.data_bytes:.1f} slots"
            if report.source is not None:
                screen.say(f"{report.provider} had slot {report.slot} from {self._name(report.source)}: {size}")
            else:
                made = _listed((report.slot, *report.spares))
                screen.say(f"{report.provider} fetched {size}, and made slots {made} of them")
        times = sum(report.source is None for report in found)
        total = sum(report.fetched for report in found) / bought.layout.data_bytes
        screen.say(f"reconstructions: {times}; fetched {total:.1f} slots for {len(LOST)}, not {DATA * len(LOST)}")
        screen.keep(self._request, self._names, self._placed)
        return found

    async def _read(self, client: Agent, capability: str, providers: Sequence[Agent], place: dict[str, str]) -> None:
        self._screen.act("The file is read back by a stranger to this machine's past")
        shutil.rmtree(client.folder)
        self._screen.say("the client's directory is deleted; capability, RPC and market are left")
        # As many as can be missing: what is left is the repaired slots and just enough of the others.
        others = [slot.host for at, slot in enumerate(self._request.slots) if at not in LOST][:PARITY]
        stopped = [each for each in providers if each.address in others]
        await self._until("Their proofs of this period", lambda: self._proven_now(others), 240)
        for each in stopped:
            self._cast.remove(each)
        await end(stopped)
        names = " and ".join(each.name for each in stopped)
        self._screen.say(f"{names} are stopped: both repaired slots are needed")
        back = self._folder / "back"
        reader = agent("reader", ["client", "get", capability, "-o", str(back), "--json"], self._folder, CLIENT, place)
        reader.start()
        await reader.result(120)
        for each in stopped:
            each.start()
            self._cast.append(each)
        if not filecmp.cmp(self._file, back, shallow=False):
            raise StoryBroken("The file read back is not the file stored", f"compare {self._file} and {back}")
        self._screen.say(f"read back: {format_size(back.stat().st_size)}, every byte the same; the two start again")

    def _proven_now(self, hosts: Sequence[str | None]) -> bool:
        period = period_of(self._watch.moment.block, self._watch.view.config)
        return all(
            period in slot.proven or period <= slot.fill_period for slot in self._request.slots if slot.host in hosts
        )

    async def _sell(self, reads: Reads, capability: str) -> Sold:
        self._cast += reads.caches
        sold = await reads.tell(capability)
        await reads.redeemed()
        return sold

    async def _settle(self, parties: dict[str, str], before: dict[str, int], reads: Reads) -> Sequence[Account]:
        self._screen.act("The request ends, and everybody is paid")
        ends = lambda: self._request.state(self._watch.moment.timestamp) is RequestState.FINISHED  # noqa: E731
        await self._until("The end", ends, 600)
        delay = self._watch.view.config.settle_seconds
        await self._network.rpc.call("evm_increaseTime", delay)
        self._screen.say(f"it is over; SKIPPED: the settlement delay of {delay} s, nothing before")
        await self._until("The settlement", lambda: self._request.closed, 120)
        await reads.withdrawn()
        view = self._watch.view
        ledger = ledger_of(self._watch.events, view.config, view.stake)
        accounts = await balance_sheet(self._network, ledger, parties, before, reads.lines())
        self._screen.keep(self._request, self._names, self._placed)
        self._screen.act("Balance sheet: the books made of the events, beside the chain's own balances")
        self._screen.sheet(accounts)
        self._screen.say("every change is explained, and nothing is left in the market")
        return accounts


def _listed(indices: Sequence[int]) -> str:
    return " and ".join(map(str, sorted(indices)))


def tell(file: Path | None, json: bool) -> Told:
    """Run the demo; its folder is kept only if it fails. Raises whatever went wrong."""
    if file is not None and not (file.is_file() and file.stat().st_size):
        raise FileRejected(f"Cannot store {file}", "it is no file with something in it", "Name another.")
    folder = Path(tempfile.mkdtemp(prefix="holdfast-demo-"))
    chosen = file.resolve() if file is not None else archive_sources(folder / "holdfast-sources.tar.gz")
    screen = Screen(json)
    try:
        told = asyncio.run(Story(folder, chosen, screen).tell())
    except BaseException:
        screen.say(f"the demo stopped; what the agents wrote is in {folder}")
        raise
    shutil.rmtree(folder)
    return told
