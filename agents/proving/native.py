"""The prover of this package: circom's witness generator in WebAssembly, and Groth16 on the package's own kernels."""

from pathlib import Path
from typing import Any

from agents.core.proofs.profiles import Profile
from agents.core.proofs.proof import Groth16Proof
from agents.proving.files.zkey import open_key
from agents.proving.groth16 import Groth16Prover
from agents.proving.witness import WitnessGenerator


class NativeMaker:
    """Proofs of one profile under one mapped key, in this process, on all its cores."""

    def __init__(self, profile: Profile, key: Path) -> None:
        """Raises BadData for a key that is none, ProverUnavailable."""
        self._generator = WitnessGenerator(profile)
        self._prover = Groth16Prover(open_key(key))

    def prove(self, inputs: dict[str, Any]) -> Groth16Proof:
        """A proof of ``inputs``, named signals. Raises ProofFailed."""
        return self._prover.prove(self._generator.witness(inputs))
