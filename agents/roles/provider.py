"""The provider: reserves, receives or rebuilds, fills, proves, settles."""

import asyncio
import logging
import time
from dataclasses import replace

from agents.chain.blocks import header_of
from agents.chain.journal import Journal
from agents.core.agents.provider import blocks_needed, duties
from agents.core.agents.provider_duties import (
    Accept,
    Claim,
    Clock,
    Duty,
    Fill,
    Forget,
    Policy,
    Prove,
    Rebuild,
    Release,
    Reserve,
    Settle,
    provable,
)  # fmt: skip
from agents.core.errors import ChainUnavailable, Corrupt, NotFound
from agents.core.market.periods import challenge, first_block, period_of
from agents.core.market.types import MarketConfig, slot_id
from agents.core.market.view import MarketView, SlotKey
from agents.core.proofs.proof import Groth16Proof
from agents.net.client import PeerClient
from agents.proving.service import ProvingService
from agents.roles.actor import Actor, Tasks
from agents.roles.begun import Begun
from agents.roles.drill import reached
from agents.roles.fitting import Fitting
from agents.roles.mending import SHARE, Mending
from agents.roles.rebuilding import Repairs
from agents.roles.submitting import Submissions
from agents.store.folders import SlotName
from agents.store.slots import SlotStore

log = logging.getLogger(__name__)

SCRUB = "scrub"
"""Under which key slots are looked at unasked, one after the other."""
SCRUB_EVERY = 7 * 86_400.0
"""Seconds after which a slot is looked at again."""
FORGET_AFTER_BLOCKS = 64
"""Data is deleted once it was of no use for so long: the chain may go back to where it was."""


