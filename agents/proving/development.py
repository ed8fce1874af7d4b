"""The development proving key: computed from an .r1cs and a public seed, in seconds, with no ceremony.

INSECURE BY CONSTRUCTION: whoever knows the seed, so everybody, can forge proofs. It exists so that every build yields the
same key without downloading one; a market of worth takes the .zkey of a ceremony.

The layout is snarkjs' (.zkey version 1, Groth16): points affine, Montgomery words, little-endian.
"""

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agents.core.proofs.field import BASE_ORDER, SCALAR_ORDER
from agents.kernels.fixed_base import multiples_g1, multiples_g2
from agents.kernels.limbs import from_ints
from agents.kernels.memory import Words
from agents.proving.files.r1cs import Circuit
from agents.proving.files.zkey import FORMAT, NUMBERS
from agents.proving.quadratic import coefficients, domain_size, evaluate, odd_lagrange, sum_all, times

SEED = b"Holdfast development key: INSECURE, anyone can forge proofs with it"


@dataclass(frozen=True)
class Toxic:
    """What a ceremony would destroy."""

    tau: int
    alpha: int
    beta: int
    gamma: int
    delta: int


def toxic(seed: bytes = SEED) -> Toxic:
    """Five scalars from a public seed."""
    names = ("tau", "alpha", "beta", "gamma", "delta")
    digests = (hashlib.sha512(seed + name.encode()).digest() for name in names)
    return Toxic(*(int.from_bytes(digest, "big") % SCALAR_ORDER for digest in digests))


def points_g1(scalars: Words) -> bytes:
    """Multiples of G1's generator by (n, 4) scalars, as a .zkey holds them."""
    return multiples_g1(scalars).tobytes()


def points_g2(scalars: Words) -> bytes:
    """Multiples of G2's generator by (n, 4) scalars, as a .zkey holds them."""
    return multiples_g2(scalars).tobytes()


def _sections(circuit: Circuit, t: Toxic) -> Iterator[tuple[int, bytes]]:
    """The sections of the key in order, one at a time: some are large."""
    size, publics = domain_size(circuit), circuit.publics + 1
    by_delta, by_gamma = pow(t.delta, -1, SCALAR_ORDER), pow(t.gamma, -1, SCALAR_ORDER)
    yield 1, struct.pack("<I", 1)
    yield 2, (
        NUMBERS.pack(32, BASE_ORDER.to_bytes(32, "little"), 32, SCALAR_ORDER.to_bytes(32, "little"),
                     circuit.wires, circuit.publics, size)
        + points_g1(from_ints([t.alpha, t.beta])) + points_g2(from_ints([t.beta, t.gamma]))
        + points_g1(from_ints([t.delta])) + points_g2(from_ints([t.delta]))
    )  # fmt: skip
    at = evaluate(circuit, t.tau)
    combined = sum_all(times(at.a, t.beta), times(at.b, t.alpha), at.c)
    yield 3, points_g1(times(combined[:publics], by_gamma))
    entries = coefficients(circuit)
    yield 4, struct.pack("<I", len(entries)) + entries.tobytes()
    yield 5, points_g1(at.a)
    yield 6, points_g1(at.b)
    yield 7, points_g2(at.b)
    yield 8, points_g1(times(combined[publics:], by_delta))
    # The quotient is taken at the odd points of the domain twice as large.
    yield 9, points_g1(times(odd_lagrange(size, t.tau), by_delta))
    yield 10, bytes(64) + struct.pack("<I", 0)


def write_zkey(circuit: Circuit, path: Path, seed: bytes = SEED) -> None:
    """Write the development key of ``circuit``; the file appears whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")  # another process may be making the same key
    try:
        with partial.open("wb") as file:
            file.writelines(FORMAT.pieces(10, _sections(circuit, toxic(seed))))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
