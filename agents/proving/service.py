"""One proof of one slot: wait for the machine's turn, read the challenge, open the cells, prove, verify, hand over."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from agents.core.errors import ProofFailed
from agents.core.proofs.inputs import Opening, SlotFacts, circuit_input
from agents.core.proofs.profiles import Profile
from agents.core.proofs.proof import Groth16Proof, public_inputs
from agents.core.proofs.sampling import cell_indices, entropy_of
from agents.core.proofs.verification import verify
from agents.proving.lock import ProverLock
from agents.proving.prover import Prover

log = logging.getLogger(__name__)

EXPECTED_SECONDS = {"devnet": 2.0, "codex": 15.0}
"""What a proof of a profile takes, with snarkjs on two cores, until this machine has made one."""
REMEMBERED = 8
"""Proofs whose mean tells how long the next one takes."""


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
    """Proofs of one profile under one verification key."""

    def __init__(self, prover: Prover, profile: Profile, key: dict[str, Any], lock: ProverLock | None = None) -> None:
        self._prover = prover
        self._profile = profile
        self._key = key
        self._lock = lock or ProverLock()
        self._took: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def seconds(self) -> float:
        """What a proof takes here: the mean of the last ones, the wait for the machine's turn not included."""
        return sum(self._took) / len(self._took) if self._took else EXPECTED_SECONDS[self._profile.name]

    async def prove_slot(
        self, slot: SlotReader, deadline: float, challenge: Callable[[], Awaitable[bytes]]
    ) -> Groth16Proof:
        """A proof that verifies, for the challenge that ``challenge`` reads once it is this proof's turn.

        ``deadline`` is when the proof is worthless (UNIX seconds). Raises ProofFailed, and whatever ``challenge`` raises:
        a period may have passed while others were proving.
        """
        async with self._lock.held(deadline):
            drawn = await challenge()
            started = time.monotonic()
            inputs = await asyncio.to_thread(self._inputs, slot, drawn)
            proof = await self._prover.prove(inputs)
            proven = time.monotonic()
            self._took.append(proven - started)
        facts = slot.facts
        publics = public_inputs(drawn, facts.dataset_root, facts.slot_index)
        # A proof that does not verify would cost gas and prove nothing.
        if not await asyncio.to_thread(verify, self._key, proof, publics):
            raise ProofFailed(
                "the proof does not verify",
                "the prover's key and the market's verifier do not belong together",
                "Name the market's own proving key with HOLDFAST_ZKEY.",
            )
        checked = time.monotonic() - proven
        log.info("slot %d proven in %.2f s, verified in %.2f s", facts.slot_index, proven - started, checked)
        return proof

    def _inputs(self, slot: SlotReader, challenge: bytes) -> dict[str, Any]:
        facts, entropy = slot.facts, entropy_of(challenge)
        cells = cell_indices(entropy, facts.slot_root, facts.cells, self._profile.samples)
        return circuit_input(self._profile, entropy, facts, [slot.opening(cell) for cell in cells])

    async def close(self) -> None:
        """End the prover."""
        await self._prover.close()
