"""Ordinary IPFS clients read from a gateway: Helia over HTTP, block by block, and a CAR; both verify whatever they get."""

import asyncio
import os
from pathlib import Path
from typing import Any

from agents.core.dataset.cid import Cid
from tests.net.helia import read_by_helia, told
from tests.net.shelves import MemoryShelf, gateway


def asked_by_helia(shelf: MemoryShelf, folder: Path, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    async def story() -> list[dict[str, Any]]:
        async with gateway(shelf) as url:
            return await read_by_helia(url, folder, questions)

    return asyncio.run(story())


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
