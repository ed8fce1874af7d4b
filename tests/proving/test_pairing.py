"""Verification by arkworks says what py_ecc says, of true claims, false ones and such as are no proof.

Claims are made from known exponents, so that they need no circuit: any of the equation's sides can be bent at will.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.artefacts.files import verification_key
from agents.core.errors import BadData
from agents.core.proofs.field import BASE_ORDER, SCALAR_ORDER
from agents.core.proofs.proof import Groth16Proof
from agents.core.proofs.verification import Claim, verify
from tests.proving import reference
from tests.proving.reference import multiple1, multiple2

ALPHA, BETA, GAMMA, DELTA = 3, 5, 7, 11
IC = (13, 17, 0, SCALAR_ORDER - 1)
"""The second public input is one the circuit does not use: its point is at infinity."""


def json1(scalar: int) -> list[str]:
    return [*(str(value) for value in multiple1(scalar)), "1"] if scalar else ["0", "1", "0"]


def json2(scalar: int) -> list[list[str]]:
    return [*([str(value) for value in pair] for pair in multiple2(scalar)), ["1", "0"]]


@cache
def key() -> dict[str, Any]:
    return {
        "nPublic": len(IC) - 1,
        "vk_alpha_1": json1(ALPHA),
        "vk_beta_2": json2(BETA),
        "vk_gamma_2": json2(GAMMA),
        "vk_delta_2": json2(DELTA),
        "IC": [json1(scalar) for scalar in IC],
    }


def key_for_py_ecc() -> dict[str, Any]:
    """It knows no infinity in keys: the unused input's point is left out."""
    return {**key(), "nPublic": 2, "IC": [point for point, scalar in zip(key()["IC"], IC, strict=True) if scalar]}


def claim(a: int, b: int, publics: tuple[int, int, int]) -> Claim:
    """A true one."""
    inputs = IC[0] + sum(scalar * value for scalar, value in zip(IC[1:], publics, strict=True))
    c = (a * b - ALPHA * BETA - GAMMA * inputs) * pow(DELTA, -1, SCALAR_ORDER)
    return Groth16Proof(multiple1(a), multiple2(b), multiple1(c)), publics


def by_py_ecc(proof: Groth16Proof, publics: tuple[int, ...]) -> bool:
    return reference.verify(key_for_py_ecc(), proof, (publics[0], *publics[2:]))


@cache
def one() -> Claim:
    return claim(101, 202, (1, 2, 3))


SCALARS = st.integers(1, SCALAR_ORDER - 1) | st.sampled_from([1, 2, SCALAR_ORDER - 1])
PUBLICS = st.integers(0, SCALAR_ORDER - 1) | st.sampled_from([0, 1, SCALAR_ORDER - 1])


@settings(max_examples=25, deadline=None)
@given(SCALARS, SCALARS, st.tuples(PUBLICS, PUBLICS, PUBLICS))
def test_true_claims_verify(a: int, b: int, publics: tuple[int, int, int]) -> None:
    proof, _ = claim(a, b, publics)
    if proof.c == (0, 0):
        return
    assert verify(key(), proof, publics)
    assert not verify(key(), proof, (publics[0], publics[1], (publics[2] + 1) % SCALAR_ORDER))


def test_py_ecc_agrees_on_a_true_claim() -> None:
    assert by_py_ecc(*one())


def negated(point: tuple[int, int]) -> tuple[int, int]:
    return point[0], BASE_ORDER - point[1]


FALSE: dict[str, Callable[[Groth16Proof], Groth16Proof]] = {
    "another a": lambda p: replace(p, a=multiple1(5)),
    "a mirrored": lambda p: replace(p, a=negated(p.a)),
    "c mirrored": lambda p: replace(p, c=negated(p.c)),
    "a and c exchanged": lambda p: replace(p, a=p.c, c=p.a),
    "another b": lambda p: replace(p, b=multiple2(9)),
    "b conjugated": lambda p: replace(p, b=(p.b[0][::-1], p.b[1][::-1])),
    "a off the curve": lambda p: replace(p, a=(p.a[0], p.a[1] ^ 1)),
    "c off the curve": lambda p: replace(p, c=(p.c[0] ^ 1, p.c[1])),
    "b off the twist": lambda p: replace(p, b=(p.b[0], (p.b[1][0] ^ 1, p.b[1][1]))),
    "b outside the group": lambda p: replace(p, b=reference.outsider(1)),
    "b with a part outside": lambda p: replace(
        p, b=reference.sum2(p.b, reference.cofactor_part(reference.outsider(2)))
    ),
    "a at infinity": lambda p: replace(p, a=(0, 0)),
    "b at infinity": lambda p: replace(p, b=((0, 0), (0, 0))),
    "c at infinity": lambda p: replace(p, c=(0, 0)),
    "a beyond the field": lambda p: replace(p, a=(p.a[0] + BASE_ORDER, p.a[1])),
    "b beyond the field": lambda p: replace(p, b=((p.b[0][0], p.b[0][1] + BASE_ORDER), p.b[1])),
    "c beyond the field": lambda p: replace(p, c=(p.c[0], p.c[1] + BASE_ORDER)),
    "a far beyond": lambda p: replace(p, a=(p.a[0] + (1 << 256), p.a[1])),
    "c below zero": lambda p: replace(p, c=(p.c[0], p.c[1] - BASE_ORDER)),
}


