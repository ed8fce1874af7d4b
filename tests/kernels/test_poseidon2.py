"""Kernels against the integer reference and the published known answers."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.errors import KernelUnavailable
from agents.core.proofs import poseidon2 as reference
from agents.core.proofs import trees
from agents.core.proofs.field import SCALAR_ORDER
from agents.kernels import wide
from agents.kernels.limbs import from_ints, to_ints
from agents.kernels.poseidon2 import (
    VARIABLE,
    Kernel,
    available_kernels,
    compress,
    default_kernel,
    hash_cells,
    kernel_named,
)  # fmt: skip
from tests.merkle import merkle_path

VECTORS = Path(__file__).parents[1] / "vectors"
KNOWN: dict[str, Any] = json.loads((VECTORS / "poseidon2_codex_kat.json").read_text())
EDGES = [0, 1, 2, SCALAR_ORDER - 1, SCALAR_ORDER - 2, 2**64 - 1, 2**128, 2**253, SCALAR_ORDER >> 1]


def test_the_reference_gives_the_known_answers() -> None:
    assert [hex(value) for value in reference.permute(0, 1, 2)] == KNOWN["perm_0_1_2"]
    for rate in (1, 2):
        for length, answer in KNOWN[f"sponge_rate{rate}"].items():
            assert reference.sponge(range(1, int(length) + 1), rate) == int(answer)
    for leaves, answer in KNOWN["merkle_1_to_n"].items():
        assert reference.merkle_root(range(1, int(leaves) + 1)) == int(answer)
    for key in (0, 2, 3):
        assert reference.compress(1, 2, key) == int(KNOWN[f"compress_key{key}_1_2"])
    elements = reference.elements_of(bytes(range(1, 81)))
    assert reference.merkle_root(elements).to_bytes(32, "little").hex() == KNOWN["merkle_bytes_1_to_80_le_hex"]


def test_constants_are_the_published_ones() -> None:
    from agents.core.proofs.poseidon2_constants import EXTERNAL, INTERNAL

    published = json.loads((VECTORS / "poseidon2_bn254_t3_constants.json").read_text())
    assert [int(value) for value in published["internal"]] == list(INTERNAL)
    assert [tuple(int(value) for value in row) for row in published["external"]] == list(EXTERNAL)


def test_known_cells_and_blocks(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, kernel.name)
    assert to_ints(hash_cells(bytes(2048), 2048, kernel)) == [int(KNOWN["cell_2048_zero_bytes"])]
    blocks = trees.block_roots(bytes(65536) + bytes(range(256)) * 256, 2048, 65536)
    assert to_ints(blocks) == [int(KNOWN["block_65536_zero_bytes"]), int(KNOWN["block_bytes_range256_times_256"])]


@pytest.mark.parametrize("size", [1, 30, 31, 32, 61, 62, 63, 93, 256, 2048])
def test_cells_of_every_padding(kernel: Kernel, size: int) -> None:
    for fill in (b"\x00", b"\xff", b"\x01"):
        assert to_ints(kernel.hash_cells(rows(fill * size, size))) == [reference.hash_bytes(fill * size)]


def rows(data: bytes, size: int) -> Any:
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, size)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 19), seed=st.binary(min_size=32, max_size=32))
def test_any_number_of_cells(count: int, seed: bytes) -> None:
    data = (seed * (8 * count))[: 256 * count]
    expected = [reference.hash_bytes(data[i : i + 256]) for i in range(0, len(data), 256)]
    for name in available_kernels():
        assert to_ints(kernel_named(name).hash_cells(rows(data, 256))) == expected


elements = st.one_of(st.sampled_from(EDGES), st.integers(0, SCALAR_ORDER - 1))


@settings(max_examples=25, deadline=None)
@given(pairs=st.lists(st.tuples(elements, elements), min_size=1, max_size=11), key=st.integers(0, 3))
def test_compression(pairs: list[tuple[int, int]], key: int) -> None:
    left, right = (from_ints(side) for side in zip(*pairs, strict=True))
    expected = [reference.compress(x, y, key) for x, y in pairs]
    for name in available_kernels():
        assert to_ints(kernel_named(name).compress(left, right, key)) == expected


def test_all_cores_give_what_one_gives(kernel: Kernel) -> None:
    data = os.urandom(3 << 20)
    together = hash_cells(data, 256, kernel)
    assert np.array_equal(together, kernel.hash_cells(rows(data, 256)))
    assert np.array_equal(
        compress(together[::2], together[1::2], 1, kernel), kernel.compress(together[::2], together[1::2], 1)
    )


@pytest.mark.parametrize("leaves", [1, 2, 3, 4, 5, 7, 8])
def test_trees_padded_and_plain(leaves: int) -> None:
    values = list(range(1, leaves + 1))
    plain, expected = trees.tree(from_ints(values)), reference.merkle_layers(values)
    assert trees.root(plain) == expected[-1][0]
    for index in range(leaves):
        assert trees.path(plain, index) == merkle_path(expected, index)
    for width in (8, 16, 64):
        padded = trees.tree(from_ints(values), width, from_ints([77]))
        expected = reference.merkle_layers(values + [77] * (width - leaves))
        assert trees.root(padded) == expected[-1][0]
        for index in (0, leaves - 1, leaves, width - 1):
            if index < width:
                assert trees.path(padded, index) == merkle_path(expected, index)


def test_kernels_agree_on_many_cells() -> None:
    data = os.urandom(256 << 10)
    first, *others = (hash_cells(data, 64, kernel_named(name)) for name in [*available_kernels(), "portable"])
    for other in others:
        assert np.array_equal(first, other)


@pytest.mark.parametrize("bounds", ["REDUCED", "FULL", "PARTIAL"])
def test_a_round_whose_bounds_do_not_hold_is_not_written(bounds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the lanes hold between rounds is never looked at again: its bounds are checked while the code is written."""
    assert wide.write() == wide.write()
    for place in range(3):
        stated = list(getattr(wide, bounds))
        stated[place] = 0.9
        monkeypatch.setattr(wide, bounds, tuple(stated))
        with pytest.raises(ValueError, match=r"goes around where they are below 0\.9"):
            wide.write()
        monkeypatch.undo()


