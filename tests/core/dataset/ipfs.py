"""IPFS's own JavaScript as an oracle: scripts run by node beside the packages of package.json."""

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]

IMPORT = """
import { createHash } from 'node:crypto'
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'

const blocks = {}
let bytes = 0
const store = { async put (cid, data) {
  blocks[cid.toString()] = data.length > 65536 || cid.code === 0x55 ? '' : Buffer.from(data).toString('hex')
  return cid
} }
async function * pieces (leaves, tail) {
  for (let leaf = 0; leaf < leaves; leaf++) {
    const data = Buffer.alloc(65536)
    data.writeUInt32LE(leaf)
    yield data
  }
  if (tail > 0) yield Buffer.alloc(tail, 7)
}
const told = []
for (const size of JSON.parse(process.argv[2])) {
  for (const cid of Object.keys(blocks)) delete blocks[cid]
  let last
  for await (const entry of importer([{ content: pieces(Math.floor(size / 65536), size % 65536) }], store, {
    cidVersion: 1, rawLeaves: true, chunker: fixedSize({ chunkSize: 65536 }), layout: balanced({ maxChildrenPerNode: 174 })
  })) last = entry
  told.push({ size, root: last.cid.toString(), blocks: Object.fromEntries(Object.entries(blocks).filter(([, data]) => data)) })
}
console.log(JSON.stringify(told))
"""


def run_module(script: str, folder: Path, *arguments: str, timeout: float = 60) -> Any:
    """What an ES module prints, as JSON. It runs from the repository, where its packages are."""
    place = folder / "script.mjs"
    place.write_text(script)
    (folder / "node_modules").unlink(missing_ok=True)
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    ended = subprocess.run(["node", str(place), *arguments], capture_output=True, text=True, timeout=timeout)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
