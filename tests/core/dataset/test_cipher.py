"""Sealing and opening: every tampering is noticed."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.dataset.cipher import BLOCK_BYTES, Header, Sealed, chunks_of, cipher_for, read_header, sealed_size
from agents.core.errors import Corrupt

KEY = bytes(range(32))


def sealed(chunks: list[bytes]) -> list[bytes]:
    cipher = Sealed(KEY)
    return [cipher.seal(index, chunk, index == len(chunks) - 1) for index, chunk in enumerate(chunks)]


CHUNKS = [b"a" * 100, b"b" * 100, b"c" * 100]


def test_a_chunk_and_its_tag_fill_a_block() -> None:
    assert len(Sealed(KEY).seal(0, bytes(Sealed.chunk_bytes), False)) == BLOCK_BYTES
    assert Sealed.chunk_bytes == 65_520


def test_what_was_sealed_opens() -> None:
    blocks, cipher = sealed(CHUNKS), Sealed(KEY)
    assert [cipher.open(index, block, index == 2) for index, block in enumerate(blocks)] == CHUNKS


@pytest.mark.parametrize(
    ("index", "source", "last"),
    [(0, 1, False), (1, 0, False), (1, 1, True), (2, 2, False), (2, 1, True)],
    ids=["reordered", "repeated", "cut off behind it", "not the last", "another as the last"],
)
def test_blocks_out_of_place_do_not_open(index: int, source: int, last: bool) -> None:
    with pytest.raises(Corrupt, match="cannot be decrypted"):
        Sealed(KEY).open(index, sealed(CHUNKS)[source], last)


@settings(max_examples=40)
@given(place=st.integers(0, 115), bit=st.integers(0, 7))
def test_a_flipped_bit_does_not_open(place: int, bit: int) -> None:
    block = bytearray(sealed(CHUNKS)[0])
    block[place] ^= 1 << bit
    with pytest.raises(Corrupt):
        Sealed(KEY).open(0, bytes(block), False)


def test_another_key_does_not_open() -> None:
    with pytest.raises(Corrupt, match="capability"):
        Sealed(os.urandom(32)).open(0, sealed(CHUNKS)[0], False)


@given(st.integers(0, 2**63), st.text(max_size=60))
def test_a_header_survives(size: int, name: str) -> None:
    header = Header(size, name)
    found, length = read_header(header.to_bytes() + b"rest")
    assert found.size == size
    assert length == len(header.to_bytes())
    assert "/" not in found.name


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("é" * 200, "é" * 127),  # 254 bytes: no character is cut in two
        ("a\udcff.bin", "a?.bin"),  # a name on disk that is no UTF-8
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("\x1b[2Jname\n", "_[2Jname_"),
        ("..", "file"),
        ("", "file"),
    ],
    ids=["long", "no UTF-8", "a path", "control characters", "the folder above", "none"],
)
def test_no_name_does_harm(written: str, read: str) -> None:
    assert read_header(Header(1, written).to_bytes())[0] == Header(1, read)


@pytest.mark.parametrize("start", [b"", b"123", bytes(8) + b"\xff\xff", bytes(8) + b"\x02\x00\xff\xff"])
def test_damaged_headers_are_told(start: bytes) -> None:
    with pytest.raises(Corrupt, match="header"):
        read_header(start)


@given(st.lists(st.binary(max_size=50)), st.integers(1, 20))
def test_chunks_are_whole_but_the_last(pieces: list[bytes], size: int) -> None:
    chunks = list(chunks_of(iter(pieces), size))
    assert b"".join(chunks) == b"".join(pieces)
    assert all(len(chunk) == size for chunk in chunks[:-1])


@given(st.integers(1, 400_000), st.booleans())
def test_the_sealed_size_is_known_in_advance(plain: int, encrypted: bool) -> None:
    cipher = cipher_for(KEY if encrypted else None)
    chunks = -(-plain // cipher.chunk_bytes)
    assert sealed_size(plain, cipher) == plain + (16 * chunks if encrypted else 0)