class Provider:
    """Runs a provider's duties."""

    def __init__(
        self,
        actor: Actor,
        store: SlotStore,
        proving: ProvingService,
        peers: PeerClient,
        policy: Policy,
        fitting: Fitting,
        memory: Journal,
        scrub_every: float = SCRUB_EVERY,
    ) -> None:
        """``memory`` keeps which reservations lapsed; ``fitting`` is the peer server's too.

        Every slot is looked at every ``scrub_every`` seconds; 0: only where a proof or a reader finds it damaged.
        """
        self._actor = actor
        self._store = store
        self._proving = proving
        self._repairs = Repairs(peers, store, actor.address, actor.deployment.profile)
        self._mending = Mending(peers, store, actor.address)
        self._scrub_every = scrub_every
        self._policy = policy
        self._fitting = fitting
        self._tasks = Tasks()
        self._submissions = Submissions(actor)
        self._begun = Begun(actor.address, memory)
        self._useless_since: dict[Forget, int] = {}
        self._block = self._now = 0
        self.view: MarketView | None = None
        """The newest view; what the peer server answers from."""

    def _held(self, view: MarketView) -> set[SlotKey]:
        folders = {name: self._store.find(name) for name in self._store.held}
        found = set()
        for request in view.requests.values():
            for index in range(len(request.slots)):
                folder = folders.get(SlotName(request.content.cid, index))
                if folder is not None and self._fitting.fits(request, folder):
                    found.add((request.id, index))
        return found

    async def step(self, view: MarketView, block: int, now: int, reorged: bool = False) -> None:
        """Start whatever is due after ``block``."""
        self.view, self._block, self._now = view, block, now
        self._submissions.look(view.config, block)
        me = self._actor.address
        hashes = await self._actor.hashes(blocks_needed(view, me, block), reorged)
        held = await asyncio.to_thread(self._held, view)
        self._begun.look(view, now, reorged, held)
        arriving = await asyncio.to_thread(lambda: self._store.arriving)
        begun = self._begun.under_way(view, block, self._actor.sender.pending(), arriving, self._fitting.refused)
        due = duties(view, me, self._able(view), held, Clock(block, now, hashes), begun)
        since = self._useless_since
        self._useless_since = {duty: since.get(duty, block) for duty in due if isinstance(duty, Forget)}
        for duty in due:
            if not isinstance(duty, Forget) or block - self._useless_since[duty] >= FORGET_AFTER_BLOCKS:
                self._tasks.start(duty.key, self._run(view, duty))
        if not self._tasks.runs(SCRUB):
            oldest = await asyncio.to_thread(self._mending.due, self._scrub_every, time.time(), now)
            if oldest is not None:
                self._tasks.start(SCRUB, self._scrub(oldest))

    async def _scrub(self, name: SlotName) -> None:
        """Look at a slot's every block, and leave the disk to others for a while."""
        started = time.monotonic()
        try:
            await self._mend(name)
        finally:
            await asyncio.sleep(SHARE * (time.monotonic() - started))

    async def _mend(self, name: SlotName) -> None:
        view = self.view
        assert view is not None, "nothing is mended before the first step"
        await self._mending.mend(name, view, self._now)

    def _able(self, view: MarketView) -> Policy:
        """The policy, with no more slots than this machine can prove."""
        if self._policy.proofs_per_period is not None:
            return self._policy
        return replace(self._policy, proofs_per_period=provable(self._proving.pace, view.config))

    async def _run(self, view: MarketView, duty: Duty) -> None:
        if isinstance(duty, Rebuild):
            await self._rebuild(view, duty)
        elif isinstance(duty, Forget):
            name = SlotName(view.requests[duty.request].content.cid, duty.index)
            await asyncio.to_thread(self._store.drop, name)
        elif isinstance(duty, Fill):
            await self._fill(view, duty)
        elif isinstance(duty, Prove):
            await self._prove(view, duty)
        elif isinstance(duty, Reserve):
            await self._reserve(duty)
        else:
            await self._send(duty)
        log.info("%s done", duty.key)

    async def _reserve(self, duty: Reserve) -> None:
        key = (duty.request, duty.index)
        with self._begun.reserving(key):
            reached("reserve.before")
            receipt = await self._actor.sender.send(self._actor.market.reserve_slot(*key), duty.key)
            self._begun.reserved(key, receipt.block_number)
        reached("reserve.sent")

    async def _send(self, duty: Release | Accept | Claim | Settle) -> None:
        market, id = self._actor.market, slot_id(duty.request, duty.index)
        if isinstance(duty, Release):
            call = market.close_reservation(id)
        elif isinstance(duty, Accept):
            call = market.accept_extension(id, duty.until)
        elif isinstance(duty, Claim):
            call = market.claim(id)
        else:
            reached("settle.before")
            call = market.settle(id)
        await self._actor.sender.send(call, duty.key)

    async def _fill(self, view: MarketView, duty: Fill) -> None:
        proof, period = await self._proof(view, duty)
        reached("fill.proven")
        call = self._actor.market.fill_slot(slot_id(duty.request, duty.index), proof.as_abi())
        # A fill whose period ended while it was proven is proven again: it needs a key of its own.
        await self._actor.sender.send(call, f"{duty.key}:{period}")
        reached("fill.sent")

    async def _prove(self, view: MarketView, duty: Prove) -> None:
        if await self._actor.sender.follow(duty.key) is None:
            with self._submissions.making(duty):
                proof, _ = await self._proof(view, duty)
                reached("prove.proven")
                await self._submissions.submit(duty, proof)
        reached("prove.sent")

    async def _proof(self, view: MarketView, duty: Fill | Prove) -> tuple[Groth16Proof, int]:
        """A proof of a slot for the period the chain is in when it is this proof's turn, and that period."""
        config, id = view.config, slot_id(duty.request, duty.index)
        depth, drawn = self._policy.depth(config), list[int]()

        async def read_challenge() -> bytes:
            head = await self._actor.rpc.block_number()
            period = period_of(head, config)
            if isinstance(duty, Prove) and period != duty.period:
                raise NotFound(f"Period {duty.period} is over", "other proofs came first")
            header = await header_of(self._actor.rpc, first_block(period, config))
            if header is None or head - header.number < depth:
                raise ChainUnavailable("The period has only begun", "its first block may still be another")
            drawn.append(period)
            return challenge(header.hash, id)

        name = SlotName(view.requests[duty.request].content.cid, duty.index)

        async def attempt() -> Groth16Proof:
            slot = self._store.slot(name)
            await asyncio.to_thread(lambda: slot.facts)
            return await self._proving.prove_slot(slot, self._deadline(config, duty), read_challenge)

        try:
            proof = await attempt()
        except Corrupt as damage:
            log.warning("slot %d is mended before it is proven: %s", duty.index, damage)
            await self._mend(name)
            proof = await attempt()
        return proof, drawn[-1]

    def _deadline(self, config: MarketConfig, duty: Fill | Prove) -> float:
        """When a proof is worthless, by this machine's clock: the chain's may be another."""
        if isinstance(duty, Fill):
            left = duty.deadline - self._now
        else:
            left = (first_block(duty.period + 1, config) - self._block) * config.block_seconds
        return time.time() + left

    async def _rebuild(self, view: MarketView, duty: Rebuild) -> None:
        """Get a lost slot back before anything is reserved."""
        spares = frozenset((duty.request, index) for index in duty.spares)
        with self._begun.rebuilding((duty.request, duty.index), spares):
            repaired = await self._repairs.carry_out(duty, lambda: self.view or view)
        if repaired is None:
            log.info("slot %d of %s is left to others", duty.index, duty.request.hex())
            return
        log.info(repaired.line())
        reached("rebuild.done")

    async def close(self) -> None:
        """Stop what is under way; disk, journal and chain remember all of it."""
        self._mending.close()
        await self._tasks.close()
        await self._submissions.close()
