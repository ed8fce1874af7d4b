"""The provider: reserves, receives or rebuilds, fills, proves, settles."""

import asyncio
import logging

from agents.chain.blocks import header_of
from agents.core.agents.provider import (
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
    blocks_needed,
    duties,
)  # fmt: skip
from agents.core.dataset.cid import digest_of
from agents.core.dataset.erasure import rebuild
from agents.core.dataset.manifest import block_list, check_bought
from agents.core.errors import ChainUnavailable, Corrupt, NotFound
from agents.core.market.periods import challenge, first_block, period_of
from agents.core.market.types import slot_id
from agents.core.market.view import MarketView, SlotKey
from agents.net.client import PeerClient
from agents.proving.service import ProvingService
from agents.roles.actor import Actor, Tasks
from agents.roles.fitting import Fitting
from agents.roles.reading import fetch_manifest, hosts_of, stripes
from agents.store.slots import SlotName, SlotStore

log = logging.getLogger(__name__)

GAS_FOR_A_PROOF = 500_000
"""Gas a call with a proof is given at least: a verifier that runs short of gas must not look like a wrong proof."""


FORGET_AFTER_BLOCKS = 64
"""Data is deleted once it was of no use for so long: the chain may go back to where it was."""


class Provider:
    """Runs a provider's duties."""

    def __init__(
        self, actor: Actor, store: SlotStore, proving: ProvingService, peers: PeerClient, policy: Policy
    ) -> None:
        self._actor = actor
        self._store = store
        self._proving = proving
        self._peers = peers
        self._policy = policy
        self._fitting = Fitting(actor.deployment.profile)
        self._tasks = Tasks()
        self._useless_since: dict[Forget, int] = {}
        self.view: MarketView | None = None
        """The newest view; what the peer server answers from."""

    def _held(self, view: MarketView) -> set[SlotKey]:
        folders = {name: self._store.slot(name) for name in self._store.held}
        found = set()
        for request in view.requests.values():
            for index in range(len(request.slots)):
                folder = folders.get(SlotName(request.content.cid, index))
                if folder is not None and self._fitting.fits(request, folder):
                    found.add((request.id, index))
        return found

    async def step(self, view: MarketView, block: int, now: int, reorged: bool = False) -> None:
        """Start whatever is due after ``block``."""
        self.view = view
        me = self._actor.address
        hashes = await self._actor.hashes(blocks_needed(view, me, block), reorged)
        held = await asyncio.to_thread(self._held, view)
        due = duties(view, me, self._policy, held, Clock(block, now, hashes))
        since = self._useless_since
        self._useless_since = {duty: since.get(duty, block) for duty in due if isinstance(duty, Forget)}
        for duty in due:
            if not isinstance(duty, Forget) or block - self._useless_since[duty] >= FORGET_AFTER_BLOCKS:
                self._tasks.start(duty.key, self._run(view, duty))

    async def _run(self, view: MarketView, duty: Duty) -> None:
        if isinstance(duty, Rebuild):
            await self._rebuild(view, duty)
        elif isinstance(duty, Forget):
            name = SlotName(view.requests[duty.request].content.cid, duty.index)
            await asyncio.to_thread(self._store.drop, name)
        elif isinstance(duty, (Fill, Prove)):
            await self._prove(view, duty)
        else:
            await self._send(duty)
        log.info("%s done", duty.key)

    async def _send(self, duty: Reserve | Release | Settle) -> None:
        market = self._actor.market
        if isinstance(duty, Reserve):
            call = market.reserve_slot(duty.request, duty.index)
        elif isinstance(duty, Release):
            call = market.close_reservation(slot_id(duty.request, duty.index))
        else:
            call = market.settle(slot_id(duty.request, duty.index))
        await self._actor.lane.send(call, duty.key)

    async def _prove(self, view: MarketView, duty: Fill | Prove) -> None:
        """Prove a slot for the period the chain is in when it is this proof's turn, and submit it."""
        config, id = view.config, slot_id(duty.request, duty.index)
        drawn: list[int] = []

        async def read_challenge() -> bytes:
            head = await self._actor.rpc.block_number()
            period = period_of(head, config)
            if isinstance(duty, Prove) and period != duty.period:
                raise NotFound(f"Period {duty.period} is over", "other proofs came first")
            header = await header_of(self._actor.rpc, first_block(period, config))
            if header is None or header.number == head + 1:
                raise ChainUnavailable("The period's first block is not there yet")
            drawn.append(period)
            return challenge(header.hash, id)

        request = view.requests[duty.request]
        slot = self._store.slot(SlotName(request.content.cid, duty.index))
        await asyncio.to_thread(lambda: slot.facts)
        proof = await self._proving.prove_slot(slot, self._deadline(view, duty), read_challenge)
        market = self._actor.market
        if isinstance(duty, Prove):
            call = market.submit_proof(id, drawn[-1], proof.as_abi())
            await self._actor.lane.send(call, duty.key)
        else:
            # A fill whose period ended while it was proven is proven again: it needs a key of its own.
            await self._actor.lane.send(market.fill_slot(id, proof.as_abi()), f"{duty.key}:{drawn[-1]}")

    @staticmethod
    def _deadline(view: MarketView, duty: Fill | Prove) -> float:
        if isinstance(duty, Fill):
            return float(duty.deadline)
        last = view.last
        ahead = first_block(duty.period + 1, view.config) - (last.block_number if last else 0)
        return (last.timestamp if last else 0) + ahead * view.config.block_seconds

    async def _rebuild(self, view: MarketView, duty: Rebuild) -> None:
        """Rebuild a lost slot from any k others; its root is checked when it is committed, before anything is reserved."""
        request = view.requests[duty.request]
        hosts = hosts_of(view, request.content.cid)
        manifest = await fetch_manifest(self._peers, hosts, request.content.cid)
        check_bought(manifest, request.ask, request.content, self._actor.deployment.profile)
        name, k, m = SlotName(manifest.digest, duty.index), manifest.data_slots, manifest.parity_slots
        arriving = await asyncio.to_thread(self._store.begin, name, manifest.to_bytes())
        blocks: list[bytes] = []
        aside = arriving.path / "rebuilt"
        with aside.open("wb") as file:
            async for stripe in stripes(self._peers, hosts, manifest):
                block = await asyncio.to_thread(rebuild, dict(stripe), k, m, duty.index)
                file.write(block)
                blocks.append(digest_of(block))
        listed = block_list(blocks)
        if digest_of(listed) != manifest.slots[duty.index].blocks:
            self._store.drop(name)
            raise Corrupt(f"Slot {duty.index} cannot be rebuilt", "the hosts' blocks do not make it")
        await asyncio.to_thread(self._keep, name, listed)
        log.info("slot %d of %s rebuilt from %d hosts", duty.index, duty.request.hex(), len(hosts))

    def _keep(self, name: SlotName, listed: bytes) -> None:
        arriving = self._store.begin(name, b"")
        arriving.put_blocks(listed)
        aside = arriving.path / "rebuilt"
        with aside.open("rb") as file:
            for index in range(arriving.manifest.blocks_per_slot):
                block = file.read(65_536)
                if index >= arriving.held:
                    arriving.put_block(index, block)
        aside.unlink()
        self._store.commit(name)

    async def close(self) -> None:
        """Stop what is under way; disk, journal and chain remember all of it."""
        await self._tasks.close()
