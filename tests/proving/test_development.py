"""The development key: its polynomials against plain integers, and its bytes for ever the same."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.proofs.field import SCALAR_ORDER
from agents.kernels.limbs import from_ints, to_ints
from agents.kernels.transform import root_of_unity
from agents.proving.development import toxic, write_zkey
from agents.proving.files.r1cs import Circuit, parse_r1cs
from agents.proving.quadratic import (
    coefficients,
    domain_size,
    evaluate,
    lagrange,
    odd_lagrange,
    powers,
    sum_all,
    sums_by_place,
    times,
)
from tests.proving.small import CONSTRAINTS, WIRES, Row, r1cs_bytes

P = SCALAR_ORDER
EDGES = [0, 1, 2, P - 1, P - 2, (P - 1) // 2, 2**32 - 1, 2**224 - 1, 2**224, 2**253, 2**256 % P]

elements = st.one_of(st.sampled_from(EDGES), st.integers(0, P - 1))
rows = st.lists(st.tuples(st.integers(0, WIRES - 1), elements), max_size=4)

SMALL_KEY = "a54d00ded00e414e88bea38758fe682ce05520da7953c0831e3e0e8eacf56252"


def plain_lagrange(size: int, at: int) -> list[int]:
    """By the product formula, one by one."""
    root, found = root_of_unity(size), []
    for i in range(size):
        value = 1
        for j in range(size):
            if j != i:
                own, other = pow(root, i, P), pow(root, j, P)
                value = value * (at - other) * pow(own - other, -1, P) % P
        found.append(value)
    return found


def plain_evaluate(constraints: list[tuple[Row, Row, Row]], circuit: Circuit, at: int) -> list[list[int]]:
    basis = plain_lagrange(domain_size(circuit), at)
    totals = [[0] * circuit.wires for _ in range(3)]
    for weight, matrices in zip(basis, constraints, strict=False):
        for total, row in zip(totals, matrices, strict=True):
            for wire, value in row:
                total[wire] = (total[wire] + value * weight) % P
    for wire in range(circuit.publics + 1):
        totals[0][wire] = (totals[0][wire] + basis[len(constraints) + wire]) % P
    return totals


def test_the_bytes_of_the_key_are_for_ever_the_same(tmp_path: Path) -> None:
    """Whoever has the key need not make it again, and its verification key is in contracts that are deployed."""
    write_zkey(parse_r1cs(r1cs_bytes()), tmp_path / "small.zkey")
    assert hashlib.sha256((tmp_path / "small.zkey").read_bytes()).hexdigest() == SMALL_KEY
    assert [path.name for path in tmp_path.iterdir()] == ["small.zkey"]


def test_a_key_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken.zkey").mkdir()
    with pytest.raises(IsADirectoryError):
        write_zkey(parse_r1cs(r1cs_bytes()), tmp_path / "taken.zkey")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.zkey"]


@pytest.mark.parametrize("size", [2, 4, 8, 32])
def test_lagrange_polynomials_are_those_of_the_product_formula(size: int) -> None:
    for at in (toxic().tau, 5, P - 1 - size):
        assert to_ints(lagrange(size, at)) == plain_lagrange(size, at)
        assert to_ints(odd_lagrange(size, at)) == plain_lagrange(2 * size, at)[1::2]


def test_powers_of_any_number() -> None:
    for count in (1, 2, 3, 64, 100):
        for base in (0, 1, 7, P - 1):
            assert to_ints(powers(base, count)) == [pow(base, i, P) for i in range(count)]


@given(st.lists(st.tuples(elements, elements, elements), min_size=1, max_size=9), elements)
def test_sums_and_multiples_are_reduced(values: list[tuple[int, int, int]], factor: int) -> None:
    columns = [from_ints(column) for column in zip(*values, strict=True)]
    assert to_ints(sum_all(*columns)) == [sum(row) % P for row in values]
    assert to_ints(times(columns[0], factor)) == [row[0] * factor % P for row in values]


def test_very_many_and_very_large_terms_add_up() -> None:
    count = 3000
    values = np.concatenate([from_ints([P - 1] * count), from_ints([2**224 - 1] * count), from_ints([2**253] * count)])
    places = np.repeat([0, 2, 3], count)
    assert to_ints(sums_by_place([(places, values), (places[:1], values[:1])], 4)) == [
        (count + 1) * (P - 1) % P, 0, count * (2**224 - 1) % P, count * 2**253 % P,
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(rows, rows, rows), max_size=12), elements)
def test_circuits_are_evaluated_term_by_term(constraints: list[tuple[Row, Row, Row]], at: int) -> None:
    circuit = parse_r1cs(r1cs_bytes(constraints))
    found = evaluate(circuit, at)
    assert [to_ints(part) for part in (found.a, found.b, found.c)] == plain_evaluate(constraints, circuit, at)


def test_the_matrices_stand_in_the_key_by_constraint() -> None:
    circuit = parse_r1cs(r1cs_bytes())
    wanted = [
        (matrix, number, wire, value * 2**512 % P)
        for number, matrices in enumerate(CONSTRAINTS)
        for matrix, row in enumerate(matrices[:2])
        for wire, value in row
    ]
    wanted += [(0, len(CONSTRAINTS) + wire, wire, 2**512 % P) for wire in range(circuit.publics + 1)]
    found = coefficients(circuit)
    places = zip(found["matrix"].tolist(), found["row"].tolist(), found["wire"].tolist(), strict=True)
    assert [(*place, value) for place, value in zip(places, to_ints(found["value"]), strict=True)] == wanted
