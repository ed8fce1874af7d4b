"""From a file through the spool and the slot store, and back: encode, push, commit, lose, rebuild, read, prove."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.core.dataset.cid import digest_of
from agents.core.dataset.cipher import Header
from agents.core.dataset.erasure import Gf16Code
from agents.core.dataset.manifest import SlotEntry, block_list
from agents.core.dataset.reading import FileReader
from agents.core.dataset.unixfs import FileTree, tree_of
from agents.core.errors import (
    CapabilityInvalid,
    CodeParameters,
    Corrupt,
    FileRejected,
    ManifestInvalid,
    NotFound,
    QuotaExceeded,
    StorageTrouble,
)
from agents.core.proofs import poseidon2
from agents.core.proofs.inputs import Opening
from agents.core.proofs.profiles import profile_named
from agents.store.folders import SlotName
from agents.store.slots import SlotStore, put_all
from agents.store.spool import Spool, SpooledDataset
from tests.merkle import merkle_path
from tests.store.version_1 import DATA, old_dataset

PROFILE = profile_named("devnet")
IN_BLOCK_1 = PROFILE.cells_per_block + 12
"""A cell."""
KEY = bytes(range(32))


def spooled(folder: Path, data: bytes, k: int = 3, m: int = 2, key: bytes | None = KEY) -> SpooledDataset:
    file = folder / "some file.bin"
    file.write_bytes(data)
    return Spool(folder / "spool").encode(file, k, m, key, PROFILE)


def read_back(
    dataset: SpooledDataset, slots: tuple[int, ...], key: bytes | None = KEY, name: str = "some file.bin"
) -> bytes:
    reader = FileReader(dataset.manifest, key)
    streams = {index: dataset.blocks(index) for index in slots}
    out: dict[int, bytes] = {}
    for stripe in range(dataset.manifest.data_blocks):
        out.update(reader.open_stripe(stripe, {index: next(stream) for index, stream in streams.items()}))
    data = b"".join(out[offset] for offset in sorted(out))
    assert reader.header is not None
    assert (reader.header.size, reader.header.name) == (len(data), name)
    return data


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.sampled_from([1, 65_000, 65_494, 65_495, 65_536, 131_072, 400_001]),
    code=st.sampled_from([(1, 1), (2, 0), (3, 2), (5, 4)]),
    encrypted=st.booleans(),
)
def test_a_file_survives_the_loss_of_any_m_slots(
    tmp_path: Path, size: int, code: tuple[int, int], encrypted: bool
) -> None:
    data, (k, m), key = os.urandom(size), code, KEY if encrypted else None
    dataset = spooled(tmp_path, data, k, m, key)
    for slots in list(combinations(range(k + m), k))[:12]:
        assert read_back(dataset, slots, key) == data


def held(store: SlotStore, dataset: SpooledDataset, index: int) -> SlotName:
    name = SlotName(dataset.manifest.digest, index)
    blocks = list(dataset.blocks(index))
    put_all(store, name, dataset.manifest_bytes, dataset.block_list(index), blocks)
    return name


def test_a_rebuilt_slot_has_the_root_the_manifest_names(tmp_path: Path) -> None:
    dataset = spooled(tmp_path, os.urandom(300_000))
    store = SlotStore(tmp_path / "agent", 1 << 30)
    stripes = range(dataset.manifest.data_blocks)
    sources = {index: list(dataset.blocks(index)) for index in (0, 2, 4)}
    lost = [
        Gf16Code(3, 2).rebuild({index: blocks[stripe] for index, blocks in sources.items()}, [1])[0]
        for stripe in stripes
    ]
    name = SlotName(dataset.manifest.digest, 1)
    slot = put_all(store, name, dataset.manifest_bytes, dataset.block_list(1), lost)
    assert slot.facts.slot_root == dataset.manifest.slots[1].root
    assert store.held == [name]


def test_a_slot_rebuilt_without_its_block_list_is_checked_once_the_list_is_made(tmp_path: Path) -> None:
    dataset = spooled(tmp_path, os.urandom(300_000))
    name, blocks = SlotName(dataset.manifest.digest, 1), list(dataset.blocks(1))
    store = SlotStore(tmp_path / "agent", dataset.manifest.slot_bytes)
    arriving = store.begin(name, dataset.manifest_bytes)
    for index, block in enumerate([*blocks[:-1], bytes(65_536)]):
        arriving.put_unlisted(index, block)
    with pytest.raises(Corrupt, match="There is no block"):
        arriving.put_unlisted(len(blocks), bytes(65_536))
    with pytest.raises(Corrupt, match="7 bytes"):
        arriving.put_unlisted(0, bytes(7))
    assert arriving.held == 0
    arriving.put_blocks(dataset.block_list(1))
    assert arriving.held == len(blocks) - 1
    with pytest.raises(Corrupt, match="not whole"):
        store.commit(name)
    arriving.put_block(len(blocks) - 1, blocks[-1])
    assert store.commit(name).read(0, len(blocks)) == blocks
    assert store.room == 0


def test_openings_are_paths_of_the_reference_tree(tmp_path: Path) -> None:
    # Two blocks and their parity: the tree is padded to four.
    dataset = spooled(tmp_path, os.urandom(200_000), k=2, m=1)
    store = SlotStore(tmp_path / "agent", 1 << 30)
    slot = store.slot(held(store, dataset, 0))
    size, count = PROFILE.cell_bytes, PROFILE.cells_per_block
    blocks = slot.read(0, 3)
    assert blocks[:2] == list(dataset.blocks(0))
    cells = [[block[i : i + size] for i in range(0, 65536, size)] for block in blocks]
    trees = [poseidon2.merkle_layers([poseidon2.hash_bytes(cell) for cell in inside]) for inside in cells]
    padding = poseidon2.merkle_layers([poseidon2.hash_bytes(bytes(size))] * count)
    top = poseidon2.merkle_layers([layers[-1][0] for layers in (*trees, padding)])
    assert slot.facts.slot_root == top[-1][0]
    assert slot.facts.cells == 4 * count
    for block in (0, 2):
        inside = merkle_path(trees[block], 7)
        assert slot.opening(block * count + 7) == Opening(cells[block][7], inside + merkle_path(top, block))
    last = slot.opening(4 * count - 1)
    assert last == Opening(bytes(size), merkle_path(padding, count - 1) + merkle_path(top, 3))


def test_a_damaged_disk_is_noticed_when_a_sample_falls_there(tmp_path: Path) -> None:
    dataset = spooled(tmp_path, os.urandom(500_000))
    store = SlotStore(tmp_path / "agent", 1 << 30)
    name = held(store, dataset, 1)
    data = tmp_path / "agent" / "slots" / str(name) / "data"
    raw = bytearray(data.read_bytes())
    raw[70_000] ^= 1
    data.write_bytes(bytes(raw))
    slot = store.slot(name)
    assert slot.opening(0)
    with pytest.raises(Corrupt, match=r"Block 1 .* damaged"):
        slot.opening(IN_BLOCK_1)


@pytest.mark.parametrize("damage", ["cut", "altered", "gone"])
def test_a_damaged_tree_is_made_again_from_the_blocks(tmp_path: Path, damage: str) -> None:
    dataset = spooled(tmp_path, os.urandom(500_000))
    store = SlotStore(tmp_path / "agent", 1 << 30)
    name = held(store, dataset, 1)
    opening, tree = store.slot(name).opening(IN_BLOCK_1), store.slot(name).path / "tree"
    kept = tree.read_bytes()
    if damage == "gone":
        tree.unlink()
    else:
        tree.write_bytes(kept[:-3] if damage == "cut" else bytes(len(kept)))
    assert store.slot(name).opening(IN_BLOCK_1) == opening
    assert tree.read_bytes() == kept


def test_a_public_dataset_half_removed_is_made_again(tmp_path: Path) -> None:
    data = os.urandom(400_000)
    dataset = spooled(tmp_path, data, key=None)
    (dataset.path / "slot-2").unlink()
    with (dataset.path / "slot-1").open("r+b") as file:
        file.truncate(70_000)
    with pytest.raises(StorageTrouble, match=r"cut short.*Store the file again"):
        list(dataset.blocks(1))
    again = spooled(tmp_path, data, key=None)
    assert again == dataset
    assert read_back(again, (0, 1, 2), None) == data
    again.remove()
    with pytest.raises(NotFound, match="not in the spool"):
        Spool(tmp_path / "spool").find(dataset.manifest.digest)


@pytest.mark.parametrize("size", [1, 65_536, 65_537, 3 * 65_536, 400_001])
def test_a_public_file_is_stored_as_it_is_and_named_as_ipfs_names_it(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    dataset = spooled(tmp_path, data, key=None)
    manifest = dataset.manifest
    assert (manifest.version, manifest.encrypted, manifest.size, manifest.name) == (3, False, size, "some file.bin")
    sealed = b"".join(b"".join(dataset.blocks(index)) for index in range(3))
    assert (sealed[:size], set(sealed[size:]) | {0}) == (data, {0})
    leaves = [digest_of(data[start : start + 65_536]) for start in range(0, size, 65_536)]
    tree = FileTree(leaves, size)
    assert manifest.ipfs == tree.root
    listed = [digest for index in range(3) for digest in dataset.digests(index)[: manifest.data_blocks]]
    last = sealed[(manifest.blocks - 1) * 65_536 : manifest.blocks * 65_536]
    assert tree_of(manifest, listed, last).leaves == tree.leaves
    if size % 65_536:
        assert listed[manifest.blocks - 1] != leaves[-1]


def test_a_public_file_with_the_ipfs_name_of_another_is_not_handed_over(tmp_path: Path) -> None:
    dataset = spooled(tmp_path, os.urandom(400_001), key=None)
    lie = replace(dataset.manifest, unixfs=digest_of(b"another file"))
    reader = FileReader(lie, None)
    stripes = [dict(enumerate(stripe)) for stripe in zip(*map(dataset.blocks, range(3)), strict=True)]
    for number, stripe in enumerate(stripes[:-1]):
        assert reader.open_stripe(number, stripe)
        assert reader.open_stripe(number, stripe)
    with pytest.raises(ManifestInvalid, match="IPFS knows the file as"):
        reader.open_stripe(len(stripes) - 1, stripes[-1])


def test_a_public_file_of_version_2_is_read(tmp_path: Path) -> None:
    data = os.urandom(200_000)
    dataset = spooled(tmp_path, Header(len(data), "old.bin").to_bytes() + data, key=None)
    (dataset.path / "manifest").write_bytes(replace(dataset.manifest, name="", unixfs=b"").to_bytes())
    old = SpooledDataset(dataset.path)
    assert (old.manifest.version, old.manifest.ipfs) == (2, None)
    assert read_back(old, (1, 3, 4), None, "old.bin") == data


def test_slots_of_version_1_are_read_held_and_proven(tmp_path: Path) -> None:
    dataset = old_dataset(tmp_path / "old")
    manifest = dataset.manifest
    assert dataset.whole
    assert (manifest.data_blocks, manifest.parity_blocks, manifest.slot_bytes) == (2, 0, 2 * 65_536)
    for slots in combinations(range(3), 2):
        assert read_back(dataset, slots, None, "old.bin") == DATA
    store = SlotStore(tmp_path / "agent", 3 * manifest.slot_bytes)
    for index in range(3):
        slot = store.slot(held(store, dataset, index))
        assert (slot.path / "data").stat().st_size == manifest.slot_bytes
        assert slot.facts.slot_root == manifest.slots[index].root
        assert slot.opening(IN_BLOCK_1).cell == list(dataset.blocks(index))[1][12 * 2048 : 13 * 2048]
    assert store.room == 0


def test_a_block_list_that_lies_about_the_parity_is_noticed(tmp_path: Path) -> None:
    dataset = spooled(tmp_path, os.urandom(300_000))
    manifest, listed = dataset.manifest, block_list([*dataset.digests(0)[:-1], bytes(32)])
    lying = replace(manifest, slots=(SlotEntry(digest_of(listed), manifest.slots[0].root), *manifest.slots[1:]))
    store = SlotStore(tmp_path / "agent", 1 << 30)
    with pytest.raises(Corrupt, match=r"parity of slot .* is not that of its data"):
        put_all(store, SlotName(lying.digest, 0), lying.to_bytes(), listed, list(dataset.blocks(0)))
    assert store.held == []


def test_an_upload_goes_on_where_it_stopped(tmp_path: Path) -> None:
    dataset = spooled(tmp_path, os.urandom(800_000))
    name, blocks = SlotName(dataset.manifest.digest, 0), list(dataset.blocks(0))
    store = SlotStore(tmp_path / "agent", 1 << 30)
    arriving = store.begin(name, dataset.manifest_bytes)
    arriving.put_blocks(dataset.block_list(0))
    arriving.put_block(0, blocks[0])
    arriving.put_block(1, blocks[1])
    with pytest.raises(Corrupt, match="not whole"):
        store.commit(name)
    store.close()
    # A kill in the middle of a write leaves half a block.
    with (tmp_path / "agent" / "arriving" / str(name) / "data").open("ab") as file:
        file.write(blocks[2][:1000])
    store = SlotStore(tmp_path / "agent", 1 << 30)
    assert store.arriving == [name]
    arriving = store.begin(name, dataset.manifest_bytes)
    assert arriving.held == 2
    for index in range(2, len(blocks)):
        arriving.put_block(index, blocks[index])
    store.commit(name)
    assert store.commit(name).read(0, len(blocks)) == blocks
    assert store.arriving == []


def test_wrong_blocks_and_manifests_are_refused(tmp_path: Path) -> None:
    dataset = spooled(tmp_path, os.urandom(400_000))
    name, blocks = SlotName(dataset.manifest.digest, 0), list(dataset.blocks(0))
    store = SlotStore(tmp_path / "agent", 1 << 30)
    with pytest.raises(Corrupt, match="another dataset"):
        store.begin(SlotName(bytes(32), 0), dataset.manifest_bytes)
    with pytest.raises(NotFound, match="no slot 9"):
        store.begin(SlotName(name.manifest, 9), dataset.manifest_bytes)
    with pytest.raises(NotFound, match="no slot -1"):
        store.begin(SlotName(name.manifest, -1), dataset.manifest_bytes)
    arriving = store.begin(name, dataset.manifest_bytes)
    arriving.put_blocks(dataset.block_list(0))
    for index, block in ((0, blocks[1]), (0, blocks[0][:-1]), (1, blocks[1])):
        with pytest.raises(Corrupt, match=f"Block {index} "):
            arriving.put_block(index, block)
    for index, block in enumerate(blocks):
        arriving.put_block(index, block)
    for index in (len(blocks), -1):
        with pytest.raises(Corrupt, match=f"no block {index} to be sent: the slot has {len(blocks)}"):
            arriving.put_block(index, blocks[-1])
    with pytest.raises(NotFound):
        store.slot(name)


def test_a_quota_smaller_than_the_slot(tmp_path: Path) -> None:
    dataset = spooled(tmp_path, os.urandom(400_000))
    size = dataset.manifest.slot_bytes
    store = SlotStore(tmp_path / "agent", 2 * size - 1)
    name = held(store, dataset, 0)
    assert store.used == size
    with pytest.raises(QuotaExceeded, match=f"{size - 1} bytes of quota are left"):
        store.begin(SlotName(name.manifest, 1), dataset.manifest_bytes)
    store.drop(name)
    assert store.room == 2 * size - 1
    assert held(store, dataset, 1)


def test_the_last_of_the_quota_is_promised_once(tmp_path: Path) -> None:
    dataset = spooled(tmp_path, os.urandom(400_000))
    store = SlotStore(tmp_path / "agent", dataset.manifest.slot_bytes)
    start = threading.Barrier(5)

    def begin(index: int) -> bool:
        start.wait()
        try:
            store.begin(SlotName(dataset.manifest.digest, index), dataset.manifest_bytes)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(5) as threads:
        assert sum(threads.map(begin, range(5))) == 1
    assert len(store.arriving) == 1


def test_an_encrypted_file_needs_its_key(tmp_path: Path) -> None:
    dataset = spooled(tmp_path, b"secret" * 100)
    with pytest.raises(CapabilityInvalid, match="encrypted"):
        FileReader(dataset.manifest, None)
    with pytest.raises(Corrupt, match="capability"):
        read_back(dataset, (0, 1, 2), bytes(32))
    assert b"secret" not in b"".join(dataset.blocks(0)) + dataset.manifest_bytes
    assert b"some file" not in dataset.manifest_bytes


def test_files_that_cannot_be_stored(tmp_path: Path) -> None:
    spool, file = Spool(tmp_path / "spool"), tmp_path / "file"
    with pytest.raises(FileRejected, match="Cannot read"):
        spool.encode(file, 3, 2, KEY, PROFILE)
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(FileRejected):  # and does not wait for a writer
            spool.encode(odd, 3, 2, KEY, PROFILE)
    file.write_bytes(b"")
    with pytest.raises(FileRejected, match="is empty"):
        spool.encode(file, 3, 2, KEY, PROFILE)
    file.write_bytes(b"x")
    with pytest.raises(CodeParameters):
        spool.encode(file, 0, 2, KEY, PROFILE)
    with pytest.raises(FileRejected, match="17 slots are too many"):
        spool.encode(file, 10, 7, KEY, PROFILE)
    with file.open("wb") as sparse:
        sparse.truncate(200 << 20)
    with pytest.raises(FileRejected, match="too large"):
        spool.encode(file, 3, 2, KEY, PROFILE)
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize("change", ["shrinks", "grows"])
def test_a_file_that_changes_while_read_leaves_nothing_behind(tmp_path: Path, change: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(3 << 20))

    def meddle(what: str, done: int, total: int) -> None:
        if done == 65536:
            with file.open("r+b") as handle:
                handle.truncate((1 << 20) if change == "shrinks" else (5 << 20))

    with pytest.raises(FileRejected, match="while it was read"):
        Spool(tmp_path / "spool").encode(file, 3, 2, KEY, PROFILE, meddle)
    assert list((tmp_path / "spool").iterdir()) == []
