"""A Groth16 proof and its public inputs, between snarkjs' JSON and the contracts' ABI."""

from dataclasses import dataclass
from typing import Any

from agents.core.errors import ProofFailed
from agents.core.proofs.field import BASE_ORDER
from agents.core.proofs.sampling import entropy_of

Fp2 = tuple[int, int]
"""(real, imaginary)."""


@dataclass(frozen=True)
class Groth16Proof:
    """Affine points, never at infinity."""

    a: tuple[int, int]
    b: tuple[Fp2, Fp2]
    c: tuple[int, int]

    def as_abi(self) -> tuple[Any, ...]:
        """The contracts' Groth16Proof: G2 coordinates as (real, imag)."""
        return self.a, self.b, self.c

    def as_json(self) -> dict[str, Any]:
        """snarkjs' proof.json."""
        return {
            "pi_a": [*(str(v) for v in self.a), "1"],
            "pi_b": [*([str(v) for v in pair] for pair in self.b), ["1", "0"]],
            "pi_c": [*(str(v) for v in self.c), "1"],
            "protocol": "groth16",
            "curve": "bn128",
        }


def proof_from_json(found: Any) -> Groth16Proof:
    """A proof from snarkjs' JSON. Raises ProofFailed."""
    try:
        a = _pair(found["pi_a"])
        b = _pair(found["pi_b"][0], 2), _pair(found["pi_b"][1], 2)
        return Groth16Proof(a, b, _pair(found["pi_c"]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ProofFailed("the prover answered something that is no proof", str(error), "Check the prover.") from None


def _pair(values: Any, length: int = 3) -> tuple[int, int]:
    x, y = int(values[0]), int(values[1])
    if len(values) != length or not (0 <= x < BASE_ORDER and 0 <= y < BASE_ORDER):
        raise ValueError("a coordinate is not one of the field's")
    return x, y


def public_inputs(challenge: bytes, dataset_root: int, slot_index: int) -> tuple[int, int, int]:
    """The circuit's public inputs, in its order."""
    return entropy_of(challenge), dataset_root, slot_index
