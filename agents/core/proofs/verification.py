"""Groth16 verification off chain, by arkworks: before gas is spent on a proof, it must verify here. Takes milliseconds.

It is strict: numbers beyond their field, points off their curve, points of G2 outside the group and points at infinity are
no proof. The chain takes nothing that is refused here but points at infinity, which no prover makes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from zksnake.ecc import EllipticCurve

from agents.core.errors import BadData
from agents.core.proofs.field import BASE_ORDER, SCALAR_ORDER
from agents.core.proofs.proof import Groth16Proof

Claim = tuple[Groth16Proof, tuple[int, ...]]
"""A proof and the public inputs it is for."""

BN254 = EllipticCurve("BN254")
NEGATIVE = 0x80
"""arkworks' mark, on the last byte of a compressed point: of the two y that x has, it is the larger one."""

PARTS = ("vk_alpha_1", "vk_beta_2", "vk_gamma_2", "vk_delta_2", "IC")


def verify(key: dict[str, Any], proof: Groth16Proof, publics: tuple[int, ...]) -> bool:
    """Whether ``proof`` proves ``publics`` under ``key``, a snarkjs verification_key.json. Raises BadData for a broken key.

    e(a, b) = e(alpha, beta) e(sum IC_i publics_i, gamma) e(c, delta), Groth 2016 section 3.2.
    """
    prepared = _prepared(json.dumps([key.get(part) for part in PARTS]))
    read = _read((proof, publics), prepared)
    if read is None:
        return False
    product = BN254.multi_pairing(
        [read.a, -_weighted(prepared.ic, [1, *publics]), -read.c], [read.b, prepared.gamma, prepared.delta]
    )
    return bool(product == prepared.target)


def _weighted(points: Sequence[Any], weights: Sequence[int]) -> Any:
    """Sum of the points of G1, each times its weight."""
    total = BN254.curve.PointG1.identity()
    for point, weight in zip(points, weights, strict=True):
        total = total + point * (weight % SCALAR_ORDER)
    return total


@dataclass(frozen=True)
class _Key:
    """A verification key as arkworks' points."""

    alpha: Any
    beta: Any
    gamma: Any
    delta: Any
    ic: tuple[Any, ...]
    target: Any
    """e(alpha, beta)."""


@dataclass(frozen=True)
class _Read:
    """A proof as arkworks' points."""

    a: Any
    b: Any
    c: Any


def _read(claim: Claim, key: _Key) -> _Read | None:
    """None unless it is a proof by its form, with as many public inputs as the key has."""
    proof, publics = claim
    if len(publics) != len(key.ic) - 1 or not all(0 <= value < SCALAR_ORDER for value in publics):
        return None
    a, b, c = _g1(*proof.a), _g2(*proof.b), _g1(*proof.c)
    return None if a is None or b is None or c is None else _Read(a, b, c)


def _g1(x: int, y: int) -> Any:
    """The point, or None where there is none."""
    return _point((x,), (y,))


def _g2(x: tuple[int, int], y: tuple[int, int]) -> Any:
    return _point(x, y)


def _point(x: tuple[int, ...], y: tuple[int, ...]) -> Any:
    """Decompressed from x by arkworks, which looks whether it is in the group; it must then have the y given."""
    if not all(0 <= value < BASE_ORDER for value in (*x, *y)):
        return None
    packed = bytearray(b"".join(value.to_bytes(32, "little") for value in x))
    opposite = tuple(-value % BASE_ORDER for value in y)
    if y[::-1] > opposite[::-1]:
        packed[-1] |= NEGATIVE
    try:
        point = BN254.from_hex(packed.hex())
    except ValueError:
        return None
    found = (point.x, point.y) if len(x) == 1 else (tuple(point.x), tuple(point.y))
    return point if found == ((x[0], y[0]) if len(x) == 1 else (x, y)) else None


@lru_cache(maxsize=16)
def _prepared(text: str) -> _Key:
    """The key whose parts ``text`` has, as JSON. Raises BadData."""
    alpha, beta, gamma, delta, ic = json.loads(text)
    try:
        g1, g2 = _key_g1(alpha), _key_g2(beta)
        inputs = tuple(_key_g1(point) for point in ic)
        return _Key(g1, g2, _key_g2(gamma), _key_g2(delta), inputs, BN254.pairing(g1, g2))
    except (TypeError, ValueError, IndexError) as error:
        raise BadData(
            "the verification key is broken", str(error), "Name a Groth16 key over BN254 as snarkjs writes it."
        ) from error


def _key_g1(found: Any) -> Any:
    """A point of a key, which may be at infinity: a public input that the circuit does not use has such a one."""
    x, y, z = (int(value) for value in found)
    if z == 0 or (x, y) == (0, 0):
        return BN254.curve.PointG1.identity()
    return _required(_g1(x, y))


def _key_g2(found: Any) -> Any:
    x, y = ((int(pair[0]), int(pair[1])) for pair in found[:2])
    return _required(_g2(x, y))


def _required(point: Any) -> Any:
    if point is None:
        raise ValueError("one of its points is not in its group")
    return point
