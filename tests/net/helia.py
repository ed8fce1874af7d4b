"""Helia, IPFS in JavaScript, as a reader of gateways: over HTTP alone, from one gateway, every block verified."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

from tests.core.dataset.ipfs import run_module

SCRIPT = """
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


async def read_by_helia(url: str, folder: Path, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What Helia reads of each question's ``cid`` (``offset``, ``length``; ``how``: "car"), as `told`, or its error."""
    found: list[dict[str, Any]] = await asyncio.to_thread(run_module, SCRIPT, folder, url, json.dumps(questions))
    return found


def told(data: bytes) -> dict[str, Any]:
    """What is told of these bytes."""
    return {"size": len(data), "hash": hashlib.sha256(data).hexdigest()}
