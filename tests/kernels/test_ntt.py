"""Transforms over the scalar field against the definition, there and back again, and the quotient made of them."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.proofs.field import SCALAR_ORDER
from agents.kernels import ntt as transforms
from agents.kernels.forms import FORMS
from agents.kernels.limbs import from_ints, to_ints
from agents.kernels.memory import Words
from agents.kernels.ntt import bit_reversal, ntt, quotient
from agents.kernels.transform import reversed_bits, root_of_unity

P = SCALAR_ORDER
HERE = [name for name, form in FORMS.items() if form.supported()]
FORM = pytest.mark.parametrize("form", HERE)
EDGES = [0, 1, 2, P - 1, P - 2, P // 2, 2**253, 2**64 - 1]
elements = st.integers(0, P - 1) | st.sampled_from(EDGES)


def value_at(coefficients: list[int], at: int) -> int:
    """Horner's rule."""
    found = 0
    for coefficient in reversed(coefficients):
        found = (found * at + coefficient) % P
    return found


def defined(coefficients: list[int], coset: int = 1) -> list[int]:
    """The transform, point by point."""
    size = len(coefficients)
    root = root_of_unity(size)
    return [value_at(coefficients, coset * pow(root, i, P) % P) for i in range(size)]


@cache
def many(size: int) -> list[int]:
    chance = random.Random(size)
    return [chance.choice([chance.randrange(P), chance.choice(EDGES)]) for _ in range(size)]


def test_roots_of_unity_are_primitive() -> None:
    for bits in range(1, 29):
        root = root_of_unity(1 << bits)
        assert pow(root, 1 << (bits - 1), P) == P - 1
    assert (
        root_of_unity(1 << 28) == 19103219067921713944291392827692070036145651957329286315305642004821462161904
    )  # snarkjs


@FORM
@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("coset", [1, 5, P - 1])
def test_small_transforms_are_the_definitions(form: str, bits: int, coset: int) -> None:
    values = many(1 << bits)
    wanted = defined(values, coset)
    assert to_ints(ntt(form, from_ints(values), coset=coset)) == wanted
    assert to_ints(ntt(form, from_ints(wanted), inverse=True, coset=coset)) == values


