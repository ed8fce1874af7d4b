"""Products of many elements, in every form this CPU has, against plain integers."""

import random

import numpy as np
import pytest

from agents.core.proofs.field import SCALAR_ORDER
from agents.kernels.forms import FORMS
from agents.kernels.limbs import from_ints, to_ints
from agents.kernels.vectors import multiply_all

EDGES = [0, 1, 2, 2**52 - 1, 2**64 - 1, 2**128, 2**253, SCALAR_ORDER // 2, SCALAR_ORDER - 2, SCALAR_ORDER - 1]
HERE = [name for name, form in FORMS.items() if form.supported()]


@pytest.mark.parametrize("form", HERE)
def test_products_are_those_of_integers(form: str) -> None:
    pairs = [(a, b) for a in EDGES for b in EDGES]
    a, b = (from_ints(column) for column in zip(*pairs, strict=True))
    assert to_ints(multiply_all(a, b, form)) == [x * y % SCALAR_ORDER for x, y in pairs]


@pytest.mark.parametrize("form", HERE)
def test_any_number_of_pairs_anywhere_in_memory(form: str) -> None:
    chance = random.Random(5)
    for count in (0, 1, 7, 8, 9, 511, 8 * 512 + 1, 20_000):
        left, right = ([chance.randrange(SCALAR_ORDER) for _ in range(count)] for _ in range(2))
        # Every second row of something larger, and one that begins between two words.
        spaced = np.repeat(from_ints(left), 2, axis=0)[::2]
        moved = np.frombuffer(b"." + from_ints(right).tobytes(), dtype=np.uint8)[1:].view(np.uint64).reshape(-1, 4)
        assert to_ints(multiply_all(spaced, moved, form)) == [
            x * y % SCALAR_ORDER for x, y in zip(left, right, strict=True)
        ]


def test_arrays_that_are_not_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="not pairs"):
        multiply_all(np.zeros((2, 4), np.uint64), np.zeros((3, 4), np.uint64))
    with pytest.raises(ValueError, match="not pairs"):
        multiply_all(np.zeros((2, 8), np.uint64), np.zeros((2, 8), np.uint64))
