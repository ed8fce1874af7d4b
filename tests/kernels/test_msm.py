"""Sums of multiples of points in both groups and forms: the points are multiples of the generators, so that the expected
sum is one multiplication by py_ecc."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.proofs.field import SCALAR_ORDER
from agents.kernels import msm
from agents.kernels.fixed_base import multiples_g1, multiples_g2
from agents.kernels.limbs import from_ints
from agents.kernels.memory import Words
from agents.kernels.msm import Multiples, Scalars, begin, multiply_and_add, small_sum, width_for
from tests.kernels.points import EVERY_GROUP, MANY, known, multiple, words_of

P = SCALAR_ORDER
EDGES = [0, 1, 2, P - 1, P - 2, P // 2, P // 2 + 1, 2**253, 2**64 - 1, 2**64, 2**128, 2**192 - 1, (2**252 - 1) // 3]

scalars = st.integers(0, P - 1) | st.sampled_from(EDGES) | st.integers(0, 255)
places = st.integers(-MANY, MANY) | st.sampled_from([0, 1, -1])


def check(form: str, extension: bool, points: list[int], scalars: list[int]) -> None:
    """``points`` by their multiples of the generator, 0 for infinity."""
    found = multiply_and_add(known(form, extension), words_of(extension, points), from_ints(scalars))
    assert found == multiple(extension, sum(k * s for k, s in zip(points, scalars, strict=True)) % P)


def random_points(extension: bool, count: int, seed: int) -> tuple[list[int], Words]:
    """All different: the multiples they are, and their words."""
    chance = random.Random(seed)
    listed = [chance.randrange(1, P) for _ in range(count)]
    return listed, (multiples_g2 if extension else multiples_g1)(from_ints(listed))


@EVERY_GROUP
def test_every_small_size(form: str, extension: bool) -> None:
    chance = random.Random(1)
    for count in [*range(41), 63, 64, 65, 127, 129]:
        points = [chance.randrange(-MANY, MANY + 1) for _ in range(count)]
        check(form, extension, points, [chance.choice([chance.randrange(P), *EDGES]) for _ in range(count)])


@EVERY_GROUP
@settings(max_examples=40, deadline=None)
@given(pairs=st.lists(st.tuples(places, scalars), max_size=60))
def test_any_mixture(form: str, extension: bool, pairs: list[tuple[int, int]]) -> None:
    check(form, extension, [point for point, _ in pairs], [scalar for _, scalar in pairs])


@EVERY_GROUP
@pytest.mark.parametrize("count", [1, 2, 17, 600])
def test_scalars_that_are_all_alike(form: str, extension: bool, count: int) -> None:
    chance = random.Random(count)
    points = [chance.randrange(1, MANY + 1) for _ in range(count)]
    for scalar in (0, 1, 2, 255, P - 1, chance.randrange(P)):
        check(form, extension, points, [scalar] * count)
        check(form, extension, [5] * count, [scalar] * count)  # and points that are all one
        check(form, extension, [0] * count, [scalar] * count)  # or none


@EVERY_GROUP
def test_sums_that_come_to_nothing(form: str, extension: bool) -> None:
    """In a bucket, across buckets, in a window and across windows."""
    for points, scalars in [
        ([], []),
        ([3, -3], [9, 9]),
        ([3, 3], [9, P - 9]),
        ([3, -1, -1, -1], [77, 77, 77, 77]),
        ([1, 2, -3], [1 << 200, 1 << 200, 1 << 200]),
        ([2, -1], [1, 2]),
        ([1, -16], [16, 1]),
        ([1, -1], [P - 1, P - 1]),
        ([1, 1], [P // 2, P // 2 + 1]),
        ([7, -7] * 40, [P - 3] * 80),
    ]:
        check(form, extension, points, scalars)
        check(form, extension, [*points, 11], [*scalars, 13])
        assert multiply_and_add(known(form, extension), words_of(extension, points), from_ints(scalars)) is None


@EVERY_GROUP
def test_a_witness_of_bits_bytes_and_some_large_numbers(form: str, extension: bool) -> None:
    chance, count = random.Random(2), 3000
    scalars = [chance.choice([0, 0, 1, 1, 1, chance.randrange(256), P - 1, chance.randrange(P)]) for _ in range(count)]
    listed, points = random_points(extension, count, 3)
    gone = np.arange(count) % 7 == 0
    points[gone] = 0
    listed = [0 if at % 7 == 0 else k for at, k in enumerate(listed)]
    found = multiply_and_add(known(form, extension), points, from_ints(scalars))
    assert found == multiple(extension, sum(k * s for k, s in zip(listed, scalars, strict=True)))


@EVERY_GROUP
@pytest.mark.parametrize("width", [2, 3, 4, 5, 6, 7, 8, 9, 12, 14])
def test_windows_of_every_width(form: str, extension: bool, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msm, "width_for", lambda count: width)
    half, rest = 1 << (width - 1), range(0, 254, width)
    patterns = [sum(digit << at for at in rest) for digit in (half - 1, half, half + 1, 1, (1 << width) - 1)]
    listed = [value % P for value in patterns] + EDGES
    check(form, extension, list(range(1, len(listed) + 1)), listed)


@EVERY_GROUP
def test_a_large_sum_is_cut_among_threads(form: str, extension: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 5_000 if extension or form == "portable" else 40_000
    assert 8 < width_for(count) < 17
    chance = random.Random(4)
    listed, points = random_points(extension, count, 5)
    scalars = [chance.randrange(P) for _ in range(count)]
    wanted = multiple(extension, sum(k * s for k, s in zip(listed, scalars, strict=True)))
    for task, chunk in ((1, msm.CHUNK), (msm.TASK, msm.CHUNK), (1 << 30, 1 << 30), (msm.TASK, 1000)):
        monkeypatch.setattr(msm, "TASK", task)
        monkeypatch.setattr(msm, "CHUNK", chunk)
        assert multiply_and_add(known(form, extension), points, from_ints(scalars)) == wanted


@EVERY_GROUP
def test_sums_side_by_side_share_their_scalars(form: str, extension: bool) -> None:
    """As a prover's do: one witness over several points of a key, and its private part over others."""
    group, chance = known(form, extension), random.Random(6)
    scalars = [chance.randrange(P) for _ in range(50)]
    shared = Scalars(from_ints(scalars))
    every, private = ([chance.randrange(-MANY, MANY + 1) for _ in range(count)] for count in (50, 46))
    sums = [
        Multiples(group, words_of(extension, every), shared),
        Multiples(group, words_of(extension, private), shared, 4),
    ]
    products = [zip(every, scalars, strict=True), zip(private, scalars[4:], strict=True)]
    wanted = [multiple(extension, sum(k * s for k, s in pairs)) for pairs in products]
    assert [found() for found in begin(sums)] == wanted


