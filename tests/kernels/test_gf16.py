"""The code over GF(2^16): every kernel against Lagrange's interpolation, and against itself where that is too slow."""

import tracemalloc
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.errors import CodeParameters, Corrupt, KernelUnavailable
from agents.kernels import gf16
from agents.kernels.gf16_field import BASIS, POINTS, POLYNOMIAL, exponentials, layout, logarithms, multiples, points

SHAPES = [(1, 1), (1, 2), (2, 1), (3, 2), (1, 9), (5, 3), (4, 4), (3, 7), (8, 4), (7, 5), (20, 10), (17, 33), (40, 5)]


def times(a: int, b: int) -> int:
    """The product in GF(2^16), bit by bit."""
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a, b = a << 1, b >> 1
        a ^= POLYNOMIAL if a >> 16 else 0
    return product


@cache
def inverse(a: int) -> int:
    result, power = 1, a
    for _ in range(15):
        power = times(power, power)
        result = times(result, power)
    return result


def element(point: int) -> int:
    found = 0
    for bit, value in enumerate(BASIS):
        found ^= value if point >> bit & 1 else 0
    return found


def known(k: int, m: int) -> tuple[int, int]:
    """Where the data of a word begins, and how many points it has, by the format's words."""
    space = 1
    while space < m:
        space *= 2
    space = space if space + k <= 65536 else m
    length = 1
    while length < space + k:
        length *= 2
    return space, length


def interpolated(symbols: list[int], m: int) -> list[int]:
    """Parity symbols by Lagrange's formula: the polynomial of degree below N - P is zero at the points from P + k on."""
    k = len(symbols)
    space, length = known(k, m)
    nodes = [element(space + i) for i in range(length - space)]
    parity = []
    for i in range(m):
        at, total = element(i), 0
        for j, symbol in enumerate(symbols):
            term = symbol
            for other in nodes:
                if other != nodes[j]:
                    term = times(term, times(at ^ other, inverse(nodes[j] ^ other)))
            total ^= term
        parity.append(total)
    return parity


def words(rows: Any) -> Any:
    return np.ascontiguousarray(rows).view("<u2")


