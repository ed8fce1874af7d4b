"""Proofs of slots, by deadline: wait for a turn, read the challenge, open the cells, prove, verify, hand over."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from agents.core.errors import ProofFailed, ProverLost
from agents.core.proofs.inputs import Opening, SlotFacts, circuit_input
from agents.core.proofs.pace import ProvingLoad, Tally
from agents.core.proofs.profiles import Profile
from agents.core.proofs.proof import Groth16Proof, public_inputs
from agents.core.proofs.queue import hopeless, patience
from agents.core.proofs.sampling import cell_indices, entropy_of
from agents.core.proofs.verification import verify
from agents.proving.executor import Executor
from agents.proving.queue import Clock, ProofQueue
from agents.proving.turns import Turns

log = logging.getLogger(__name__)

EXPECTED_SECONDS = {"devnet": 2.0}
USUAL_SECONDS = 5.0
"""What a proof of a profile takes, on a slow machine, until this one has made one."""


class SlotReader(Protocol):
    """A slot on disk, as far as a proof needs it."""

    @property
    def facts(self) -> SlotFacts:
        """Roots, sizes and the path to the dataset's root."""
        ...

    def opening(self, cell: int) -> Opening:
        """A cell and its path to the slot's root."""
        ...


class ProvingService:
    """Proofs of one profile under one verification key, as many at once as the executor and the machine take."""

    def __init__(
        self,
        executor: Executor,
        profile: Profile,
        key: dict[str, Any],
        turns: Turns | None = None,
        clock: Clock = time.time,
    ) -> None:
        """``turns``: the machine's queue, by default the one all agents of this user share."""
        self._executor = executor
        self._profile = profile
        self._key = key
        self._clock = clock
        self._tally = Tally(EXPECTED_SECONDS.get(profile.name, USUAL_SECONDS))
        self._queue = ProofQueue(executor, turns or Turns(), self._tally, clock)

    @property
    def seconds(self) -> float:
        """What a proof takes here: the mean of the last ones, the wait for their turns not included."""
        return self._tally.seconds

    @property
    def pace(self) -> float:
        """Seconds from one proof to the next when as many run as can."""
        return self.seconds / max(1, self._executor.capacity)

    def load(self) -> ProvingLoad:
        """How busy it is now."""
        now, due = self._clock(), self._queue.due
        return ProvingLoad(
            waiting=self._queue.waiting,
            running=self._queue.running,
            capacity=self._executor.capacity,
            due_in=None if due is None else due - now,
            per_minute=self._tally.per_minute(now),
            seconds=self._tally.seconds,
            refused=self._tally.refused,
        )

    async def prove_slot(
        self, slot: SlotReader, deadline: float, challenge: Callable[[], Awaitable[bytes]]
    ) -> Groth16Proof:
        """A proof that verifies, for the challenge that ``challenge`` reads once it is this proof's turn.

        ``deadline`` is when the proof is worthless (UNIX seconds of this machine's clock). Raises TooLate when it cannot be
        met any more, ProofFailed, and whatever ``challenge`` raises: a period may have passed while others were proving.
        """
        async with self._queue.turn(deadline):
            drawn = await challenge()
            started = time.monotonic()
            inputs = await asyncio.to_thread(self._inputs, slot, drawn)
            opened = time.monotonic() - started
            proof, took = await self._made(inputs, deadline)
            self._tally.proven(opened + took, self._clock())
        facts = slot.facts
        publics = public_inputs(drawn, facts.dataset_root, facts.slot_index)
        proven = time.monotonic()
        # A proof that does not verify would cost gas and prove nothing.
        if not await asyncio.to_thread(verify, self._key, proof, publics):
            raise ProofFailed(
                "the proof does not verify",
                "the prover's key and the market's verifier do not belong together",
                "Name the market's own proving key with HOLDFAST_ZKEY.",
            )
        checked = time.monotonic() - proven
        log.info("slot %d proven in %.2f s, verified in %.2f s", facts.slot_index, opened + took, checked)
        return proof

    async def _made(self, inputs: dict[str, Any], deadline: float) -> tuple[Groth16Proof, float]:
        """A proof and what it took; tried once more, where there is time for it, when a worker dies or hangs."""
        try:
            return await self._attempt(inputs, patience(deadline, self._clock(), self.seconds, self._tally.begun))
        except ProverLost as lost:
            now = self._clock()
            if hopeless(deadline, now, self._tally.known):
                raise
            log.warning("a proof is tried once more: %s", lost)
            return await self._attempt(inputs, patience(deadline, now, self.seconds, self._tally.begun, last=True))

    async def _attempt(self, inputs: dict[str, Any], seconds: float) -> tuple[Groth16Proof, float]:
        started = time.monotonic()
        try:
            proof = await asyncio.wait_for(self._executor.prove(inputs), seconds)
        except TimeoutError as error:
            raise ProverLost(f"the prover did not answer in {seconds:.0f} s") from error
        return proof, time.monotonic() - started

    def _inputs(self, slot: SlotReader, challenge: bytes) -> dict[str, Any]:
        facts, entropy = slot.facts, entropy_of(challenge)
        cells = cell_indices(entropy, facts.slot_root, facts.cells, self._profile.samples)
        return circuit_input(self._profile, entropy, facts, [slot.opening(cell) for cell in cells])

    async def close(self) -> None:
        """End what proves."""
        await self._executor.close()
