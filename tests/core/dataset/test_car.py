"""CARs against IPFS's own reader and writer."""

from pathlib import Path

from agents.core.dataset.car import header, section_bytes, section_head
from agents.core.dataset.cid import Cid, Codec, digest_of
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
BLOCKS = [(Cid(codec, digest_of(data)), data) for codec, data in zip(CODECS, DATA, strict=True)]
ROOT = BLOCKS[0][0]
WHOLE = header([ROOT]) + b"".join(section_head(cid, len(data)) + data for cid, data in BLOCKS)


def test_ipfs_reads_what_is_written_here_and_writes_the_same(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.car", tmp_path / "theirs.car"
    ours.write_bytes(WHOLE)
    told = run_module(READ_AND_WRITE, tmp_path, str(ours), str(theirs))
    assert told["roots"] == [str(ROOT)]
    assert told["blocks"] == [[str(cid), len(data)] for cid, data in BLOCKS]
    assert theirs.read_bytes() == WHOLE
    assert len(WHOLE) == len(header([ROOT])) + sum(section_bytes(len(data)) for _, data in BLOCKS)
