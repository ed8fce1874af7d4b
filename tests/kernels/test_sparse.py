"""Sparse matrices times a vector against Python integers, whatever order their entries stand in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.proofs.field import SCALAR_ORDER
from agents.kernels.limbs import from_ints, to_ints
from agents.kernels.sparse import Matrix
from agents.proving.files.zkey import COEFFICIENT

P, R = SCALAR_ORDER, 2**256
EDGES = [0, 1, 2, P - 1, P - 2, P // 2, 2**253, R % P, R * R % P]
elements = st.integers(0, P - 1) | st.sampled_from(EDGES)

Entry = tuple[int, int, int, int]
"""Matrix, row, wire, value."""


def written(entries: list[Entry], shift: int = 0) -> np.ndarray:  # type: ignore[type-arg]
    """As section 4 of a .zkey has them: packed, read-only, beginning at any byte, values times R^2."""
    found = np.empty(len(entries), dtype=COEFFICIENT)
    for at, (matrix, row, wire, value) in enumerate(entries):
        found[at] = (matrix, row, wire, from_ints([value * R * R])[0])
    return np.frombuffer(bytes(shift) + found.tobytes(), dtype=COEFFICIENT, offset=shift)


def times(entries: list[Entry], which: int, rows: int, vector: list[int], shift: int = 0) -> list[int]:
    stored = written(entries, shift)
    products = Matrix(stored, stored["matrix"] == which, rows).times(from_ints(vector))
    assert products.shape == (rows, 4)
    return [value * pow(R, -1, P) % P for value in to_ints(products)]


def expected(entries: list[Entry], which: int, rows: int, vector: list[int]) -> list[int]:
    found = [0] * rows
    for matrix, row, wire, value in entries:
        if matrix == which:
            found[row] = (found[row] + value * vector[wire]) % P
    return found


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_entries_in_any_order(data: st.DataObject) -> None:
    rows = data.draw(st.sampled_from([1, 2, 8, 64]))
    vector = data.draw(st.lists(elements, min_size=1, max_size=12))
    entry = st.tuples(st.integers(0, 1), st.integers(0, rows - 1), st.integers(0, len(vector) - 1), elements)
    entries = data.draw(st.lists(entry, max_size=40))
    shift = data.draw(st.sampled_from([0, 1, 4]))
    for which in (0, 1):
        assert times(entries, which, rows, vector, shift) == expected(entries, which, rows, vector)


@pytest.mark.parametrize("value", EDGES)
def test_long_rows_of_large_numbers(value: int) -> None:
    """Sums are reduced on their way."""
    entries = [(0, 1, wire % 3, value) for wire in range(1000)]
    for vector in ([P - 1, P - 1, P - 1], [0, 1, P - 2], [R % P, P // 2, 3]):
        assert times(entries, 0, 4, vector) == expected(entries, 0, 4, vector)


def test_many_rows_on_all_cores() -> None:
    rows = 5000
    entries = [(row % 2, row, row % 7, row * row + wire) for row in range(rows) for wire in range(row % 4)]
    vector = [P - 1, 1, 2**200, 0, 5, 7, 2**253]
    for listed in (entries, entries[::-1]):
        for which in (0, 1):
            assert times(listed, which, rows, vector) == expected(entries, which, rows, vector)


def test_products_are_canonical() -> None:
    stored = written([(0, 0, 0, 1), (0, 0, 1, P - 1), (0, 1, 0, P - 1)])
    found = to_ints(Matrix(stored, stored["matrix"] == 0, 2).times(from_ints([5, 5])))
    assert found == [0, -5 * R % P]
