"""The development proving key: computed from an .r1cs and a public seed, in seconds, with no ceremony.

INSECURE BY CONSTRUCTION: whoever knows the seed, so everybody, can forge proofs. It exists so that every build yields the
same key without downloading one; a market of worth takes the .zkey of a ceremony.

The layout is snarkjs' (.zkey version 1, Groth16): points affine, Montgomery words, little-endian.
"""

import hashlib
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.core.proofs.curve import multiples_table_g1, multiples_table_g2
from agents.core.proofs.field import BASE_ORDER, GENERATOR, SCALAR_ORDER
from agents.kernels import bn254
from agents.kernels.limbs import from_ints, to_ints
from agents.proving.files.r1cs import ROWS, Circuit
from agents.proving.files.zkey import COEFFICIENT, FORMAT, RADIX

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


def _inverses(values: list[int]) -> list[int]:
    """1 / value of each, with one inversion."""
    prefix, product = [], 1
    for value in values:
        prefix.append(product)
        product = product * value % SCALAR_ORDER
    inverse, out = pow(product, -1, SCALAR_ORDER), [0] * len(values)
    for i in range(len(values) - 1, -1, -1):
        out[i] = inverse * prefix[i] % SCALAR_ORDER
        inverse = inverse * values[i] % SCALAR_ORDER
    return out


def _root_of_unity(size: int) -> int:
    return pow(GENERATOR, (SCALAR_ORDER - 1) // size, SCALAR_ORDER)


def lagrange(size: int, tau: int, first: int = 0, step: int = 1) -> list[int]:
    """Lagrange polynomials ``first, first + step, ..`` of the domain of ``size`` points, at ``tau``."""
    root = _root_of_unity(size)
    scale = (pow(tau, size, SCALAR_ORDER) - 1) * pow(size, -1, SCALAR_ORDER) % SCALAR_ORDER
    power, stride = pow(root, first, SCALAR_ORDER), pow(root, step, SCALAR_ORDER)
    points = []
    for _ in range(first, size, step):
        points.append(power)
        power = power * stride % SCALAR_ORDER
    inverses = _inverses([(tau - point) % SCALAR_ORDER for point in points])
    return [
        scale * point % SCALAR_ORDER * inverse % SCALAR_ORDER for point, inverse in zip(points, inverses, strict=True)
    ]


def domain_size(circuit: Circuit) -> int:
    """The power of two that holds the constraints and one row for each public wire."""
    return 1 << max(1, (circuit.constraints + circuit.publics).bit_length())


@dataclass(frozen=True)
class Evaluated:
    """The circuit's polynomials at tau, a scalar a wire."""

    a: list[int]
    b: list[int]
    c: list[int]


def evaluate(circuit: Circuit, tau: int) -> Evaluated:
    """The quadratic arithmetic program at ``tau``."""
    basis = lagrange(domain_size(circuit), tau)
    totals = a, _, _ = tuple([0] * circuit.wires for _ in range(ROWS))
    rows = circuit.term_rows().tolist()
    for row, wire, value in zip(rows, circuit.term_wires.tolist(), to_ints(circuit.term_values), strict=True):
        totals[row % ROWS][wire] += value * basis[row // ROWS]
    for wire in range(circuit.publics + 1):
        a[wire] += basis[circuit.constraints + wire]
    return Evaluated(*([value % SCALAR_ORDER for value in total] for total in totals))


def _montgomery(values: Iterable[int]) -> bytes:
    return b"".join((value * RADIX % BASE_ORDER).to_bytes(32, "little") for value in values)


@cache
def _table_g1() -> NDArray[np.uint64]:
    flat = _montgomery(value for row in multiples_table_g1() for point in row for value in point)
    return np.frombuffer(flat, dtype=np.uint64).reshape(bn254.WINDOWS, bn254.DIGITS, 8)


@cache
def _table_g2() -> NDArray[np.uint64]:
    flat = _montgomery(value for row in multiples_table_g2() for point in row for pair in point for value in pair)
    return np.frombuffer(flat, dtype=np.uint64).reshape(bn254.WINDOWS, bn254.DIGITS, 16)


def _bytes(scalars: Iterable[int]) -> NDArray[np.uint8]:
    data = b"".join((scalar % SCALAR_ORDER).to_bytes(32, "little") for scalar in scalars)
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, 32)


def points_g1(scalars: Iterable[int]) -> bytes:
    """Multiples of G1's generator, as a .zkey holds them."""
    return bytes(bn254.multiples_g1(_table_g1(), _bytes(scalars)).tobytes())


def points_g2(scalars: Iterable[int]) -> bytes:
    """Multiples of G2's generator, as a .zkey holds them."""
    return bytes(bn254.multiples_g2(_table_g2(), _bytes(scalars)).tobytes())


def _coefficients(circuit: Circuit) -> bytes:
    """Section 4: the terms of A and B by constraint, values times R^2, and one row of A for each public wire."""
    squared = RADIX * RADIX % SCALAR_ORDER
    rows = circuit.term_rows()
    kept = rows % ROWS < 2
    rows, publics = rows[kept], np.arange(circuit.publics + 1)
    values = [value * squared for value in to_ints(circuit.term_values[kept])] + [squared] * len(publics)
    entries = np.empty(len(values), dtype=COEFFICIENT)
    entries["matrix"] = np.concatenate([rows % ROWS, np.zeros_like(publics)])
    entries["row"] = np.concatenate([rows // ROWS, circuit.constraints + publics])
    entries["wire"] = np.concatenate([circuit.term_wires[kept], publics])
    entries["value"] = from_ints(values)
    return struct.pack("<I", len(entries)) + entries.tobytes()


def write_zkey(circuit: Circuit, path: Path, seed: bytes = SEED) -> None:
    """Write the development key of ``circuit``; the file appears whole or not at all."""
    t, p, size = toxic(seed), SCALAR_ORDER, domain_size(circuit)
    at = evaluate(circuit, t.tau)
    by_delta, by_gamma = pow(t.delta, -1, p), pow(t.gamma, -1, p)
    combined = [(t.beta * a + t.alpha * b + c) % p for a, b, c in zip(at.a, at.b, at.c, strict=True)]
    public = circuit.publics + 1
    header = (
        struct.pack("<I", 32) + BASE_ORDER.to_bytes(32, "little")
        + struct.pack("<I", 32) + SCALAR_ORDER.to_bytes(32, "little")
        + struct.pack("<III", circuit.wires, circuit.publics, size)
        + points_g1([t.alpha, t.beta]) + points_g2([t.beta, t.gamma]) + points_g1([t.delta]) + points_g2([t.delta])
    )  # fmt: skip
    sections: list[tuple[int, bytes]] = [
        (1, struct.pack("<I", 1)),
        (2, header),
        (3, points_g1(value * by_gamma for value in combined[:public])),
        (4, _coefficients(circuit)),
        (5, points_g1(at.a)),
        (6, points_g1(at.b)),
        (7, points_g2(at.b)),
        (8, points_g1(value * by_delta for value in combined[public:])),
        # The quotient is taken at the odd points of the domain twice as large.
        (9, points_g1(value * by_delta for value in lagrange(2 * size, t.tau, first=1, step=2))),
        (10, bytes(64) + struct.pack("<I", 0)),
    ]
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")  # another process may be making the same key
    try:
        with partial.open("wb") as file:
            file.writelines(FORMAT.pieces(len(sections), sections))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