@pytest.mark.parametrize("name", FALSE)
def test_what_is_false_or_no_proof_is_refused(name: str) -> None:
    proof, publics = one()
    wrong = FALSE[name](proof)
    assert not verify(key(), wrong, publics)
    assert not by_py_ecc(wrong, publics)


def test_the_parts_outside_are_on_the_twist() -> None:
    """Else the two tests above would only look at the curve's equation."""
    bn = reference.curve()
    proof, _ = one()
    for name in ("b outside the group", "b with a part outside"):
        x, y = FALSE[name](proof).b
        assert bn.is_on_curve((bn.FQ2(list(x)), bn.FQ2(list(y)), bn.FQ2.one()), bn.b2)
    assert reference.in_group(proof.b)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_flipped_bit_is_refused(data: st.DataObject) -> None:
    proof, publics = one()
    numbers = [*proof.a, *proof.b[0], *proof.b[1], *proof.c, *publics]
    # The second public input, the tenth number, is one that this key does not look at.
    place = data.draw(st.sampled_from([at for at in range(len(numbers)) if at != 9]))
    numbers[place] ^= 1 << data.draw(st.integers(0, 255))
    a, b1, b2, c = (tuple(numbers[at : at + 2]) for at in (0, 2, 4, 6))
    wrong = Groth16Proof(a, (b1, b2), c)  # type: ignore[arg-type]
    assert not verify(key(), wrong, tuple(numbers[8:]))


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 7), st.integers(0, 253))
def test_py_ecc_agrees_on_flipped_bits(place: int, bit: int) -> None:
    proof, publics = one()
    numbers = [*proof.a, *proof.b[0], *proof.b[1], *proof.c]
    numbers[place] ^= 1 << bit
    a, b1, b2, c = (tuple(numbers[at : at + 2]) for at in (0, 2, 4, 6))
    wrong = Groth16Proof(a, (b1, b2), c)  # type: ignore[arg-type]
    assert verify(key(), wrong, publics) == by_py_ecc(wrong, publics) == False  # noqa: E712


@pytest.mark.parametrize(
    "publics",
    [
        (1 + SCALAR_ORDER, 2, 3),
        (1, 2 + SCALAR_ORDER, 3),
        (1 - SCALAR_ORDER, 2, 3),
        (1, 2),
        (1, 2, 3, 0),
        (),
        (1, 2, 4),
        (0, 2, 3),
    ],
)
def test_public_inputs_are_as_many_as_the_keys_and_canonical(publics: tuple[int, ...]) -> None:
    proof, _ = one()
    assert not verify(key(), proof, publics)


def test_keys_are_read_strictly() -> None:
    proof, publics = one()
    broken = [
        {**key(), "vk_alpha_1": ["1", "3", "1"]},
        {**key(), "vk_beta_2": [*([str(v) for v in pair] for pair in reference.outsider(1)), ["1", "0"]]},
        {**key(), "vk_delta_2": [["0", "0"], ["0", "0"], ["1", "0"]]},
        {**key(), "IC": [["1", "2"]]},
        {**key(), "IC": [["one", "2", "1"]]},
        {name: value for name, value in key().items() if name != "vk_gamma_2"},
        {},
    ]
    for each in broken:
        with pytest.raises(BadData, match="the verification key is broken"):
            verify(each, proof, publics)
    # Infinity as a .zkey has it.
    zeros = {**key(), "IC": [point if point[2] == "1" else ["0", "0", "1"] for point in key()["IC"]]}
    assert verify(zeros, proof, publics)
    assert not verify(verification_key("devnet"), proof, publics)  # another key


def test_it_takes_milliseconds_and_threads_may_share_a_key() -> None:
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: verify(key(), *one()), range(20)))
    alone = []
    for _ in range(5):
        started = time.thread_time()
        assert verify(key(), *one())
        alone.append(time.thread_time() - started)
    assert min(alone) < 0.05
