"""Batched additions of points in both groups and forms, against py_ecc: all that two points can be to each other."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.kernels import sums as sums_module
from agents.kernels.curve import AHEAD
from agents.kernels.group import words_g1, words_g2
from agents.kernels.memory import aligned
from agents.kernels.sums import Sums
from tests.kernels.points import EVERY_GROUP, MANY, known, small_multiple, words_of

Signed = tuple[int, bool]
"""A multiple of the generator, and whether its opposite is asked for by the address."""


def check(form: str, extension: bool, pairs: list[tuple[Signed, Signed]]) -> None:
    """Every sum is py_ecc's, and those at infinity are flagged; what is left over of the last vectors is padding."""
    group = known(form, extension)
    rows = group.rows(words_of(extension, [scalar for pair in pairs for scalar, _ in pair]))
    count = -(-len(pairs) // group.together) * group.together
    lists = np.empty((2, count + AHEAD * group.lanes), dtype=np.uint64)
    lists[0], lists[1] = group.pad
    for i, pair in enumerate(pairs):
        for side, (_, opposite) in enumerate(pair):
            lists[side, i] = rows.ctypes.data + (2 * i + side) * group.stride + opposite
    out, scratch = aligned(count * group.stride // 8), aligned(count // group.lanes * group.kept)
    flags = np.zeros(count, dtype=np.uint64)
    arrays = (lists[0], lists[1], out, flags, scratch)
    some = group.add_pairs(*(array.ctypes.data for array in arrays), count // group.together)

    sums = [sum(-scalar if opposite else scalar for scalar, opposite in pair) for pair in pairs]
    assert flags.tolist() == [int(total == 0) for total in sums] + [0] * (count - len(pairs))
    assert bool(some) == (0 in sums)
    finite = [i for i, total in enumerate(sums) if total]
    addresses = np.array([out.ctypes.data + i * group.stride for i in finite], dtype=np.uint64)
    wanted = [small_multiple(extension, sums[i]) for i in finite]
    found = group.words(addresses)
    np.testing.assert_array_equal(found, (words_g2 if extension else words_g1)(wanted))


def pairs_of(chance: random.Random, count: int) -> list[tuple[Signed, Signed]]:
    """Different points, nothing special among them."""
    found = []
    while len(found) < count:
        a, b = (chance.choice([-1, 1]) * chance.randrange(1, MANY // 2) for _ in range(2))
        if abs(a) != abs(b):
            found.append(((a, chance.random() < 0.5), (b, chance.random() < 0.5)))
    return found


@EVERY_GROUP
def test_different_points_with_and_without_signs(form: str, extension: bool) -> None:
    check(form, extension, pairs_of(random.Random(1), 100))


SPECIAL: list[tuple[Signed, Signed]] = [
    ((7, False), (7, False)),
    ((7, True), (7, True)),
    ((7, True), (-7, False)),
    ((-7, True), (7, False)),
    ((7, False), (-7, False)),
    ((7, True), (7, False)),
    ((7, False), (7, True)),
    ((-7, True), (-7, False)),
]
"""Doubled points and opposite ones, by their coordinates and by their signs."""


@EVERY_GROUP
@pytest.mark.parametrize("pair", SPECIAL, ids=str)
def test_a_special_sum_in_any_lane(form: str, extension: bool, pair: tuple[Signed, Signed]) -> None:
    group, others = known(form, extension), pairs_of(random.Random(2), 32)
    check(form, extension, [pair] * group.together)
    for lane in range(group.together):
        check(form, extension, [*others[:lane], pair, *others[lane + 1 : group.together]])


@EVERY_GROUP
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_mixture(form: str, extension: bool, data: st.DataObject) -> None:
    some = data.draw(st.sampled_from([2, MANY // 2]))  # of few points many are alike
    scalars = st.integers(-some, some).filter(bool)
    signed = st.tuples(scalars, st.booleans())
    check(form, extension, data.draw(st.lists(st.tuples(signed, signed), min_size=1, max_size=70)))


@EVERY_GROUP
@pytest.mark.parametrize("batch", [32, 1 << 12])
def test_many_sums_in_several_batches(form: str, extension: bool, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of any number of points, all at once, with equal and opposite ones, some of which come to nothing."""
    monkeypatch.setattr(sums_module, "BATCH", batch)
    group, chance = known(form, extension), random.Random(3)
    rows = group.rows(words_of(extension, list(range(-MANY, MANY + 1))))
    sums: list[list[int]] = [[], [5], [-5], [5, -5], [5, 5], [9] * 7, [4, -4] * 5]
    while len(sums) < (3000 if batch > 32 else 120):
        listed = [chance.choice([-1, 1]) * chance.randrange(1, 9) for _ in range(chance.randrange(8))]
        sums.append(listed)
    entries = np.array(
        [rows.ctypes.data + (abs(scalar) + MANY) * group.stride + (scalar < 0) for listed in sums for scalar in listed],
        dtype=np.uint64,
    )
    starts = np.cumsum([0, *(len(listed) for listed in sums)]).astype(np.int64)
    Sums(group, len(entries)).reduce(entries, starts)
    wanted = [small_multiple(extension, sum(listed)) for listed in sums]
    assert np.diff(starts).tolist() == [int(point is not None) for point in wanted]
    left = entries[: starts[-1]]
    found = group.negated(group.words(left & ~np.uint64(1)), (left & np.uint64(1)).astype(np.bool_))
    finite = [point for point in wanted if point is not None]
    np.testing.assert_array_equal(found, (words_g2 if extension else words_g1)(finite))
