"""Any k slots rebuild the others."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.dataset.erasure import Gf8Code, Gf16Code, check_code
from agents.core.errors import CodeParameters, Corrupt


def coded(code: Gf8Code | Gf16Code, data: list[bytes]) -> list[bytes]:
    """All blocks of a stripe."""
    if isinstance(code, Gf8Code):
        return data + code.encode(data, range(code.k, code.k + code.m))
    rows = np.array([list(block) for block in data], dtype=np.uint8)
    return data + [row.tobytes() for row in code.parity(rows)]


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([Gf8Code, Gf16Code]), st.integers(1, 5), st.integers(0, 4), st.integers(1, 32),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_any_k_blocks_rebuild_every_other(kind: type, k: int, m: int, words: int, random: object) -> None:
    code = kind(k, m)
    blocks = coded(code, [random.randbytes(2 * words) for _ in range(k)])  # type: ignore[attr-defined]
    for chosen in combinations(range(k + m), k):
        held = {index: blocks[index] for index in chosen}
        assert code.data(held) == blocks[:k]
        assert code.rebuild(held, range(k + m)) == blocks
        lost = [index for index in reversed(range(k + m)) if index not in chosen]
        assert code.rebuild(held, lost) == [blocks[index] for index in lost]


@pytest.mark.parametrize("kind", [Gf8Code, Gf16Code])
def test_the_largest_code(kind: type) -> None:
    blocks = coded(kind(200, 56), [bytes([index]) * 16 for index in range(200)])
    held = {index: blocks[index] for index in range(56, 256)}
    assert kind(200, 56).data(held) == blocks[:200]


@pytest.mark.parametrize("kind", [Gf8Code, Gf16Code])
def test_fewer_than_k_are_told(kind: type) -> None:
    with pytest.raises(Corrupt, match="Only 1 of the 2"):
        kind(2, 1).data({0: b"xy"})


@pytest.mark.parametrize(("k", "m"), [(0, 2), (-1, 5), (3, -1), (200, 57), (1, 0)])
def test_numbers_that_cannot_be_are_refused(k: int, m: int) -> None:
    with pytest.raises(CodeParameters, match="cannot be"):
        check_code(k, m)
