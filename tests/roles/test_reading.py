"""Reads of a dataset whose hosts are not all honest."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from agents.core.dataset.manifest import Manifest
from agents.core.market.types import Content
from agents.net.client import PeerClient
from agents.net.endpoint import Peer
from agents.net.errors import PeerDown
from agents.roles import reading
from agents.roles.reading import fetch_manifest, hosts_of, sources_of, stripes_of
from tests.roles.scenes import ME, OTHER, THIRD, Scene, posted, scene


class Town(PeerClient):
    """Every host of a scene serves its slots, but the ``broken``, the ``silent``, and those gone after one block."""

    def __init__(
        self, place: Scene, broken: Sequence[str] = (), silent: Sequence[str] = (), leaving: Sequence[str] = ()
    ) -> None:
        super().__init__("a market")
        self._dataset = place.dataset
        self._broken, self._silent, self._leaving = broken, silent, leaving
        self.asked: list[str] = []

    async def _meet(self, peer: Peer) -> None:
        self.asked.append(peer.address)
        if peer.address in self._broken:
            raise UnicodeError("label too long")
        if peer.address in self._silent:
            await asyncio.Event().wait()

    async def fetch_manifest(self, peer: Peer, digest: bytes) -> bytes:
        await self._meet(peer)
        return self._dataset.manifest_bytes

    async def fetch_block_list(self, peer: Peer, manifest_digest: bytes, slot_index: int, digest: bytes) -> bytes:
        await self._meet(peer)
        return self._dataset.block_list(slot_index)

    async def fetch_blocks(
        self,
        peer: Peer,
        manifest_digest: bytes,
        slot_index: int,
        digests: Sequence[bytes],
        block_bytes: int,
        start: int,
        count: int,
    ) -> AsyncIterator[bytes]:
        self.asked.append(peer.address)
        for number, block in enumerate(islice(self._dataset.blocks(slot_index, start), count)):
            if number and peer.address in self._leaving:
                raise PeerDown(peer.endpoint, "stopped in the middle")
            yield block


async def found(town: Town, place: Scene) -> tuple[Manifest, list[int]]:
    hosts = hosts_of(place.view, place.request.content.cid)
    manifest = await fetch_manifest(town, hosts, place.request.content.cid)
    return manifest, [source.slot_index for source in await sources_of(town, hosts, manifest)]


async def read(town: Town, place: Scene) -> list[dict[int, bytes]]:
    hosts = hosts_of(place.view, place.request.content.cid)
    manifest = place.dataset.manifest
    return [dict(stripe) async for stripe in stripes_of(await sources_of(town, hosts, manifest), manifest)]


def whole(place: Scene) -> list[dict[int, bytes]]:
    pairs = zip(place.dataset.blocks(0), place.dataset.blocks(1), strict=True)
    return [{0: first, 1: second} for first, second in pairs]


def also_posted(place: Scene, content: Content, slot_size: int, who: str) -> Scene:
    """``place`` as it is when a request of ``content`` was posted, and its first slots filled by ``who``, before it."""
    early = replace(
        place.request, nonce=bytes([7]) * 32, content=content, ask=replace(place.request.ask, slot_size=slot_size)
    )
    view = replace(place.view, requests={})
    ahead = replace(place, request=early, view=posted(view, early, 11)).filled(0, who, 12).filled(1, who, 14)
    return replace(place, view=posted(ahead.view, place.request, 16))


def test_a_host_that_nothing_was_foreseen_for_is_passed_over(tmp_path: Path) -> None:
    place = scene(tmp_path).filled(0, ME, 20).filled(1, OTHER, 22)
    manifest, indices = asyncio.run(found(Town(place, broken=[ME]), place))
    assert manifest == place.dataset.manifest
    assert indices == [1]


@pytest.mark.parametrize("lie", ["root", "slot size"])
def test_a_request_that_names_the_file_but_cannot_be_of_it_hides_no_host(tmp_path: Path, lie: str) -> None:
    place = scene(tmp_path)
    content, size = place.request.content, place.request.ask.slot_size
    forged = also_posted(
        place, replace(content, root=12_345) if lie == "root" else content, 1 if lie == "slot size" else size, THIRD
    ).filled(0, ME, 20).filled(1, OTHER, 22)  # fmt: skip
    town = Town(forged)
    assert asyncio.run(read(town, forged)) == whole(forged)
    assert set(town.asked) == {ME, OTHER}


def test_a_file_stored_twice_is_read_on_from_its_other_hosts(tmp_path: Path) -> None:
    place = scene(tmp_path)
    twice = also_posted(place, place.request.content, place.request.ask.slot_size, THIRD).filled(0, ME, 20)
    twice = twice.filled(1, OTHER, 22)
    town = Town(twice, leaving=[THIRD])
    assert asyncio.run(read(town, twice)) == whole(twice)
    assert set(town.asked) == {ME, OTHER, THIRD}


def test_silent_hosts_do_not_hold_up_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "STAGGER", 0.05)
    place = scene(tmp_path)
    twice = also_posted(place, place.request.content, place.request.ask.slot_size, THIRD).filled(0, ME, 20)
    twice = twice.filled(1, OTHER, 22)
    manifest, indices = asyncio.run(asyncio.wait_for(found(Town(twice, silent=[THIRD]), twice), 60))
    assert manifest == place.dataset.manifest
    assert indices == [0, 1]
