"""CARs against IPFS's own reader and writer, in pieces of any size, and hostile ones."""

from pathlib import Path

import dag_cbor
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.dataset.car import Block, CarReader, header, section_bytes, section_head
from agents.core.dataset.cid import Cid, Codec, digest_of
from agents.core.errors import BadData, Corrupt, Malformed
from tests.core.dataset.ipfs import run_module

READ_AND_WRITE = """
import { readFileSync, writeFileSync, createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CarReader, CarWriter } from '@ipld/car'

const [from, to] = process.argv.slice(2)
const reader = await CarReader.fromBytes(readFileSync(from))
const roots = await reader.getRoots()
const { writer, out } = CarWriter.create(roots)
const written = pipeline(Readable.from(out), createWriteStream(to))
const blocks = []
for await (const { cid, bytes } of reader.blocks()) {
  blocks.push([cid.toString(), bytes.length])
  await writer.put({ cid, bytes })
}
await writer.close()
await written
console.log(JSON.stringify({ roots: roots.map(String), blocks }))
"""
CODECS: list[Codec] = ["dag-cbor", "raw", "dag-pb", "raw"]
DATA = [b"\xa0", bytes(65_536), b"", b"last" * 100]
BLOCKS = [Block(Cid(codec, digest_of(data)), data) for codec, data in zip(CODECS, DATA, strict=True)]


def car(roots: list[Cid], blocks: list[Block]) -> bytes:
    return header(roots) + b"".join(section_head(block.cid, len(block.data)) + block.data for block in blocks)


WHOLE = car([BLOCKS[0].cid], BLOCKS)


def read(data: bytes, step: int = 1 << 20) -> CarReader:
    reader = CarReader()
    for start in range(0, len(data), step):
        list(reader.feed(data[start : start + step]))
    reader.end()
    return reader


def test_ipfs_reads_what_is_written_here_and_writes_the_same(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.car", tmp_path / "theirs.car"
    ours.write_bytes(WHOLE)
    told = run_module(READ_AND_WRITE, tmp_path, str(ours), str(theirs))
    assert told["roots"] == [str(BLOCKS[0].cid)]
    assert told["blocks"] == [[str(block.cid), len(block.data)] for block in BLOCKS]
    assert theirs.read_bytes() == WHOLE
    assert len(WHOLE) == len(header([BLOCKS[0].cid])) + sum(section_bytes(len(block.data)) for block in BLOCKS)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, len(WHOLE)), max_size=12).map(sorted))
def test_pieces_may_be_cut_anywhere(cuts: list[int]) -> None:
    reader, found = CarReader(), []
    for start, stop in zip([0, *cuts], [*cuts, len(WHOLE)], strict=True):
        found += reader.feed(WHOLE[start:stop])
    reader.end()
    assert (reader.roots, found) == ((BLOCKS[0].cid,), BLOCKS)


def with_header(fields: object) -> bytes:
    body = bytes(dag_cbor.encode(fields))  # type: ignore[arg-type]
    return bytes([len(body)]) + body


HEAD = header([])
ROOT = BLOCKS[0].cid.to_bytes()
ATTACKS = {
    "nothing": (b"", "ends in the middle"),
    "cut in a block": (WHOLE[:-1], "ends in the middle"),
    "cut in a length": (HEAD + b"\x80", "ends in the middle"),
    "an endless header": (b"\xff\xff\x03", "header has 65535 bytes"),
    "an empty header": (b"\0", "header has 0 bytes"),
    "no cbor": (b"\x02\xff\xff", "not dag-cbor"),
    "version 2": (with_header({"roots": [], "version": 2}), "version 1"),
    "a root that is a number": (with_header({"roots": [7], "version": 1}), "root"),
    "a root that is a huge number": (with_header({"roots": [1 << 40], "version": 1}), "root"),
    "no roots": (with_header({"version": 1}), "version 1"),
    "a long length": (HEAD + b"\x80\x80\x80\x80\x01", "too long"),
    "a length of ten bytes": (HEAD + b"\xff" * 9 + b"\x01", "too long"),
    "a length in no shortest form": (HEAD + b"\xa4\x00", "shortest"),
    "no room for a CID": (HEAD + b"\x05abcde", "5 bytes"),
    "a section of nothing": (HEAD + b"\0", "0 bytes"),
    "another hash": (HEAD + b"\x24\x01\x55\x1b\x20" + bytes(32), "no CID of a block"),
    "a block above its limit": (HEAD + section_head(BLOCKS[1].cid, (2 << 20) + 1), "raw block in it has 2097153 bytes"),
}


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_a_hostile_car_is_refused(name: str, step: int) -> None:
    data, why = ATTACKS[name]
    with pytest.raises(Malformed, match=why):
        read(data, step if len(data) < 1000 else 1 << 16)


def test_no_block_is_handed_on_that_is_not_what_its_cid_says() -> None:
    lie = section_head(BLOCKS[3].cid, 4) + b"lies"
    reader = CarReader()
    blocks = reader.feed(car([], BLOCKS[:1]) + lie)
    assert next(blocks) == BLOCKS[0]
    with pytest.raises(Corrupt, match="do not match"):
        next(blocks)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300), start=st.sampled_from([b"", HEAD, WHOLE[:200]]))
def test_whatever_comes_it_is_read_or_refused(data: bytes, start: bytes) -> None:
    try:
        read(start + data)
    except BadData:
        return
    assert start
