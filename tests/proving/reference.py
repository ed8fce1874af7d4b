"""The reference that verification by a library is compared with: py_ecc, in Python integers; most of a second a proof."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from agents.core.proofs.field import BASE_ORDER, SCALAR_ORDER
from agents.core.proofs.proof import Groth16Proof

Point1 = tuple[int, int]
Point2 = tuple[tuple[int, int], tuple[int, int]]


@cache
def curve() -> Any:
    """py_ecc's BN254."""
    # Importing py_ecc raises the interpreter's recursion limit for everybody; put it back.
    limit = sys.getrecursionlimit()
    import py_ecc.optimized_bn128

    sys.setrecursionlimit(limit)
    return py_ecc.optimized_bn128


def verify(key: dict[str, Any], proof: Groth16Proof, publics: tuple[int, ...]) -> bool:
    """Whether ``proof`` proves ``publics`` under ``key``, a snarkjs verification_key.json."""
    if len(publics) != key["nPublic"] or not all(0 <= value < SCALAR_ORDER for value in publics):
        return False
    if not all(0 <= value < BASE_ORDER for value in (*proof.a, *proof.b[0], *proof.b[1], *proof.c)):
        return False
    bn = curve()
    a, b, c = _g1(proof.a), _g2(proof.b), _g1(proof.c)
    if not (bn.is_on_curve(a, bn.b) and bn.is_on_curve(c, bn.b) and in_group(proof.b)):
        return False
    points = [_g1(point) for point in key["IC"]]
    total = points[0]
    for point, value in zip(points[1:], publics, strict=True):
        total = bn.add(total, bn.multiply(point, value))
    pairs = [
        (bn.neg(a), b),
        (_g1(key["vk_alpha_1"]), _g2(key["vk_beta_2"])),
        (total, _g2(key["vk_gamma_2"])),
        (c, _g2(key["vk_delta_2"])),
    ]
    product = bn.FQ12.one()
    for g1, g2 in pairs:
        product = product * bn.pairing(g2, g1, final_exponentiate=False)
    return bool(bn.final_exponentiate(product) == bn.FQ12.one())


def in_group(point: Point2) -> bool:
    """Whether a point of the twist's coordinates is in the group: on the twist, and of prime order."""
    bn, found = curve(), _g2(point)
    return bool(bn.is_on_curve(found, bn.b2) and bn.is_inf(bn.multiply(found, bn.curve_order)))


def multiple1(scalar: int) -> Point1:
    """Of G1's generator."""
    bn = curve()
    x, y = bn.normalize(bn.multiply(bn.G1, scalar % SCALAR_ORDER))
    return int(x), int(y)


def multiple2(scalar: int) -> Point2:
    """Of G2's generator."""
    bn = curve()
    return _plain(bn.multiply(bn.G2, scalar % SCALAR_ORDER))


def sum2(left: Point2, right: Point2) -> Point2:
    bn = curve()
    return _plain(bn.add(_g2(left), _g2(right)))


def outsider(x: int) -> Point2:
    """A point on the twist and outside its group: of all there, one in 2^254 is inside."""
    bn = curve()
    while True:
        candidate = bn.FQ2([x, 1])
        root = _root(candidate * candidate * candidate + bn.b2)
        if root is not None:
            return _plain((candidate, root, bn.FQ2.one()))
        x += 1


def cofactor_part(point: Point2) -> Point2:
    """What of a point on the twist is outside the group: adding it to one inside leaves the twist's equation intact."""
    bn = curve()
    return _plain(bn.multiply(_g2(point), SCALAR_ORDER))


def _root(value: Any) -> Any:
    """A square root in the field of squares' coordinates, or None: q is 3 modulo 4."""
    bn = curve()
    power = value ** ((BASE_ORDER - 3) // 4)
    minus_one = bn.FQ2([BASE_ORDER - 1, 0])
    square = power * power * value
    if square == minus_one:
        root = bn.FQ2([0, 1]) * power * value
    else:
        root = (bn.FQ2.one() + square) ** ((BASE_ORDER - 1) // 2) * power * value
    return root if root * root == value else None


def _plain(point: Any) -> Point2:
    x, y = curve().normalize(point)
    return tuple(int(value) for value in x.coeffs), tuple(int(value) for value in y.coeffs)  # type: ignore[return-value]


def _g1(point: Any) -> Any:
    bn = curve()
    return bn.FQ(int(point[0])), bn.FQ(int(point[1])), bn.FQ(1)


def _g2(point: Any) -> Any:
    bn = curve()
    return bn.FQ2([int(v) for v in point[0]]), bn.FQ2([int(v) for v in point[1]]), bn.FQ2.one()
