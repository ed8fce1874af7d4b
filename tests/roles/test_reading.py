"""Reads of a dataset whose hosts are not all honest."""

import asyncio
from pathlib import Path

from agents.core.dataset.manifest import Manifest
from agents.net.client import PeerClient
from agents.net.endpoint import Peer
from agents.roles.reading import fetch_manifest, hosts_of, sources_of
from tests.roles.scenes import ME, OTHER, Scene, scene


class Town(PeerClient):
    """Every host of a scene but the ``broken`` serves its slots; with those, something unforeseen goes wrong."""

    def __init__(self, place: Scene, broken: tuple[str, ...] = ()) -> None:
        super().__init__("a market")
        self._dataset = place.dataset
        self._broken = broken

    def _meet(self, peer: Peer) -> None:
        if peer.address in self._broken:
            raise UnicodeError("label too long")

    async def fetch_manifest(self, peer: Peer, digest: bytes) -> bytes:
        self._meet(peer)
        return self._dataset.manifest_bytes

    async def fetch_block_list(self, peer: Peer, manifest_digest: bytes, slot_index: int, digest: bytes) -> bytes:
        self._meet(peer)
        return self._dataset.block_list(slot_index)


async def found(town: Town, place: Scene) -> tuple[Manifest, list[int]]:
    hosts = hosts_of(place.view, place.request.content.cid)
    manifest = await fetch_manifest(town, hosts, place.request.content.cid)
    return manifest, [source.slot_index for source in await sources_of(town, hosts, manifest)]


def test_a_host_that_nothing_was_foreseen_for_is_passed_over(tmp_path: Path) -> None:
    place = scene(tmp_path).filled(0, ME, 20).filled(1, OTHER, 22)
    manifest, indices = asyncio.run(found(Town(place, broken=(ME,)), place))
    assert manifest == place.dataset.manifest
    assert indices == [1]
