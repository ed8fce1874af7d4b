"""Proofs on their way to the chain: those of one period go together, and one that is refused does not hold up the others."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agents.chain.reverts import Reverted
from agents.core.agents.batching import to_send
from agents.core.agents.provider_duties import Prove
from agents.core.market.types import MarketConfig, slot_id
from agents.core.proofs.proof import Groth16Proof
from agents.roles.actor import Actor, batch_key

log = logging.getLogger(__name__)

INVALID = "Marketplace_InvalidProof"


@dataclass(frozen=True)
class _Ready:
    """One proof, and who waits for it to be in a block."""

    duty: Prove
    proof: Groth16Proof
    sent: "asyncio.Future[None]"

    @property
    def id(self) -> bytes:
        return slot_id(self.duty.request, self.duty.index)


class Submissions:
    """Sends proofs; each counts under its duty's own key, in a batch or alone, so that none is sent twice."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._making: defaultdict[int, set[str]] = defaultdict(set)
        self._ready: defaultdict[int, list[_Ready]] = defaultdict(list)
        self._sending: set[asyncio.Task[None]] = set()
        self._block = 0
        self._config: MarketConfig | None = None

    def look(self, config: MarketConfig, block: int) -> None:
        """The chain is at ``block``: what has waited long enough is sent."""
        self._config, self._block = config, block
        for period in list(self._ready):
            self._flush(period)

    @contextmanager
    def making(self, duty: Prove) -> Iterator[None]:
        """A proof is made and submitted in the block: others of its period wait for it, for a while."""
        self._making[duty.period].add(duty.key)
        try:
            yield
        finally:
            self._made(duty)

    async def submit(self, duty: Prove, proof: Groth16Proof) -> None:
        """Have a proof that is ready in a block. Raises Reverted, and whatever keeps it from being sent."""
        entry = _Ready(duty, proof, asyncio.get_running_loop().create_future())
        self._ready[duty.period].append(entry)
        # Whoever begins in the same step must be counted before the first of them is done.
        await asyncio.sleep(0)
        self._made(duty)
        try:
            await entry.sent
        finally:
            self._ready[duty.period] = [one for one in self._ready.get(duty.period, ()) if one is not entry]
            self._flush(duty.period)

    def _made(self, duty: Prove) -> None:
        self._making[duty.period].discard(duty.key)
        if not self._making[duty.period]:
            del self._making[duty.period]
        self._flush(duty.period)

    def _flush(self, period: int) -> None:
        """Send what is to be sent now."""
        ready, making = self._ready.get(period, []), len(self._making.get(period, ()))
        while ready and self._config and (count := to_send(len(ready), making, period, self._block, self._config)):
            batch, ready[:] = ready[:count], ready[count:]
            task = asyncio.create_task(self._send(batch), name=f"{count} proofs of period {period}")
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        if not ready:
            self._ready.pop(period, None)

    async def _send(self, batch: list[_Ready]) -> None:
        if len(batch) == 1:
            await self._send_alone(batch[0])
            return
        keys = [entry.duty.key for entry in batch]
        call = self._actor.market.submit_proofs(
            [entry.id for entry in batch], [entry.proof.as_abi() for entry in batch]
        )
        try:
            await self._actor.sender.send(call, batch_key("proofs", keys), covers=keys)
        except Reverted as error:
            if error.name == INVALID:
                # It does not tell which: each for itself, so that the sound ones do not miss their period.
                log.warning("a batch of %d proofs was refused: each is sent alone", len(batch))
                await asyncio.gather(*(self._send_alone(entry) for entry in batch))
            else:
                self._tell(batch, error)
        except Exception as error:
            self._tell(batch, error)
        else:
            log.info("%d proofs of period %d sent together", len(batch), batch[0].duty.period)
            self._tell(batch)

    async def _send_alone(self, entry: _Ready) -> None:
        call = self._actor.market.submit_proof(entry.id, entry.duty.period, entry.proof.as_abi())
        try:
            await self._actor.sender.send(call, entry.duty.key)
        except Exception as error:
            self._tell([entry], error)
        else:
            self._tell([entry])

    def _tell(self, batch: list[_Ready], error: Exception | None = None) -> None:
        for entry in batch:
            if entry.sent.done():  # nobody waits any more
                continue
            if error is None:
                entry.sent.set_result(None)
            else:
                entry.sent.set_exception(error)

    async def close(self) -> None:
        """Stop waiting; the sender's journal has what was sent."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
