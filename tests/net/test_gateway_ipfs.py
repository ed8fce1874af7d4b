"""Ordinary IPFS clients read from a gateway: Helia over HTTP, block by block, and a CAR; both verify whatever they get."""

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from agents.core.dataset.cid import Cid
from tests.core.dataset.ipfs import run_module
from tests.net.shelves import MemoryShelf, gateway

HELIA = """
import { createHash } from 'node:crypto'
import { trustlessGateway } from '@helia/block-brokers'
import { createHeliaHTTP } from '@helia/http'
import { httpGatewayRouting } from '@helia/routers'
import { unixfs } from '@helia/unixfs'
import { CarBlockIterator } from '@ipld/car'
import { MemoryBlockstore } from 'blockstore-core'
import { exporter } from 'ipfs-unixfs-exporter'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'

Promise.withResolvers ??= function () { // which Node 20 has not, and Helia uses
  const found = {}
  found.promise = new this((resolve, reject) => Object.assign(found, { resolve, reject }))
  return found
}
const [gateway, questions] = process.argv.slice(2)
const helia = await createHeliaHTTP({
  blockBrokers: [trustlessGateway({ allowInsecure: true, allowLocal: true })],
  routers: [httpGatewayRouting({ gateways: [gateway] })]
})

async function read (pieces) {
  const hash = createHash('sha256')
  let size = 0
  for await (const piece of pieces) { hash.update(piece); size += piece.length }
  return { size, hash: hash.digest('hex') }
}

async function byCar (cid) {
  const response = await fetch(`${gateway}/ipfs/${cid}`, { headers: { accept: 'application/vnd.ipld.car' } })
  const store = new MemoryBlockstore()
  for await (const { cid, bytes } of await CarBlockIterator.fromIterable(response.body)) {
    const digest = await sha256.digest(bytes)
    if (Buffer.compare(digest.digest, cid.multihash.digest) !== 0) throw new Error('hash mismatch')
    await store.put(cid, bytes)
  }
  return await read((await exporter(cid, store)).content())
}

const told = []
for (const { cid, how, offset, length } of JSON.parse(questions)) {
  const parsed = CID.parse(cid)
  try {
    told.push(how === 'car' ? await byCar(parsed) : await read(unixfs(helia).cat(parsed, {
      offset, length, signal: AbortSignal.timeout(10000)
    })))
  } catch (error) { told.push({ error: `${error.message} ${(error.errors ?? []).map(String).join(' ')}` }) }
}
console.log(JSON.stringify(told))
process.exit(0)
"""


def asked_by_helia(shelf: MemoryShelf, folder: Path, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    async def story() -> list[dict[str, Any]]:
        async with gateway(shelf) as url:
            found: list[dict[str, Any]] = await asyncio.to_thread(run_module, HELIA, folder, url, json.dumps(questions))
            return found

    return asyncio.run(story())


def told(data: bytes) -> dict[str, Any]:
    return {"size": len(data), "hash": hashlib.sha256(data).hexdigest()}


def test_ipfs_clients_read_public_files_and_verify_every_block(tmp_path: Path) -> None:
    shelf = MemoryShelf()
    large, small = os.urandom(175 * 65_536 + 5), os.urandom(1000)
    root = str(shelf.store(tmp_path, "large.bin", large).ipfs)
    leaf = str(shelf.store(tmp_path, "small.bin", small).ipfs)
    questions = [
        {"cid": root},
        {"cid": root, "offset": 174 * 65_536 - 3, "length": 70_000},
        {"cid": leaf},
        {"cid": root, "how": "car"},
        {"cid": leaf, "how": "car"},
    ]
    assert asked_by_helia(shelf, tmp_path, questions) == [
        told(large), told(large[174 * 65_536 - 3 :][:70_000]), told(small), told(large), told(small)
    ]  # fmt: skip


def test_an_ipfs_client_refuses_what_a_lying_gateway_sends(tmp_path: Path) -> None:
    shelf = MemoryShelf()
    manifest = shelf.store(tmp_path, "file.bin", os.urandom(3 * 65_536))
    assert manifest.ipfs is not None
    lie = Cid("raw", shelf.trees[manifest.digest].leaves[1])
    shelf.blocks[lie] = bytes(65_536)
    digest = manifest.digest
    shelf.files[digest] = shelf.files[digest][:65_536] + bytes(65_536) + shelf.files[digest][2 * 65_536 :]
    by_block, by_car = asked_by_helia(
        shelf, tmp_path, [{"cid": str(manifest.ipfs)}, {"cid": str(manifest.ipfs), "how": "car"}]
    )
    assert f"Unable to fetch raw block for CID {lie} from any gateway" in by_block["error"]
    assert "hash mismatch" in by_car["error"]
