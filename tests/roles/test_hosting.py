"""What a provider takes from clients and shows its peers."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agents.core.errors import ManifestInvalid, StorageTrouble
from agents.roles.fitting import Fitting
from agents.roles.hosting import Hosting, PlanCache
from agents.store.slots import SlotStore
from tests.roles.scenes import CLIENT, ME, PROFILE, Scene, posted, scene


def hosting_of(place: Scene, store: SlotStore, fitting: Fitting | None = None) -> Hosting:
    return Hosting(ME, store, lambda: place.view, fitting or Fitting(PROFILE.name))


@pytest.mark.parametrize("lie", [{"root": 12_345}, {"slot_size": 65_536}])
def test_a_manifest_that_is_not_the_requests_is_refused_before_anything_is_kept(
    tmp_path: Path, lie: dict[str, int]
) -> None:
    place = scene(tmp_path, **lie).reserved(0, ME, 20)
    store = SlotStore(tmp_path / "agent", 1 << 30)
    id, manifest, fitting = place.request.id, place.dataset.manifest_bytes, Fitting(PROFILE.name)
    with pytest.raises(ManifestInvalid):
        asyncio.run(hosting_of(place, store, fitting).put_manifest(id, 0, b"not the one the request names"))
    assert fitting.refused == frozenset()
    with pytest.raises(ManifestInvalid, match="not what the request pays for"):
        asyncio.run(hosting_of(place, store, fitting).put_manifest(id, 0, manifest))
    assert fitting.refused == {id}  # nor is it reserved again
    assert store.arriving == []
    assert store.used == 0


def test_a_second_request_that_lies_about_a_manifest_held_is_not_served_by_the_first(tmp_path: Path) -> None:
    place = scene(tmp_path)
    store = SlotStore(tmp_path / "agent", 1 << 30)
    place.keep(store, 0)
    liar = replace(place.request, content=replace(place.request.content, root=12_345))
    place = replace(place, view=posted(place.view, liar, 11))
    honest, lying = place.reserved(0, ME, 20), replace(place, request=liar).reserved(0, ME, 20)
    asyncio.run(hosting_of(honest, store).admit_upload(CLIENT, place.request.id, 0))
    with pytest.raises(ManifestInvalid, match="dataset root"):
        asyncio.run(hosting_of(lying, store).admit_upload(CLIENT, liar.id, 0))


def test_plans_are_read_once_while_they_are_read_often(tmp_path: Path) -> None:
    place = scene(tmp_path)
    store = SlotStore(tmp_path / "agent", 1 << 30)
    for index in range(3):
        place.keep(store, index)
    blocks = place.dataset.manifest.blocks_per_slot
    folders = [store.slot(place.name(index)) for index in range(3)]

    async def act() -> None:
        plans = PlanCache(limit=2 * blocks)
        first, same = await asyncio.gather(*(plans.get(store.slot(place.name(0))) for _ in range(2)))
        assert first.digests == same.digests == place.dataset.digests(0)
        kept = await plans.get(folders[0])
        await plans.get(folders[1])
        (folders[0].path / "blocks").unlink()
        (folders[1].path / "blocks").unlink()
        assert await plans.get(store.slot(place.name(0))) is kept
        await plans.get(folders[2])  # the one read longest ago makes room
        assert await plans.get(store.slot(place.name(0))) is kept
        with pytest.raises(StorageTrouble):
            await plans.get(store.slot(place.name(1)))
        # One that is larger than the limit is served all the same.
        assert await PlanCache(limit=1).get(store.slot(place.name(2)))

    asyncio.run(act())
