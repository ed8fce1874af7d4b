"""Any k slots rebuild the others."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.dataset.erasure import check_code, data_of, parity_block, parity_of, rebuild
from agents.core.errors import CodeParameters, Corrupt


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(0, 4), st.integers(1, 64), st.randoms(use_true_random=False))
def test_any_k_blocks_rebuild_every_other(k: int, m: int, size: int, random: object) -> None:
    data = [random.randbytes(size) for _ in range(k)]  # type: ignore[attr-defined]
    blocks = data + parity_of(data, m)
    assert [parity_block(data, m, extra) for extra in range(m)] == blocks[k:]
    for chosen in combinations(range(k + m), k):
        held = {index: blocks[index] for index in chosen}
        assert data_of(held, k, m) == data
        assert rebuild(held, k, m, range(k + m)) == blocks
        lost = [index for index in reversed(range(k + m)) if index not in chosen]
        assert rebuild(held, k, m, lost) == [blocks[index] for index in lost]


def test_the_largest_code() -> None:
    data = [bytes([index]) * 16 for index in range(200)]
    blocks = data + parity_of(data, 56)
    held = {index: blocks[index] for index in range(56, 256)}
    assert data_of(held, 200, 56) == data


def test_fewer_than_k_are_told() -> None:
    with pytest.raises(Corrupt, match="Only 1 of the 2"):
        data_of({0: b"x"}, 2, 1)


@pytest.mark.parametrize(("k", "m"), [(0, 2), (-1, 5), (3, -1), (200, 57), (1, 0)])
def test_numbers_that_cannot_be_are_refused(k: int, m: int) -> None:
    with pytest.raises(CodeParameters, match="cannot be"):
        check_code(k, m)
