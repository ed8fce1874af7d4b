"""Multiples of the generators, in every form this CPU has, against py_ecc's."""

from typing import Any

import numpy as np
import pytest
from py_ecc import optimized_bn128 as reference

from agents.core.proofs.field import SCALAR_ORDER
from agents.kernels.fixed_base import TOGETHER, multiples_g1, multiples_g2
from agents.kernels.forms import FORMS
from agents.kernels.group import words_g1, words_g2
from agents.kernels.limbs import from_ints

FORM = pytest.mark.parametrize("form", [name for name, form in FORMS.items() if form.supported()])
EDGES = [0, 1, 2, 255, 256, 257, 2**248, 2**253 + 2**64, SCALAR_ORDER // 3, SCALAR_ORDER - 2, SCALAR_ORDER - 1]


def plain(point: Any, scalar: int) -> Any:
    found = reference.multiply(point, scalar)
    if reference.is_inf(found):
        return None
    x, y = reference.normalize(found)
    if hasattr(x, "coeffs"):
        return tuple(tuple(int(part) for part in value.coeffs) for value in (x, y))
    return int(x), int(y)


@FORM
def test_multiples_are_the_references(form: str) -> None:
    scalars = from_ints(EDGES)
    wanted1 = words_g1(plain(reference.G1, scalar) for scalar in EDGES)
    wanted2 = words_g2(plain(reference.G2, scalar) for scalar in EDGES)
    np.testing.assert_array_equal(multiples_g1(scalars, form), wanted1)
    np.testing.assert_array_equal(multiples_g2(scalars, form), wanted2)
    assert not multiples_g1(scalars, form)[0].any()  # infinity


@FORM
def test_more_scalars_than_a_thread_takes_at_once(form: str) -> None:
    last = 2 * TOGETHER + 3
    scalars = from_ints([7 * i * i for i in range(last)])
    found = multiples_g1(scalars, form)
    for i in (0, 1, TOGETHER - 1, TOGETHER, 2 * TOGETHER - 1, 2 * TOGETHER, last - 1):
        np.testing.assert_array_equal(found[i : i + 1], words_g1([plain(reference.G1, 7 * i * i)]))
    # Each alone, among none, and in a thread with nothing but infinity.
    np.testing.assert_array_equal(multiples_g1(scalars[5:6], form), found[5:6])
    assert multiples_g1(scalars[:0], form).shape == (0, 8) and multiples_g2(scalars[:0], form).shape == (0, 16)
    assert not multiples_g2(from_ints([0] * 9), form).any()
