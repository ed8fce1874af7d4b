"""What a provider takes from clients and shows its peers."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agents.core.errors import ManifestInvalid, StorageTrouble
from agents.core.market import events as e
from agents.net.host import Denied, Later
from agents.roles.fitting import Fitting
from agents.roles.hosting import Hosting, PlanCache
from agents.store.slots import SlotStore
from tests.roles.scenes import CLIENT, ME, OTHER, PROFILE, THIRD, Scene, at, posted, scene


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


def lost_by(place: Scene, who: str, index: int = 0) -> Scene:
    """Slot ``index`` was hosted by ``who`` and is lost, its repair open."""
    id = place.request.id
    return place.filled(index, who, 50).after(
        e.RequestStarted(at=at(60), request_id=id),
        e.SlotLost(at=at(90), request_id=id, slot_index=index, host=who, paid=0, slashed=1),
        e.RepairOpened(at=at(90, 1), request_id=id),
    )


def test_what_is_hosted_is_for_everybody_and_a_spare_for_those_who_may_host_it(tmp_path: Path) -> None:
    place = scene(tmp_path)
    store = SlotStore(tmp_path / "agent", 1 << 30)
    cid = place.request.content.cid

    def admits(seen: Scene, signer: str | None, index: int | None = 0) -> bool:
        try:
            asyncio.run(hosting_of(seen, store).admit_read(signer, cid, index))
        except Denied:
            return False
        return True

    lost, stranger = lost_by(place, THIRD), "0x" + "f" * 40
    everybody = (None, stranger, OTHER, THIRD)
    assert all(admits(lost, signer) for signer in everybody)  # there is nothing to be read
    place.keep(store, 0)
    assert [admits(lost, signer) for signer in everybody] == [False, False, True, False]
    assert admits(lost, None, None)
    # Somebody else has come to host it; or this provider has.
    elsewhere, here = lost.reserved(0, OTHER, 100), lost.reserved(0, ME, 100)
    assert [admits(elsewhere, signer) for signer in everybody] == [False, False, True, False]
    done = elsewhere.after(
        e.SlotFilled(at=at(101), request_id=place.request.id, slot_index=0, host=OTHER, bounty=0, to_client=0)
    )
    assert not any(admits(done, signer) for signer in (None, stranger, THIRD))
    assert all(admits(here, signer) for signer in everybody)


def test_what_is_being_rebuilt_is_said_to_come(tmp_path: Path) -> None:
    place = scene(tmp_path)
    store = SlotStore(tmp_path / "agent", 1 << 30)
    cid, lost = place.request.content.cid, lost_by(place, THIRD)
    store.begin(place.name(0), place.dataset.manifest_bytes)
    for ask in ("block_list", "slot_plan"):
        with pytest.raises(Later):
            asyncio.run(getattr(hosting_of(lost, store), ask)(cid, 0))
        assert asyncio.run(getattr(hosting_of(place, store), ask)(cid, 0)) is None  # an upload is no offer
    with pytest.raises(Denied):
        asyncio.run(hosting_of(lost, store).admit_read(None, cid, 0))
    place.keep(store, 0)
    assert asyncio.run(hosting_of(lost, store).block_list(cid, 0)) == place.dataset.block_list(0)


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
