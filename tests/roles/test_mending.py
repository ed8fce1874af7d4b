"""A host whose disk loses a part of a slot: mended before it is proven, from its own disk or with the help of others."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.core.errors import Corrupt, HoldfastError
from agents.core.market import events as e
from agents.core.proofs.proof import Groth16Proof
from agents.roles.fitting import Fitting
from agents.roles.hosting import Hosting
from agents.roles.lapses import FIRST_REST
from agents.roles.mending import Mending
from agents.store.mending import told_health
from agents.store.slots import SlotStore
from tests.examples import GOOD_PROOF
from tests.roles.scenes import ME, PROFILE, START, Scene, at, scene, scene_of
from tests.roles.test_provider import provider_of, settle_down
from tests.roles.test_rebuilding import MINE, market
from tests.store.test_mending import damage, files
from tests.store.version_1 import old_dataset


def kept(folder: Path, place: Scene, index: int) -> tuple[SlotStore, dict[str, bytes]]:
    store = SlotStore(folder / "agent", 1 << 30)
    place.keep(store, index)
    return store, files(store.slot(place.name(index)))


def test_what_the_disk_lost_beyond_its_parity_comes_from_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = scene(tmp_path, size=700_000)  # six blocks a slot, and three of parity
    store, whole = kept(tmp_path, place, 1)
    slot = store.slot(place.name(1))
    lost = (0, 2, 3, 5, 8)
    damage(slot, *lost)
    looked, read = Counter[int](), os.pread

    def pread(handle: int, count: int, offset: int) -> bytes:
        looked[offset // 65_536] += 1
        return read(handle, count, offset)

    monkeypatch.setattr(os, "pread", pread)

    async def act() -> None:
        async with market(place, tmp_path) as (seen, peers):
            found = await Mending(peers, store, MINE.address).mend(place.name(1), seen.view, START)
            assert (found.damaged, found.mended, found.sound) == (5, 5, True)

    asyncio.run(act())
    assert "2 blocks of it came from other hosts" in caplog.text
    assert [looked[block] for block in range(9) if block not in lost] == [1] * 4
    assert files(slot) == whole


def test_a_slot_of_version_1_has_all_it_lost_from_others(tmp_path: Path) -> None:
    place = scene_of(old_dataset(tmp_path / "old"))
    store, whole = kept(tmp_path, place, 1)
    damage(store.slot(place.name(1)), 0, 1)

    async def act() -> None:
        async with market(place, tmp_path) as (seen, peers):
            assert (await Mending(peers, store, MINE.address).mend(place.name(1), seen.view, START)).sound

    asyncio.run(act())
    assert files(store.slot(place.name(1))) == whole


def test_what_cannot_be_mended_is_told_and_tried_again_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = scene(tmp_path, size=700_000)
    store, _ = kept(tmp_path, place, 1)
    name = place.name(1)
    slot = store.slot(name)
    damage(slot, 0, 2, 3, 5)

    async def act() -> None:
        async with market(place, tmp_path, (0,)) as (seen, peers):  # one host is not enough
            mending = Mending(peers, store, MINE.address)
            with pytest.raises(HoldfastError):
                await mending.mend(name, seen.view, START)
            assert f"slot {name} cannot be mended and will be lost" in caplog.text
            health = told_health(slot.path)
            assert health is not None and (health.left, health.needed) == (4, 1)
            with pytest.raises(Corrupt, match="tried again later"):
                await mending.mend(name, seen.view, START + FIRST_REST - 1)
            assert mending.due(1.0, time.time() + 9, START) is None
            assert mending.due(1.0, time.time() + 9, START + FIRST_REST) == name
        async with market(place, tmp_path / "later") as (seen, peers):
            mending._peers = peers
            assert (await mending.mend(name, seen.view, START + FIRST_REST)).sound

    (tmp_path / "later").mkdir()
    asyncio.run(act())


def hosted(folder: Path) -> tuple[Scene, SlotStore, dict[str, bytes]]:
    """Slot 0 is hosted here, its request started."""
    place = scene(folder, size=700_000).filled(0, ME, 50)
    store, whole = kept(folder, place, 0)
    return place.after(e.RequestStarted(at=at(60), request_id=place.request.id)), store, whole


async def until(done: Callable[[], bool]) -> None:
    for _ in range(1_500):
        if done():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came")


class Opening:
    """Proofs for show, of a cell that is really opened."""

    pace = 1.0

    def __init__(self, cell: int) -> None:
        self._cell = cell

    async def prove_slot(self, slot: Any, deadline: float, challenge: Callable[[], Awaitable[bytes]]) -> Groth16Proof:
        await challenge()
        await asyncio.to_thread(slot.opening, self._cell)
        return GOOD_PROOF


@pytest.mark.parametrize("lost", [(4, 6, 7), (0, 1, 4, 8)])
def test_a_damaged_slot_is_mended_before_its_proof_if_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, lost: tuple[int, ...]
) -> None:
    place, store, whole = hosted(tmp_path)
    slot, block = store.slot(place.name(0)), 65

    async def head(*_: object) -> Any:
        return block

    async def header(rpc: object, number: int) -> Any:
        return SimpleNamespace(number=number, hash=bytes(32))

    monkeypatch.setattr("agents.roles.provider.header_of", header)

    async def act() -> None:
        provider, lane = provider_of(store)
        provider._actor.rpc = SimpleNamespace(block_number=head)  # type: ignore[assignment]
        provider._proving = Opening(4 * PROFILE.cells_per_block + 3)  # type: ignore[assignment]
        lane.mined.set()
        damage(slot, *lost)
        await provider.step(place.view, block, START + block)
        if len(lost) == 3:
            await until(lambda: any(sent.startswith("submitProof") for sent in lane.sent))
            assert "is mended before it is proven: Block 4 " in caplog.text
            assert files(slot) == whole
        else:
            await until(lambda: "cannot be mended and will be lost" in caplog.text)
            assert lane.sent == []
        await provider.close()

    asyncio.run(act())


def test_slots_are_looked_at_in_turn_unasked(tmp_path: Path) -> None:
    place, store, whole = hosted(tmp_path)
    slot, block = store.slot(place.name(0)), 59  # the end of a period: nothing to prove
    damage(slot, 2, 8)

    async def act() -> None:
        provider, _ = provider_of(store)
        await provider.step(place.view, block, START + block)
        await settle_down()
        assert told_health(slot.path) is None  # it was checked when it came
        long_ago = time.time() - 8 * 86_400
        os.utime(slot.path / "tree", (long_ago, long_ago))
        await provider.step(place.view, block, START + block)
        await until(lambda: told_health(slot.path) is not None)
        assert files(slot) == whole
        await provider.close()

    asyncio.run(act())


@pytest.mark.parametrize("loss", ["changed", "cut"])
def test_what_a_reader_finds_damaged_is_mended_next(tmp_path: Path, loss: str) -> None:
    place, store, whole = hosted(tmp_path)
    name, block = place.name(0), 59
    slot, hosting = store.slot(name), Hosting(ME, store, lambda: place.view, Fitting(PROFILE.name))

    async def act() -> None:
        provider, _ = provider_of(store, scrub_every=0)
        if loss == "changed":
            damage(slot, 2)
            await hosting.found_damaged(name.manifest, 0)  # by the server, which compares each block with its digest
        else:
            os.truncate(slot.path / "data", 7 * 65_536)
            with pytest.raises(Corrupt, match="cut short"):
                await hosting.read_blocks(name.manifest, 0, 6, 2)
        await provider.step(place.view, block, START + block)
        await until(lambda: told_health(slot.path) is not None)
        assert files(slot) == whole
        assert provider._mending.due(0, time.time(), START) is None
        await provider.close()

    asyncio.run(act())
