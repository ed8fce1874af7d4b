"""Groth16 verification off chain, by py_ecc: before gas is spent on a proof, it must verify here."""

import sys
from functools import cache
from typing import Any

from agents.core.proofs.field import SCALAR_ORDER
from agents.core.proofs.proof import Groth16Proof


@cache
def _py_ecc() -> Any:
    # Importing py_ecc raises the interpreter's recursion limit for everybody; put it back.
    limit = sys.getrecursionlimit()
    import py_ecc.optimized_bn128 as curve

    sys.setrecursionlimit(limit)
    return curve


def verify(key: dict[str, Any], proof: Groth16Proof, publics: tuple[int, ...]) -> bool:
    """Whether ``proof`` proves ``publics`` under ``key``, a snarkjs verification_key.json. Takes most of a second.

    e(a, b) = e(alpha, beta) e(sum IC_i publics_i, gamma) e(c, delta), Groth 2016 section 3.2.
    """
    curve = _py_ecc()
    if len(publics) != key["nPublic"] or not all(0 <= value < SCALAR_ORDER for value in publics):
        return False
    a, c = _g1(curve, proof.a), _g1(curve, proof.c)
    b = _g2(curve, proof.b)
    if not (curve.is_on_curve(a, curve.b) and curve.is_on_curve(c, curve.b) and curve.is_on_curve(b, curve.b2)):
        return False
    if not curve.is_inf(curve.multiply(b, curve.curve_order)):  # G2 has points outside the group
        return False
    points = [_g1(curve, point) for point in key["IC"]]
    total = points[0]
    for point, value in zip(points[1:], publics, strict=True):
        total = curve.add(total, curve.multiply(point, value))
    pairs = [
        (curve.neg(a), b),
        (_g1(curve, key["vk_alpha_1"]), _g2(curve, key["vk_beta_2"])),
        (total, _g2(curve, key["vk_gamma_2"])),
        (c, _g2(curve, key["vk_delta_2"])),
    ]
    product = curve.FQ12.one()
    for g1, g2 in pairs:
        product = product * curve.pairing(g2, g1, final_exponentiate=False)
    return bool(curve.final_exponentiate(product) == curve.FQ12.one())


def _g1(curve: Any, point: Any) -> Any:
    return curve.FQ(int(point[0])), curve.FQ(int(point[1])), curve.FQ(1)


def _g2(curve: Any, point: Any) -> Any:
    return (
        curve.FQ2([int(value) for value in point[0]]),
        curve.FQ2([int(value) for value in point[1]]),
        curve.FQ2.one(),
    )