@EVERY_GROUP
def test_a_few_points_bit_by_bit(form: str, extension: bool) -> None:
    for points, scalars in [
        ([1, 2, 3], [P - 1, 1, 12345678901234567890]),
        ([0, 5], [7, 9]),
        ([5, 5, 5], [1, 1, 1]),
        ([5, -5], [3, 3]),
        ([1, 1], [1, P - 1]),
        ([4], [0]),
        ([0], [4]),
        ([], []),
        ([2, -1, 1], [1, 2, P - 1]),
    ]:
        found = small_sum(known(form, extension), list(words_of(extension, points)), scalars)
        assert found == multiple(extension, sum(k * s for k, s in zip(points, scalars, strict=True)))


@EVERY_GROUP
def test_points_and_scalars_anywhere_in_memory(form: str, extension: bool) -> None:
    """A key is mapped: what stands in it begins at any byte, and may not be written to."""
    points, scalars = list(range(1, 21)), [P - at for at in range(1, 21)]
    for shift in (1, 4, 8):
        moved = []
        for rows in (words_of(extension, points), from_ints(scalars)):
            raw = bytes(shift) + rows.tobytes()
            moved.append(np.frombuffer(raw, dtype="<u8", offset=shift).reshape(rows.shape))
        wanted = multiple(extension, sum(k * s for k, s in zip(points, scalars, strict=True)))
        assert multiply_and_add(known(form, extension), *moved) == wanted


@EVERY_GROUP
def test_what_makes_no_sum_is_refused(form: str, extension: bool) -> None:
    group = known(form, extension)
    with pytest.raises(ValueError, match="3 points and 2 scalars"):
        multiply_and_add(group, words_of(extension, [1, 2, 3]), from_ints([1, 2]))
    for value in (2**254, 2**256 - 1):
        beyond = np.frombuffer(value.to_bytes(32, "little"), dtype=np.uint64).reshape(1, 4)
        with pytest.raises(ValueError, match="2\\^254"):
            multiply_and_add(group, words_of(extension, [1]), beyond)
