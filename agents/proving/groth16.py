"""Groth16 proofs from a .zkey and a witness, on this machine's own kernels (Groth 2016, section 3.2).

The witness is its prover's own, so nothing here takes care to run in constant time.
"""

import secrets

import numpy as np

from agents.core.errors import ProofFailed
from agents.core.proofs.curve import PointG1, PointG2, add_g1, add_g2
from agents.core.proofs.field import SCALAR_ORDER
from agents.core.proofs.proof import Groth16Proof
from agents.core.proofs.verification import verify
from agents.kernels.forms import best_form
from agents.kernels.group import group, words_g1
from agents.kernels.memory import Words
from agents.kernels.msm import Multiples, Scalars, begin, small_sum
from agents.kernels.ntt import quotient
from agents.kernels.sparse import Matrix
from agents.proving.files.words import first_not_below
from agents.proving.files.zkey import ProvingKey, verification_key_of


class Groth16Prover:
    """Proofs under one key, which stays mapped."""

    def __init__(self, key: ProvingKey, form: str | None = None) -> None:
        """``form`` names the arithmetic; the best this CPU has by default."""
        self.key = key
        self._form = form or best_form()
        self._verification = verification_key_of(key)
        matrix = key.coefficients["matrix"]
        self._matrices = [Matrix(key.coefficients, matrix == which, key.domain) for which in (0, 1)]
        self._g1, self._g2 = group(self._form, False), group(self._form, True)

    def prove(self, witness: Words) -> Groth16Proof:
        """A proof for (wires, 4) canonical ``witness``, whose first is 1; it verifies, else ProofFailed is raised.

        Every call draws r and s from the operating system, so that two proofs of one witness have nothing in common.
        """
        key = self.key
        if witness.shape != (key.wires, 4) or witness.dtype != np.uint64:
            raise ProofFailed(
                "the witness is not one of the key's circuit", f"it is of shape {witness.shape}, the key of {key.wires} wires",
                "Use the witness generator and the key of one circuit.",
            )  # fmt: skip
        if (wire := first_not_below(witness, SCALAR_ORDER)) is not None:
            raise ProofFailed("the witness is not one", f"wire {wire} is not below the order of the field")
        witness = np.ascontiguousarray(witness)
        # First what needs memory for all wires at once: sums give theirs back as they go on.
        h = quotient(self._form, *(matrix.times(witness) for matrix in self._matrices))
        scalars = Scalars(witness)
        sums = [
            Multiples(self._g2, key.b2, scalars),
            Multiples(self._g1, key.h, Scalars(h)),
            Multiples(self._g1, key.a, scalars),
            Multiples(self._g1, key.b1, scalars),
            Multiples(self._g1, key.c, scalars, key.publics + 1),
        ]
        b2, high, a, b1, c = (found() for found in begin(sums))
        try:
            proof = self._blinded(a, b1, b2, add_g1(c, high))
        except ValueError as error:  # points off the curve may have sums that there are none of
            raise ProofFailed("the proof cannot be finished", "the key is not whole") from error
        publics = tuple(int.from_bytes(row.tobytes(), "little") for row in witness[1 : key.publics + 1])
        if not verify(self._verification, proof, publics):
            raise ProofFailed("the proof does not verify", "the witness breaks a constraint, or the key is not whole")
        return proof

    def _blinded(self, a: PointG1 | None, b1: PointG1 | None, b2: PointG2 | None, c: PointG1 | None) -> Groth16Proof:
        key = self.key
        r, s = secrets.randbelow(SCALAR_ORDER), secrets.randbelow(SCALAR_ORDER)
        first = add_g1(a, small_sum(self._g1, [key.alpha1, key.delta1], [1, r]))
        second = add_g2(b2, small_sum(self._g2, [key.beta2, key.delta2], [1, s]))
        same = add_g1(b1, small_sum(self._g1, [key.beta1, key.delta1], [1, s]))
        crossed = [*words_g1([first, same]), key.delta1]
        third = add_g1(c, small_sum(self._g1, crossed, [s, r, -r * s % SCALAR_ORDER]))
        if first is None or second is None or third is None:
            raise ProofFailed("the proof has a point at infinity", "the key is not whole")
        return Groth16Proof(first, second, third)
