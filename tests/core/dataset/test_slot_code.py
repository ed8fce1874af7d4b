"""The code within a slot: what is lost up to its distance is made again, byte by byte; one more is told."""

import hashlib
from collections.abc import Collection

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.dataset import slot_code
from agents.core.dataset.layout import parity_for
from agents.core.dataset.slot_code import Cells, SlotCode
from agents.core.errors import Corrupt
from agents.kernels import gf16

CELL = 512
"""Bytes of a cell here."""


def code_of(data_blocks: int, cells_per_block: int = 4) -> SlotCode:
    return SlotCode(data_blocks, parity_for(data_blocks), cells_per_block, CELL)


def made(code: SlotCode, data: Cells) -> Cells:
    """The whole slot's cells."""
    cells = np.concatenate([data, np.zeros((code.parity_cells, data.shape[1]), dtype=np.uint8)])
    return mended(code, cells, range(code.data_blocks, code.data_blocks + code.parity_blocks))


def mended(code: SlotCode, cells: Cells, damaged: Collection[int]) -> Cells:
    """The slot with its ``damaged`` blocks made again."""
    again = cells.copy()
    for block in damaged:
        again[block * code.cells_per_block : (block + 1) * code.cells_per_block] ^= 0x5A
    for codeword in range(code.codewords):
        places, shards = code.places(codeword), code.shards()
        shards[:] = again[places]  # what is nowhere is anything
        lost = code.among(places, damaged)
        code.rebuild(shards, places, lost)
        again[places[lost]] = shards[lost]
    return again


def noise(code: SlotCode, seed: int = 1) -> Cells:
    return np.random.default_rng(seed).integers(0, 256, (code.data_cells, CELL), dtype=np.uint8)


@settings(max_examples=25, deadline=None)
@given(data_blocks=st.integers(1, 23), longest=st.sampled_from([65_536, 60, 34, 16]), seed=st.integers(0, 2**32 - 1))
def test_what_is_lost_up_to_the_distance_is_made_again(data_blocks: int, longest: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slot_code, "LONGEST", longest)
        code = code_of(data_blocks)
        assert sum(code.length) <= longest
        fewer = max(1, code.codewords - 1)
        assert code.codewords == 1 or -(-code.data_cells // fewer) - (-code.parity_cells // fewer) > longest
        cells = made(code, noise(code, seed % 7))
        order = [int(block) for block in np.random.default_rng(seed).permutation(code.data_blocks + code.parity_blocks)]
        damaged: list[int] = []
        while order and not code.missing([*damaged, order[-1]]):
            damaged.append(order.pop())
        # Each codeword loses its share; where they divide a block evenly that is as many blocks as there is parity.
        assert len(damaged) == code.parity_blocks or code.cells_per_block % code.codewords
        assert (mended(code, cells, damaged) == cells).all()
        if order:
            with pytest.raises(Corrupt):
                mended(code, cells, [*damaged, order[-1]])


def test_cells_of_a_slot_take_turns_in_its_codewords(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a manifest of version 2 promises: cell i is of codeword i mod c, shorter ones go on with zeros."""
    monkeypatch.setattr(slot_code, "LONGEST", 10)
    code = SlotCode(4, 2, 3, CELL)
    assert (code.codewords, code.length) == (2, (6, 3))
    data = noise(code)
    cells = made(code, data)
    for codeword in range(2):
        assert (cells[12 + codeword :: 2] == gf16.encode(np.ascontiguousarray(data[codeword::2]), 3)).all()
    monkeypatch.setattr(slot_code, "LONGEST", 9)
    code = SlotCode(4, 2, 4, CELL)
    assert (code.codewords, code.length) == (3, (6, 3))
    data = noise(code)
    cells = made(code, data)
    for codeword, (k, m) in enumerate(((6, 3), (5, 3), (5, 2))):
        rows = np.zeros((6, CELL), dtype=np.uint8)
        rows[:k] = data[codeword::3]
        assert (cells[16 + codeword :: 3] == gf16.encode(rows, 3)[:m]).all()
        assert code.parity_of(codeword) == m


def test_the_bytes_of_the_code_are_those_on_disks_already() -> None:
    code = SlotCode(3, 2, 32, 2048)
    data = np.frombuffer(hashlib.shake_256(b"holdfast").digest(code.data_cells * 2048), dtype=np.uint8).reshape(
        -1, 2048
    )
    cells = made(code, data)
    assert (
        hashlib.sha256(cells[code.data_cells :]).hexdigest()
        == "07b86b9bc42d0bda0f650f90983ed4d370a7fe22349d8041da00c5daf17829d9"
    )


def test_what_must_come_from_elsewhere_is_as_little_as_will_do() -> None:
    code = code_of(8)
    assert code.parity_blocks == 4
    assert code.missing([]) == code.missing([0, 5, 8, 11]) == []
    assert code.missing([11, 2, 7, 5, 0]) == [0]
    assert code.missing(range(12)) == list(range(8))


def test_a_gigabyte_has_as_few_codewords_as_the_field_allows() -> None:
    code = SlotCode(10_922, 5_461, 32, 2048)
    assert (code.codewords, sum(code.length)) == (8, 65_532)
    code = SlotCode(5_462, 2_731, 32, 2048)
    assert code.codewords == 5  # four would have eight cells too many
    assert code.shards().nbytes <= 128 << 20