def test_signatures_of_the_portable_kernel_are_all_compiled_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes, writable buffers and every second row run the same machine code: nothing is left to compile later."""
    monkeypatch.setenv(VARIABLE, "portable")
    for data in (bytes(4096), bytearray(4096), memoryview(bytes(4096)), np.zeros(4096, np.uint8)):
        trees.root(trees.tree(trees.block_roots(data, 256, 2048), 4, from_ints([1])))
    from agents.kernels import portable

    assert len(portable.hash_cells.signatures) == len(portable.compress.signatures) == 1


@pytest.mark.parametrize("cells", [16, 33, 36, 48])
def test_part_of_a_block_is_refused(kernel: Kernel, monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    monkeypatch.setenv(VARIABLE, kernel.name)
    with pytest.raises(ValueError, match="do not make pairs"):
        trees.block_roots(bytes(64 * cells), 64, 2048)
    with pytest.raises(ValueError, match="whole number of cells"):
        hash_cells(bytes(65), 64, kernel)


def test_no_cells_have_no_hashes(kernel: Kernel) -> None:
    assert hash_cells(b"", 256, kernel).shape == (0, 4)


def test_an_unknown_kernel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "quantum")
    with pytest.raises(KernelUnavailable, match=r"'quantum'.*ifma, portable"):
        default_kernel()
    for name in available_kernels():
        monkeypatch.setenv(VARIABLE, name)
        assert default_kernel().name == name


def test_a_kernel_this_cpu_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from agents.kernels import poseidon2

    monkeypatch.setitem(poseidon2.KERNELS, "wider", (lambda: False, lambda: kernel_named("portable")))
    with pytest.raises(KernelUnavailable, match="cannot run here"):
        kernel_named("wider")
