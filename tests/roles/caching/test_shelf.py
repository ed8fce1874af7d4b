"""A cache over real hosts: cold and hot reads, restarts, hosts that go, lie or keep silent, a disk that fails."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Hashable
from dataclasses import replace
from pathlib import Path

import pytest

from agents.core.admission.policy import Decision, Everything, Found, Static
from agents.core.dataset.cid import Cid, digest_of
from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.errors import ManifestInvalid, NotFound
from agents.core.market.view import MarketView
from agents.net.errors import PeerSlow
from agents.net.shelf import Gone
from agents.roles.caching import shelf as shelf_module
from agents.roles.caching.shelf import CachingShelf
from agents.store.cache.disk import DiskCache, Name
from agents.store.folders import SlotName
from tests.roles.caching.street import MIB, Street, street
from tests.store.test_survival import small_disk

ROOT = Path(__file__).parents[3]


def kept(disk: DiskCache) -> list[Name]:
    """The segments on disk."""
    return [name for name in disk.names if name.part.isdecimal()]


async def whole(shelf: CachingShelf, place: Street) -> bytes:
    """The sealed file, segment by segment."""
    count = -(-len(place.sealed) // MIB)
    return b"".join([bytes(await shelf.segment(place.manifest.digest, number)) for number in range(count)])


def test_a_cold_read_fetches_each_block_once_a_hot_one_none(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place, place.cache() as (shelf, _):
            assert await whole(shelf, place) == place.sealed
            assert place.blocks_read == place.manifest.blocks
            assert await whole(shelf, place) == place.sealed
            assert place.blocks_read == place.manifest.blocks
            assert (shelf.figures.origin, shelf.figures.hot) == (6, 6)
            with pytest.raises(NotFound, match="no segment 6"):
                await shelf.segment(place.manifest.digest, 6)

    asyncio.run(story())


def test_ten_readers_of_the_same_wait_for_one_fetch(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place, place.cache() as (shelf, _):
            found = await asyncio.gather(*(shelf.segment(place.manifest.digest, 1) for _ in range(10)))
            assert {bytes(data) for data in found} == {place.segment(1)}
            assert place.blocks_read == 16
            assert len({data.obj for data in found}) == 1, "the bytes are shared, not copied"

    asyncio.run(story())


def test_a_reader_that_gives_up_takes_the_fetch_from_nobody_else(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place, place.cache() as (shelf, _):
            leaving, staying = (asyncio.create_task(shelf.segment(place.manifest.digest, 0)) for _ in range(2))
            await asyncio.sleep(0)
            leaving.cancel()
            assert bytes(await staying) == place.segment(0)
            assert place.blocks_read == 16

    asyncio.run(story())


def test_what_is_requested_again_survives_a_restart_and_what_was_read_once_is_kept_off_the_disk(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place:
            async with place.cache() as (shelf, disk):
                await whole(shelf, place)
                await shelf.segment(place.manifest.digest, 3)
            assert kept(disk) == [Name(place.manifest.digest, "3")]
            before = place.blocks_read
            async with place.cache() as (shelf, disk):
                assert bytes(await shelf.segment(place.manifest.digest, 3)) == place.segment(3)
                assert place.blocks_read == before and shelf.figures.disk == 1
                assert list(shelf.held()) == [(place.manifest.digest, 3)] * 2

    asyncio.run(story())


@pytest.mark.parametrize("fault", ["gone", "silent", "lies"])
def test_a_host_that_fails_is_coded_around(tmp_path: Path, fault: str) -> None:
    async def story() -> None:
        async with street(tmp_path) as place, place.cache(patience=0.3) as (shelf, _):
            await shelf.tree(place.manifest.digest)
            if fault == "gone":
                await place.gone(0)
            elif fault == "silent":
                place.hosts[0].silent = place.manifest.digest
            else:
                place.hosts[0].lies = True
            assert await asyncio.wait_for(whole(shelf, place), 20) == place.sealed

    asyncio.run(story())


def test_a_file_whose_hosts_are_silent_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FETCH_SECONDS": 2.0, "FETCHES": 4, "SHARE": 3}.items():
        monkeypatch.setattr(shelf_module, name, value)

    async def story() -> None:
        async with street(tmp_path) as place, place.cache(patience=30) as (shelf, _):
            other = replace(place.manifest, name="other.bin")
            place.claim(other)
            for manifest in (place.manifest, other):
                await shelf.tree(manifest.digest)
            for host in place.hosts:
                host.silent = place.manifest.digest
            stuck = [asyncio.create_task(shelf.segment(place.manifest.digest, number)) for number in range(6)]
            await asyncio.sleep(0.1)
            assert bytes(await asyncio.wait_for(shelf.segment(other.digest, 0), 1.5)) == place.segment(0)
            assert all(isinstance(end, PeerSlow) for end in await asyncio.gather(*stuck, return_exceptions=True))

    asyncio.run(story())


def test_a_slot_of_which_nobody_has_the_block_list_is_read_all_the_same(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place, place.cache() as (shelf, disk):
            await place.gone(1)
            assert await asyncio.wait_for(whole(shelf, place), 20) == place.sealed
            assert disk.used <= disk.budget

    asyncio.run(story())


def test_with_fewer_than_k_hosts_a_read_fails_and_says_why(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place, place.cache() as (shelf, _):
            await place.gone(0)
            await place.gone(1)
            with pytest.raises(NotFound):
                await asyncio.wait_for(shelf.segment(place.manifest.digest, 0), 20)

    asyncio.run(story())


def test_what_nobody_hosts_any_more_is_gone_but_for_what_is_here(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place, place.cache() as (shelf, _):
            await shelf.segment(place.manifest.digest, 0)
            await shelf.tree(place.manifest.digest)
            place.view = MarketView(place.view.config, place.view.stake)
            assert bytes(await shelf.segment(place.manifest.digest, 0)) == place.segment(0)
            with pytest.raises(Gone):
                await shelf.segment(place.manifest.digest, 1)

    asyncio.run(story())


def test_a_damaged_disk_is_noticed_and_what_it_had_is_fetched_anew(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place:
            async with place.cache() as (shelf, _):
                await whole(shelf, place)
                await whole(shelf, place)
            before = place.blocks_read
            damaged = next((tmp_path / "cache").glob("*.2.*"))
            data = bytearray(damaged.read_bytes())
            data[500_000] ^= 1
            damaged.write_bytes(data)
            async with place.cache() as (shelf, disk):
                assert await whole(shelf, place) == place.sealed
                assert disk.damaged == 1 and place.blocks_read == before + 16
                assert await whole(shelf, place) == place.sealed
            assert (tmp_path / "cache" / damaged.name).read_bytes() == place.segment(2), "it is whole again"

    asyncio.run(story())


def read_on_a_full_disk(folder: Path) -> None:
    """The disk has room for one segment and a half: the others are read all the same, and with room again they are kept."""

    async def story() -> None:
        async with street(folder / "street") as place:
            with small_disk(folder / "street" / "cache", 3 * MIB // 2):
                async with place.cache(memory=4 * MIB) as (shelf, disk):
                    for _ in range(3):
                        assert await whole(shelf, place) == place.sealed
                    assert 1 <= len(kept(disk)) <= 2, "a whole one, and the short last one"
                    remount = ["mount", "-o", "remount,size=64M", str(folder / "street" / "cache")]
                    await asyncio.to_thread(subprocess.run, remount, check=True)
                    for _ in range(2):
                        assert await whole(shelf, place) == place.sealed
                assert len(kept(disk)) == 6
                async with place.cache(memory=4 * MIB) as (shelf, disk):
                    assert await whole(shelf, place) == place.sealed
                    assert (shelf.figures.disk, shelf.figures.origin, disk.damaged) == (6, 0, 0)

    (folder / "street").mkdir()
    asyncio.run(story())


FULL = """
import sys
import threading
from collections.abc import Callable, Hashable
from dataclasses import replace
from pathlib import Path
from tests.roles.caching.test_shelf import read_on_a_full_disk
read_on_a_full_disk(Path(sys.argv[1]))
print("survived")
"""


def test_a_full_disk_stops_no_read(tmp_path: Path) -> None:
    # A user namespace lets anybody mount a tmpfs of their own; root needs none.
    alone = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
    command = [*alone, "unshare", "--mount", sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "survived\n", done.stderr


class Slow(Everything):
    """A policy that learns after every second request, in a thread that cannot be told from a stuck one."""

    def __init__(self) -> None:
        self.requests = self.learnt = 0
        self.go_on = threading.Event()

    def request(self, key: Hashable, size: int, found: Found) -> Decision:
        self.requests += 1
        return super().request(key, size, found)

    def due(self) -> Callable[[], None] | None:
        return self._learn if self.requests % 2 == 0 else None

    def _learn(self) -> None:
        self.go_on.wait(10)
        self.learnt += 1


def test_a_policy_learns_while_requests_go_on(tmp_path: Path) -> None:
    async def story() -> None:
        policy = Slow()
        async with street(tmp_path) as place, place.cache(policy=policy) as (shelf, _):
            assert await asyncio.wait_for(whole(shelf, place), 5) == place.sealed
            assert (policy.requests, policy.learnt) == (6, 0)
            policy.go_on.set()
        assert policy.learnt == 1, "one at a time"

    asyncio.run(story())


def test_neither_budget_is_ever_exceeded(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place, place.cache(memory=4 * MIB, disk=3 * MIB) as (shelf, disk):
            for _ in range(4):
                for number in (0, 1, 0, 2, 3, 4, 5):
                    assert bytes(await shelf.segment(place.manifest.digest, number)) == place.segment(number)
                    assert shelf.memory_used <= 4 * MIB
                    assert disk.used <= 3 * MIB
            assert shelf.figures.hot and shelf.figures.disk and disk.evicted

    asyncio.run(story())


def test_every_block_of_a_public_file_is_served_by_its_cid(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place, place.cache() as (shelf, _):
            manifest, root = place.manifest, place.manifest.ipfs
            assert root is not None
            item = await shelf.find(root)
            assert item is not None and (item.kind, item.size, item.name) == ("file", manifest.size, "file.bin")
            tree = await shelf.tree(manifest.digest)
            assert tree.root == root
            leaves = [await shelf.block(Cid("raw", leaf)) for leaf in tree.leaves]
            assert b"".join(leaves) == place.sealed
            for cid in (
                root,
                Cid("dag-cbor", manifest.digest),
                *(Cid("dag-cbor", each.blocks) for each in manifest.slots),
            ):
                block = await shelf.block(cid)
                assert digest_of(block) == cid.digest
                found = await shelf.find(cid)
                assert found is not None and (found.kind == "file" or found.size == len(block))
            padded = digest_of(leaves[-1].ljust(BLOCK_BYTES, b"\0"))
            assert len(await shelf.block(Cid("raw", padded))) == BLOCK_BYTES
            assert await shelf.find(Cid("raw", bytes(32))) is None
            assert shelf.figures.origin == 6, "reading block by block requests a segment once"
            with pytest.raises(NotFound):
                await shelf.block(Cid("dag-pb", bytes(32)))

    asyncio.run(story())


def test_after_a_restart_leaves_are_found_without_their_root_being_asked_for(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place:
            async with place.cache() as (shelf, _):
                tree = await shelf.tree(place.manifest.digest)
                await whole(shelf, place)
                await whole(shelf, place)
            before = place.blocks_read
            async with place.cache() as (shelf, _):
                for leaf in (tree.leaves[0], tree.leaves[-1]):
                    assert digest_of(await shelf.block(Cid("raw", leaf))) == leaf
            assert place.blocks_read == before

    asyncio.run(story())


def test_a_file_of_one_block_is_its_own_root(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path, size=5_000) as place, place.cache() as (shelf, _):
            root = place.manifest.ipfs
            assert root is not None and root.codec == "raw"
            item = await shelf.find(root)
            assert item is not None and (item.kind, item.size) == ("file", 5_000)
            assert await shelf.block(root) == place.sealed

    asyncio.run(story())


def test_who_claims_the_root_of_anothers_file_is_not_believed(tmp_path: Path) -> None:
    async def story() -> None:
        async with street(tmp_path) as place:
            theirs, root = replace(place.manifest, unixfs=bytes(31) + b"\1"), place.manifest.ipfs
            assert theirs.ipfs is not None and root is not None
            place.claim(theirs)
            async with place.cache() as (shelf, _):
                assert await shelf.find(theirs.ipfs) is None, "no blocks make it"
                with pytest.raises(ManifestInvalid):
                    await shelf.tree(theirs.digest)
                found = await shelf.find(root)
                assert found is not None and found.dataset == place.manifest.digest

    asyncio.run(story())


def test_a_file_stored_twice_is_found_by_its_root_when_one_of_its_requests_has_no_hosts_any_more(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with street(tmp_path) as place:
            again, root = replace(place.manifest, name="other.bin"), place.manifest.ipfs
            assert root is not None
            place.claim(again)
            async with place.cache() as (shelf, _):
                for manifest in (place.manifest, again):
                    assert await shelf.find(Cid("dag-cbor", manifest.digest)) is not None
                for index, store in enumerate(place.stores):
                    store.drop(SlotName(place.manifest.digest, index))
                found = await shelf.find(root)
                assert found is not None and found.dataset == again.digest
                assert digest_of(await shelf.block(root)) == root.digest

    asyncio.run(story())


def test_it_is_known_without_asking_anybody_what_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with street(tmp_path) as place:
            digest, root = place.manifest.digest, place.manifest.ipfs
            assert root is not None
            blocks = [
                root,
                Cid("dag-cbor", digest),
                *(Cid("dag-cbor", slot.blocks) for slot in place.manifest.slots[:2]),
            ]
            first, last = range(2 * MIB), range(5 * MIB, place.manifest.size)
            async with place.cache(policy=Static(1, 2)) as (shelf, disk):
                before = place.blocks_read
                assert not any(shelf.has_block(cid) for cid in blocks)
                assert not shelf.has_bytes(digest, first)
                assert place.blocks_read == before
                leaves = [Cid("raw", leaf) for leaf in (await shelf.tree(digest)).leaves]
                assert all(shelf.has_block(cid) for cid in blocks)
                assert not any(shelf.has_block(leaf) for leaf in leaves)
                for number in (0, 1, 1, 5, 5):
                    await shelf.segment(digest, number)
                assert shelf.has_bytes(digest, first) and shelf.has_bytes(digest, last)
                assert shelf.has_block(leaves[31]) and shelf.has_block(leaves[-1]) and not shelf.has_block(leaves[32])
                assert not shelf.has_bytes(digest, range(2 * MIB + 1))
            async with place.cache() as (shelf, disk):
                await shelf.find(root)
                before = place.blocks_read
                assert shelf.has_bytes(digest, range(MIB, 2 * MIB)) and shelf.has_bytes(digest, last)
                assert not shelf.has_bytes(digest, first), "it was asked for once, and is not on disk"
                await asyncio.gather(shelf.segment(digest, 1), shelf.segment(digest, 5))
                assert place.blocks_read == before
                for slot in place.manifest.slots:
                    disk.remove(Name(slot.blocks, "list"))
                assert not any(shelf.has_block(cid) for cid in blocks[2:])
                assert shelf.has_bytes(digest, last), "its digests are in memory"
                assert not shelf.has_bytes(digest, range(MIB, place.manifest.size))
                monkeypatch.setattr(shelf_module, "LOOKED_AT", 1)
                assert shelf.has_bytes(digest, range(MIB, place.manifest.size)), "of what is larger some is looked at"

    asyncio.run(story())


@pytest.mark.parametrize("silent", ["true", "false"])
def test_a_root_is_had_from_whoever_proves_it_while_others_that_claim_it_keep_silent(
    tmp_path: Path, silent: str
) -> None:
    async def story() -> None:
        async with street(tmp_path) as place:
            other, root = replace(place.manifest, name="other.bin"), place.manifest.ipfs
            assert root is not None
            place.claim(other)
            async with place.cache(patience=30) as (shelf, _):
                for manifest in (place.manifest, other):
                    await shelf.block(Cid("dag-cbor", manifest.digest))
                for host in place.hosts:
                    host.silent = (place.manifest if silent == "true" else other).digest
                item = await asyncio.wait_for(shelf.find(root), 5)
                assert item is not None and item.name == ("other.bin" if silent == "true" else "file.bin")
                for slot in place.manifest.slots:
                    found = await shelf.find(Cid("dag-cbor", slot.blocks))
                    assert found is not None and found.size == len(await shelf.block(Cid("dag-cbor", slot.blocks)))

    asyncio.run(story())
