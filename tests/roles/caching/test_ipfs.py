"""An ordinary IPFS client reads what the market stores: from a cache, which has it from hosts of slots."""

import asyncio
from pathlib import Path

from agents.net.gateway.server import Gateway
from tests.net.helia import read_by_helia, told
from tests.roles.caching.street import MIB, street


def test_helia_reads_a_stored_file_by_its_ipfs_name_also_when_a_host_is_gone(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place, place.cache() as (shelf, _):
            await place.gone(1)
            gateway = Gateway(shelf)
            url = f"http://127.0.0.1:{await gateway.start()}"
            root = str(place.manifest.ipfs)
            questions = [
                {"cid": root, "offset": MIB - 5, "length": 10},
                {"cid": root},
                {"cid": root, "how": "car"},
            ]
            try:
                found = await read_by_helia(url, tmp_path, questions)
            finally:
                await gateway.stop()
            assert found == [told(place.sealed[MIB - 5 : MIB + 5]), told(place.sealed), told(place.sealed)]
            assert shelf.figures.hot > 0

    asyncio.run(story())