def noise(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_the_field() -> None:
    powers, logs, numbered = exponentials(), logarithms(), points()
    assert len(set(powers[:65535].tolist())) == 65535 and powers[65535] == 1
    for a, b in [(1, 1), (2, 0x8000), (0xFFFF, 0xFFFF), (0x1234, 0xABCD)]:
        assert int(powers[logs[a] + logs[b]]) == times(a, b)
    assert [int(value) for value in multiples(np.array([0xABCD], dtype=np.uint16))[0]] == [
        times(0xABCD, 1 << bit) for bit in range(16)
    ]
    assert [int(numbered[t]) for t in (0, 1, 2, 3, 77, 65535)] == [element(t) for t in (0, 1, 2, 3, 77, 65535)]


def test_the_basis_is_cantors() -> None:
    assert BASIS[0] == 1
    for lower, value in pairwise(BASIS):
        assert times(value, value) ^ value == lower and value % 2 == 0


@pytest.mark.parametrize(("k", "m"), SHAPES)
def test_parity_is_the_polynomials(coder: gf16.Kernel, k: int, m: int) -> None:
    data, parity = known_parity(k, m)
    assert words(gf16.encode(data, m, coder)).T.tolist() == parity


@cache
def known_parity(k: int, m: int) -> tuple[Any, list[list[int]]]:
    """Three symbols a row, one of them zero, and their parity, column by column."""
    data = noise(k * 100 + m, k, 6)
    data[0, :2] = 0
    return data, [interpolated(column.tolist(), m) for column in words(data).T]


@pytest.mark.parametrize(("k", "m"), SHAPES)
def test_any_k_rows_give_the_others(coder: gf16.Kernel, k: int, m: int) -> None:
    random = np.random.default_rng(k * 1000 + m)
    data = noise(m, k, 130)
    whole = np.concatenate([data, gf16.encode(data, m, coder)])
    for lost in {1, m, (m + 1) // 2}:
        present = np.ones(k + m, dtype=np.bool_)
        present[random.permutation(k + m)[:lost]] = False
        shards = np.where(present[:, None], whole, noise(7, k + m, 130))
        gf16.rebuild(shards, present, k, coder)
        assert np.array_equal(shards, whole)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_kernels_agree(k: int, m: int, symbols: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    data = noise(seed, k, 2 * symbols)
    first, *others = [gf16.encode(data, m, gf16.kernel_named(name)) for name in gf16.available_kernels()]
    for other in others:
        assert np.array_equal(other, first)
    whole = np.concatenate([data, first])
    present = np.ones(k + m, dtype=np.bool_)
    present[random.permutation(k + m)[: random.integers(1, m + 1)]] = False
    for name in gf16.available_kernels():
        shards = whole * present[:, None]
        gf16.rebuild(shards, present, k, gf16.kernel_named(name))
        assert np.array_equal(shards, whole)


@pytest.mark.parametrize(("k", "m", "size"), [(1024, 512, 2048), (700, 1300, 258)])
def test_many_rows(coder: gf16.Kernel, k: int, m: int, size: int) -> None:
    data = noise(5, k, size)
    whole = np.concatenate([data, gf16.encode(data, m, coder)])
    present = np.ones(k + m, dtype=np.bool_)
    present[np.random.default_rng(9).permutation(k + m)[:m]] = False
    shards = whole * present[:, None]
    gf16.rebuild(shards, present, k, coder)
    assert np.array_equal(shards, whole)


@pytest.mark.parametrize(("k", "m"), [(45536, 20000), (26000, 39536), (65535, 1), (1, 65535)])
def test_the_longest_words(k: int, m: int) -> None:
    """Also where data cannot begin at a power of two."""
    assert layout(k, m).aligned == (m in (1,))
    data = noise(6, k, 2)
    whole = np.concatenate([data, gf16.encode(data, m)])
    assert len(whole) == POINTS
    present = np.ones(k + m, dtype=np.bool_)
    present[np.random.default_rng(1).permutation(k + m)[:m]] = False
    shards = whole * present[:, None]
    gf16.rebuild(shards, present, k)
    assert np.array_equal(shards, whole)


def test_a_long_word_that_is_not_aligned_is_a_polynomial_too() -> None:
    """Over all points of the field, the degree is below 65,536 - P if and only if the first P sums of powers are zero."""
    k, m = 33000, 32500
    data = noise(8, k, 2)
    space, length = known(k, m)
    assert (space, length) == (m, 65536)
    word = np.concatenate([words(gf16.encode(data, m))[:, 0], words(data)[:, 0]])
    word[0] = 0  # at the element 0, whose powers are 0
    used = np.flatnonzero(word)
    logs, powers = logarithms(), exponentials()
    symbols, places = logs[word[used]], logs[points()[used]]
    for power in (1, 2, 777, m - 1, m):
        total = np.bitwise_xor.reduce(powers[(symbols + power * places) % 65535])
        assert (total == 0) == (power < m)


@pytest.mark.parametrize("words_between", [2, 3])
def test_rows_of_a_larger_array(coder: gf16.Kernel, words_between: int) -> None:
    """Several words interleaved over one slot: each is a strided view, and is mended where it stands."""
    k, m, size = 9, 5, 64
    slot = noise(3, (k + m) * words_between, size)
    for word in range(words_between):
        view = slot[word::words_between]
        view[k:] = gf16.encode(view[:k], m, coder)
        assert np.array_equal(view[k:], gf16.encode(view[:k].copy(), m, coder))
    before = slot.copy()
    present = np.arange(k + m) % 3 != 1
    slot[1::words_between][~present] = 0
    gf16.rebuild(slot[1::words_between], present, k, coder)
    assert np.array_equal(slot, before)


def test_rows_in_any_order_of_memory(coder: gf16.Kernel) -> None:
    data = noise(4, 40, 12)
    parity = gf16.encode(data, 3, coder)
    turned = np.asfortranarray(data)
    assert np.array_equal(gf16.encode(turned, 3, coder), parity)
    assert np.array_equal(gf16.encode(data[::-1][::-1], 3, coder), parity)
    shards = np.asfortranarray(np.concatenate([data, parity]))
    shards[5] = 0
    gf16.rebuild(shards, np.arange(43) != 5, 40, coder)
    assert np.array_equal(shards[:40], data)


def test_read_only_and_unaligned_data(coder: gf16.Kernel) -> None:
    kept = bytes(noise(2, 4 * 100 + 1))
    data = np.frombuffer(kept, dtype=np.uint8, offset=1).reshape(4, 100)
    assert np.array_equal(gf16.encode(data, 3, coder), gf16.encode(data.copy(), 3, coder))


def test_the_longest_words_take_little_memory_beside_their_own(coder: gf16.Kernel) -> None:
    shards = np.zeros((POINTS, 2 * gf16.COLUMNS), dtype=np.uint8)
    present = np.arange(POINTS) < POINTS * 2 // 3
    gf16.rebuild(shards[:, :2], present, POINTS * 2 // 3, coder)  # plans are kept
    tracemalloc.start()
    try:
        gf16.rebuild(shards, present, POINTS * 2 // 3, coder)
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


def test_all_cores_give_what_one_gives(coder: gf16.Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    data = noise(11, 12, 300_002)
    whole = gf16.encode(data, 4, coder)
    monkeypatch.setattr(gf16, "SHARE_BYTES", 1 << 40)
    assert np.array_equal(whole, gf16.encode(data, 4, coder))


def test_too_few_rows() -> None:
    shards = noise(1, 6, 10)
    with pytest.raises(Corrupt, match="Only 3 of the 4 rows"):
        gf16.rebuild(shards, np.arange(6) < 3, 4)


@pytest.mark.parametrize(("k", "m"), [(0, 1), (0, 0), (65536, 1), (1, 65536), (40000, 30000)])
def test_numbers_that_make_no_code(k: int, m: int) -> None:
    with pytest.raises(CodeParameters):
        gf16.encode(np.zeros((k, 2), dtype=np.uint8), m)


def test_what_cannot_be_coded() -> None:
    with pytest.raises(CodeParameters, match="3 bytes"):
        gf16.encode(np.zeros((2, 3), dtype=np.uint8), 1)
    for present, k in (
        (np.ones(3, dtype=np.bool_), 2),
        (np.ones(4, dtype=np.bool_), 5),
        (np.ones(4, dtype=np.bool_), 0),
    ):
        with pytest.raises(CodeParameters):
            gf16.rebuild(np.zeros((4, 2), dtype=np.uint8), present, k)


def test_read_only_rows_stay_as_they_are() -> None:
    shards = noise(1, 5, 8)
    shards.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        gf16.rebuild(shards, np.arange(5) > 0, 3)


def test_no_parity() -> None:
    data = noise(1, 3, 4)
    assert gf16.encode(data, 0).shape == (0, 4)
    gf16.rebuild(data, np.ones(3, dtype=np.bool_), 3)
    with pytest.raises(Corrupt):
        gf16.rebuild(data, np.arange(3) > 0, 3)


def test_rows_without_bytes() -> None:
    assert gf16.encode(np.zeros((3, 0), dtype=np.uint8), 2).shape == (2, 0)


def test_a_kernel_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gf16.VARIABLE, "portable")
    assert gf16.default_kernel().name == "portable"
    monkeypatch.setenv(gf16.VARIABLE, "abacus")
    with pytest.raises(KernelUnavailable, match="abacus"):
        gf16.default_kernel()