@FORM
@pytest.mark.parametrize("bits", range(9, 17))
def test_large_transforms_there_and_back(form: str, bits: int) -> None:
    size, values = 1 << bits, many(1 << bits)
    given_ = from_ints(values)
    for coset in (1, 7):
        found = ntt(form, given_, coset=coset)
        np.testing.assert_array_equal(ntt(form, found, inverse=True, coset=coset), given_)
        for i in (0, 1, size // 2, size // 3, size - 1) if coset == 7 else (size - 1,):
            assert to_ints(found[i : i + 1]) == [value_at(values, coset * pow(root_of_unity(size), i, P) % P)]


@FORM
@settings(max_examples=30, deadline=None)
@given(values=st.integers(1, 7).flatmap(lambda bits: st.lists(elements, min_size=1 << bits, max_size=1 << bits)))
def test_transforms_of_any_values(form: str, values: list[int]) -> None:
    found = ntt(form, from_ints(values))
    assert to_ints(found) == defined(values)
    assert to_ints(ntt(form, found, inverse=True)) == values


@FORM
@pytest.mark.parametrize("value", EDGES)
def test_transforms_of_one_value_all_over(form: str, value: int) -> None:
    size = 1 << 10
    assert to_ints(ntt(form, from_ints([value] * size))) == [value * size % P] + [0] * (size - 1)
    assert to_ints(ntt(form, from_ints([value] + [0] * (size - 1)))) == [value] * size


@FORM
def test_threads_and_blocks_change_nothing(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks make a small transform take the way of a large one."""
    values = many(1 << 10)
    wanted = ntt("portable", from_ints(values), coset=3)
    for block in (2, 8, 64):
        monkeypatch.setattr(transforms, "BLOCK", block)
        found = ntt(form, from_ints(values), coset=3)
        np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(ntt(form, found, inverse=True, coset=3), from_ints(values))
    monkeypatch.setattr(transforms, "share", lambda things, work, least=512: [work(i, 1) for i in range(things)])
    np.testing.assert_array_equal(ntt(form, from_ints(values), coset=3), wanted)


@FORM
@pytest.mark.parametrize("size", [0, 1, 3, 6, 63, 1000])
def test_sizes_that_have_no_transform_are_refused(form: str, size: int) -> None:
    values = np.zeros((size, 4), dtype=np.uint64)
    with pytest.raises(ValueError, match="not a power of two"):
        ntt(form, values)
    with pytest.raises(ValueError, match="not a power of two"):
        quotient(form, values, values)


@FORM
def test_sizes_beyond_the_roots_of_unity_are_refused(form: str) -> None:
    huge: Any = np.broadcast_to(np.zeros((1, 4), dtype=np.uint64), (1 << 29, 4))  # no memory behind it
    with pytest.raises(ValueError, match="not a power of two"):
        ntt(form, huge)
    with pytest.raises(ValueError, match="not a power of two"):
        quotient(form, huge[: 1 << 28], huge[: 1 << 28])


def test_bits_in_the_opposite_order() -> None:
    assert [reversed_bits(value, 3) for value in range(8)] == [0, 4, 2, 6, 1, 5, 3, 7] == bit_reversal(3).tolist()
    assert reversed_bits(0, 0) == 0 and bit_reversal(0).tolist() == [0]


# --- the quotient ---


def montgomery(values: list[int]) -> Words:
    return from_ints(value * 2**256 for value in values)


def defined_quotient(a: list[int], b: list[int]) -> list[int]:
    """A B - C at the odd points of the domain twice as large, C being A B on the domain."""
    size = len(a)
    root, between = root_of_unity(size), root_of_unity(2 * size)

    def moved(values: list[int]) -> list[int]:
        """Values on the domain -> values at the odd points, by the coefficients."""
        inverse = pow(size, -1, P)
        coefficients = [inverse * value_at(values, pow(root, -i, P)) % P for i in range(size)]
        return defined(coefficients, between)

    products = [x * y % P for x, y in zip(a, b, strict=True)]
    return [(x * y - z) % P for x, y, z in zip(moved(a), moved(b), moved(products), strict=True)]


@FORM
@pytest.mark.parametrize("bits", range(1, 9))
def test_the_quotient_is_the_definitions(form: str, bits: int) -> None:
    a, b = many(1 << bits), list(reversed(many(1 << bits)))
    assert to_ints(quotient(form, montgomery(a), montgomery(b))) == defined_quotient(a, b)


@FORM
def test_quotients_of_constants_and_of_what_makes_no_pairs(form: str) -> None:
    with pytest.raises(ValueError, match="4 values of A and 2 of B"):
        quotient(form, montgomery([1] * 4), montgomery([1] * 2))
    for size in (2, 64, 1024):
        # The polynomials are constants, so A B - C is nothing everywhere.
        for a, b in ((P - 1, P - 1), (0, 5), (1, 1), (P // 2, 2)):
            found = quotient(form, montgomery([a] * size), montgomery([b] * size))
            assert not found.any()


def test_forms_agree_on_large_quotients() -> None:
    for bits in (12, 15):
        chance = np.random.default_rng(bits)
        a, b = (chance.integers(0, 2**64, (1 << bits, 4), dtype=np.uint64) for _ in range(2))
        a[:, 3] >>= np.uint64(3)  # below 2^253
        b[:, 3] >>= np.uint64(3)
        first, *others = (quotient(form, a, b) for form in [*HERE, "portable"])
        for other in others:
            np.testing.assert_array_equal(first, other)
        assert len(np.unique(first[:, 0])) > (1 << bits) - 5
