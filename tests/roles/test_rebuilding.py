"""Lost slots rebuilt from real peers, on disk in their place or not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from agents.core.agents.provider_duties import Rebuild
from agents.core.agents.provider_repair import Repaired
from agents.core.dataset.manifest import parse_manifest
from agents.core.errors import Corrupt, HoldfastError, ManifestInvalid, PeerError
from agents.core.market import events as e
from agents.core.market.view import MarketView
from agents.net.client import PeerClient
from agents.net.server import PeerServer
from agents.net.signing import AccountSigner
from agents.roles.fitting import Fitting
from agents.roles.hosting import Hosting
from agents.roles.rebuilding import Repairs
from agents.store.slots import SlotStore, put_all
from tests.roles.scenes import PROFILE, Scene, at, posted, scene, scene_of
from tests.store.version_1 import old_dataset

MARKET = "eip155:31337:0x0000000000000000000000000000000000000001"
FIRST, SECOND, MINE = (Account.from_key(bytes([seed]) * 32) for seed in (1, 2, 3))


async def hosted(place: Scene, index: int, account: LocalAccount, store: SlotStore, stack: AsyncExitStack) -> Scene:
    """Slot ``index`` is filled by ``account``, which serves what is in ``store``."""
    seen = [place]
    server = PeerServer(Hosting(account.address, store, lambda: seen[0].view, Fitting(PROFILE.name)), MARKET)
    port = await server.start("127.0.0.1", 0)
    stack.push_async_callback(server.stop)
    block = 100 + 2 * index
    url = f"http://127.0.0.1:{port}"
    joined = e.Registered(at=at(block), provider=account.address, id=account.address.encode()[:32], endpoint=url)
    seen[0] = place.after(joined).filled(index, account.address, block + 1)
    return seen[0]


@asynccontextmanager
async def market(
    place: Scene, folder: Path, indices: tuple[int, ...] = (0, 2)
) -> AsyncIterator[tuple[Scene, PeerClient]]:
    """A market on which the slots ``indices`` are hosted, and a client to ask with."""
    async with AsyncExitStack() as stack:
        for index, account in zip(indices, (FIRST, SECOND), strict=False):
            store = SlotStore(folder / account.address, 1 << 30)
            place.keep(store, index)
            place = await hosted(place, index, account, store, stack)
        peers = await stack.enter_async_context(PeerClient(MARKET, AccountSigner(MINE)))
        yield place, peers


async def rebuilt(place: Scene, folder: Path, store: SlotStore, indices: tuple[int, ...] = (0, 2)) -> int:
    async with market(place, folder, indices) as (seen, peers):
        repaired = await rebuild_slot(peers, store, seen.view, place.request.id)
        assert repaired.source is None and repaired.spares == ()
        return repaired.fetched


async def rebuild_slot(peers: PeerClient, store: SlotStore, view: MarketView, request: bytes) -> Repaired:
    """Slot 1, with nobody else at it."""
    repaired = await Repairs(peers, store, MINE.address, PROFILE.name).carry_out(Rebuild(request, 1), lambda: view)
    assert repaired is not None
    return repaired


def test_a_slot_is_rebuilt_in_its_place_and_takes_no_more_than_its_quota(tmp_path: Path) -> None:
    place = scene(tmp_path)
    store = SlotStore(tmp_path / "agent", place.dataset.manifest.slot_bytes)
    assert asyncio.run(rebuilt(place, tmp_path, store)) == 2 * place.dataset.manifest.data_bytes
    slot, manifest = store.slot(place.name(1)), place.dataset.manifest
    assert slot.read(0, manifest.data_blocks) == list(place.dataset.blocks(1))
    assert (slot.path / "data").stat().st_size == manifest.slot_bytes > manifest.data_bytes  # its parity is made anew
    assert slot.facts.slot_root == place.dataset.manifest.slots[1].root
    assert {path.name for path in slot.path.iterdir()} == {"manifest", "blocks", "data", "tree"}
    assert store.room == 0


def test_a_slot_of_version_1_is_served_and_repaired(tmp_path: Path) -> None:
    place = scene_of(old_dataset(tmp_path / "old"))
    store = SlotStore(tmp_path / "agent", place.dataset.manifest.slot_bytes)
    assert asyncio.run(rebuilt(place, tmp_path, store)) == 4 * 65_536
    assert store.slot(place.name(1)).read(0, 2) == list(place.dataset.blocks(1))


def test_what_an_upload_brought_before_is_not_fetched_again(tmp_path: Path) -> None:
    place = scene(tmp_path)
    store = SlotStore(tmp_path / "agent", 1 << 30)
    arriving = store.begin(place.name(1), place.dataset.manifest_bytes)
    arriving.put_blocks(place.dataset.block_list(1))
    blocks = list(place.dataset.blocks(1))
    arriving.put_block(0, blocks[0])
    assert asyncio.run(rebuilt(place, tmp_path, store)) == 2 * (len(blocks) - 1) * len(blocks[0])
    assert store.slot(place.name(1)).read(0, len(blocks)) == blocks


def test_a_rebuilding_that_fails_leaves_its_quota_to_others(tmp_path: Path) -> None:
    place = scene(tmp_path)
    store = SlotStore(tmp_path / "agent", 1 << 30)
    with pytest.raises(HoldfastError):  # one host is not enough
        asyncio.run(rebuilt(place, tmp_path, store, (0,)))
    assert (store.arriving, store.used) == ([], 0)


def test_a_rebuilding_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = scene(tmp_path)
    store = SlotStore(tmp_path / "agent", 1 << 30)

    class Silent(PeerClient):
        """Serves the documents, and keeps silent when asked for blocks."""

        async def fetch_blocks(self, *asked: object, **named: object) -> AsyncIterator[bytes]:  # type: ignore[override]
            await asyncio.Event().wait()
            yield b""

    monkeypatch.setattr("agents.roles.rebuilding.GRACE", 0.2)

    async def act() -> None:
        async with market(place, tmp_path) as (seen, _), Silent(MARKET) as peers:
            await asyncio.wait_for(rebuild_slot(peers, store, seen.view, place.request.id), 30)

    with pytest.raises(PeerError, match="Slot 1 cannot be rebuilt in time"):
        asyncio.run(act())
    assert (store.arriving, store.used) == ([], 0)


def test_blocks_that_do_not_make_the_slot_are_thrown_away(tmp_path: Path) -> None:
    honest = scene(tmp_path)
    manifest = honest.dataset.manifest
    # Its author lied about slot 1, which nobody notices while the slot is hosted.
    lying = replace(
        manifest, slots=(manifest.slots[0], replace(manifest.slots[1], blocks=bytes(32)), manifest.slots[2])
    )
    request = replace(honest.request, content=replace(honest.request.content, cid=lying.digest))
    place = replace(honest, request=request, view=posted(honest.view, request, 11))
    store = SlotStore(tmp_path / "agent", 1 << 30)

    async def act() -> None:
        seen = place
        async with AsyncExitStack() as stack:
            for index, account in ((0, FIRST), (2, SECOND)):
                other = SlotStore(tmp_path / account.address, 1 << 30)
                blocks = list(honest.dataset.blocks(index))
                put_all(other, place.name(index), lying.to_bytes(), honest.dataset.block_list(index), blocks)
                seen = await hosted(seen, index, account, other, stack)
            peers = await stack.enter_async_context(PeerClient(MARKET, AccountSigner(MINE)))
            await rebuild_slot(peers, store, seen.view, request.id)

    assert parse_manifest(lying.to_bytes()) == lying
    with pytest.raises(Corrupt, match="Slot 1 cannot be rebuilt"):
        asyncio.run(act())
    assert (store.arriving, store.used) == ([], 0)


def test_a_request_that_lies_about_its_manifest_is_not_repaired(tmp_path: Path) -> None:
    place = scene(tmp_path)
    liar = replace(place.request, content=replace(place.request.content, root=12_345))
    store = SlotStore(tmp_path / "agent", 1 << 30)
    place = replace(place, view=posted(place.view, liar, 11))

    async def act() -> None:
        async with market(place, tmp_path) as (seen, peers):
            await rebuild_slot(peers, store, seen.view, liar.id)

    with pytest.raises(ManifestInvalid, match="dataset root"):
        asyncio.run(act())
    assert store.arriving == []
