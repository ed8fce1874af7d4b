"""Where a segment stands in the slots, and what is sound."""

import hashlib
import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest
from agents.core.dataset.segments import (
    SEGMENT_BLOCKS,
    SEGMENT_BYTES,
    Digests,
    are_sound,
    pieces_of,
    segment_size,
    segments_of_file,
)

BLANK = Manifest("devnet", 1, 1, 1, 1, 1, False, (), 1)


@given(k=st.integers(1, 9), size=st.integers(1, 12 * SEGMENT_BYTES))
def test_segments_cover_every_block_of_a_file_once_and_in_order(k: int, size: int) -> None:
    manifest = replace(BLANK, data_slots=k, data_blocks=-(-size // BLOCK_BYTES // k) or 1, size=size)
    manifest = replace(manifest, data_blocks=-(-manifest.blocks // k))
    covered = [
        piece.slot * manifest.data_blocks + place
        for number in range(segments_of_file(manifest))
        for piece in pieces_of(manifest, number)
        for place in range(piece.start, piece.start + piece.count)
    ]
    assert covered == list(range(manifest.blocks))
    assert sum(segment_size(manifest, number) for number in range(segments_of_file(manifest))) == size
    assert all(piece.start + piece.count <= manifest.data_blocks for piece in pieces_of(manifest, 0))
    assert list(pieces_of(manifest, segments_of_file(manifest))) == []


@pytest.mark.parametrize("size", [SEGMENT_BYTES, 3 * BLOCK_BYTES, 3 * BLOCK_BYTES - 1, 1])
def test_a_changed_bit_a_missing_end_and_a_block_too_many_are_not_sound(size: int) -> None:
    data = os.urandom(size)
    padded = data + bytes(-size % BLOCK_BYTES)
    blocks = [padded[at : at + BLOCK_BYTES] for at in range(0, len(padded), BLOCK_BYTES)]
    digests = [hashlib.sha256(block).digest() for block in blocks]
    assert are_sound(memoryview(data), digests)
    changed = bytearray(data)
    changed[-1] ^= 1
    assert not are_sound(memoryview(changed), digests)
    assert not are_sound(memoryview(data)[: len(data) // 2], digests)
    assert not are_sound(memoryview(padded + bytes(1)), digests)
    assert len(digests) <= SEGMENT_BLOCKS


def test_digests_are_a_list_in_half_its_memory() -> None:
    plain = [os.urandom(32) for _ in range(5)]
    digests = Digests.of(plain)
    assert list(digests) == plain and digests[1:3] == plain[1:3] and digests[-1] == plain[-1] and len(digests) == 5
    with pytest.raises(IndexError):
        digests[5]
