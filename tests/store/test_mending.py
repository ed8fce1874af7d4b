"""Slots that the disk damaged, mended on the spot by the code within them; killed while at it, two at once, too late."""

import errno
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agents.core.dataset import slot_code
from agents.core.errors import Corrupt
from agents.core.proofs.profiles import profile_named
from agents.store import coding, mending
from agents.store.folders import HeldSlot, SlotName
from agents.store.mending import Health, Look, looked_at, scrub, told_health
from agents.store.slots import SlotStore, held_below, put_all
from agents.store.spool import Spool
from tests.store.version_1 import old_dataset

PROFILE = profile_named("devnet")
ROOT = Path(__file__).parents[2]
BLOCK = 65_536


def held(folder: Path, size: int = 700_000) -> HeldSlot:
    """One slot of a file of ``size`` bytes, twice as long as the file's half: by default six blocks and three of parity."""
    (folder / "file").write_bytes(os.urandom(size))
    dataset = Spool(folder / "spool").encode(folder / "file", 2, 1, None, PROFILE)
    store = SlotStore(folder / "agent", 1 << 30)
    name = SlotName(dataset.manifest.digest, 1)
    put_all(store, name, dataset.manifest_bytes, dataset.block_list(1), list(dataset.blocks(1)))
    store.close()
    return again(folder)


def again(folder: Path) -> HeldSlot:
    """The slot as whoever comes next sees it."""
    (slot,) = held_below(folder / "agent")
    return slot


def damage(slot: HeldSlot, *blocks: int) -> None:
    """Change a byte of each."""
    with (slot.path / "data").open("r+b") as file:
        for block in blocks:
            file.seek(block * BLOCK + 1_000 * (block + 1))
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 0x40]))


def files(slot: HeldSlot) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in slot.path.iterdir() if path.name != mending.HEALTH}


def facts(health: Health) -> tuple[int, int, int, int, int]:
    return health.blocks, health.damaged, health.mended, health.left, health.needed


def test_as_many_blocks_as_there_is_parity_are_mended_and_one_more_is_told(tmp_path: Path) -> None:
    slot = held(tmp_path)
    whole = files(slot)
    assert facts(scrub(slot)) == (9, 0, 0, 0, 0)
    damage(slot, 0, 4, 7)
    with pytest.raises(Corrupt, match="Block 4"):
        again(tmp_path).opening(4 * PROFILE.cells_per_block)
    before = files(slot)
    assert facts(scrub(again(tmp_path), dry_run=True)) == (9, 3, 0, 3, 0)
    assert files(slot) == before
    found = scrub(again(tmp_path))
    assert facts(found) == (9, 3, 3, 0, 0) and found.sound
    assert files(slot) == whole
    assert again(tmp_path).opening(4 * PROFILE.cells_per_block)
    assert told_health(slot.path) == found and looked_at(slot.path) == pytest.approx(found.at, abs=5)

    damage(slot, 1, 2, 3, 8)
    before = files(slot)
    found = scrub(again(tmp_path))
    assert facts(found) == (9, 4, 0, 4, 1) and not found.sound
    assert files(slot) == before
    # One block from elsewhere will do.
    look = Look(again(tmp_path))
    assert look.needed == [1]
    with pytest.raises(Corrupt, match="not the slot's"):
        look.put_back(1, whole["data"][:BLOCK])
    assert facts(look.mend()) == (9, 4, 0, 4, 1) and files(slot) == before
    look.put_back(1, whole["data"][BLOCK : 2 * BLOCK])
    assert facts(look.mend()) == (9, 4, 4, 0, 0) and look.needed == []
    assert files(slot) == whole


@pytest.mark.parametrize("loss", ["cut", "gone", "list", "tree", "list and block", "list and tree"])
def test_whatever_file_of_a_slot_is_lost(tmp_path: Path, loss: str) -> None:
    slot = held(tmp_path)
    whole = files(slot)
    if loss == "cut":
        os.truncate(slot.path / "data", 6 * BLOCK + 5)
    if loss == "gone":
        (slot.path / "data").unlink()
    if "list" in loss:
        (slot.path / "blocks").write_bytes(whole["blocks"][:-1] + b"x")
    if "tree" in loss:
        (slot.path / "tree").unlink()
    if "block" in loss:
        damage(slot, 2, 6)
    seen, found = scrub(again(tmp_path), dry_run=True), scrub(again(tmp_path))
    assert not seen.sound
    if loss == "gone":
        assert facts(found) == (9, 9, 0, 9, 6)  # its six data blocks, and three are made of them
    elif loss == "list and tree":
        assert "both its block list and its tree are damaged" in found.trouble and not found.sound
    else:
        assert found.sound and files(slot) == whole
        assert found.damaged == {"cut": 3, "list and block": 2}.get(loss, 0)


def test_a_manifest_that_rotted_is_told(tmp_path: Path) -> None:
    slot = held(tmp_path)
    (slot.path / "manifest").write_bytes(b"rot")
    found = scrub(again(tmp_path))
    assert "manifest of slot" in found.trouble and not found.sound


def test_slots_without_parity_need_what_they_lost(tmp_path: Path) -> None:
    dataset = old_dataset(tmp_path / "old")
    store = SlotStore(tmp_path / "agent", 1 << 30)
    name = SlotName(dataset.manifest.digest, 0)
    slot = put_all(store, name, dataset.manifest_bytes, dataset.block_list(0), list(dataset.blocks(0)))
    assert scrub(store.slot(name)).sound
    damage(slot, 1)
    assert facts(scrub(store.slot(name))) == (2, 1, 0, 1, 1)


@pytest.mark.parametrize("longest", [65_536, 100])
def test_sectors_that_cannot_be_read_are_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, longest: int) -> None:
    monkeypatch.setattr(slot_code, "LONGEST", longest)
    slot = held(tmp_path)
    whole, read, write, bad = files(slot), os.pread, os.pwrite, {3 * BLOCK}
    trouble = OSError(errno.EIO, "Input/output error")

    def pread(handle: int, count: int, offset: int) -> bytes:
        if offset in bad:
            raise trouble
        return read(handle, count, offset)

    def pwrite(handle: int, data: memoryview, offset: int) -> int:
        if any(first < offset + len(data) and offset < first + BLOCK for first in bad):
            if offset not in bad or len(data) < BLOCK:
                raise trouble  # what is around it cannot be read
            bad.clear()  # the disk puts another sector in its place
        return write(handle, data, offset)

    monkeypatch.setattr(os, "pread", pread)
    monkeypatch.setattr(os, "pwrite", pwrite)
    assert facts(scrub(again(tmp_path), dry_run=True)) == (9, 1, 0, 1, 0)
    assert facts(scrub(again(tmp_path))) == (9, 1, 1, 0, 0)
    assert scrub(again(tmp_path)).damaged == 0
    assert files(slot) == whole


@pytest.mark.parametrize("run", [1, 7, 512])
def test_a_slot_of_several_codewords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: int) -> None:
    monkeypatch.setattr(slot_code, "LONGEST", 100)
    monkeypatch.setattr(coding, "RUN", run)
    slot = held(tmp_path)
    assert slot.code.codewords == 3
    whole = files(slot)
    damage(slot, 0, 1, 8)
    assert slot.code.missing([0, 1, 8]) == [] and slot.code.missing([0, 5, 8]) == [
        0
    ]  # a codeword loses a cell too many
    assert scrub(again(tmp_path)).mended == 3
    assert files(slot) == whole


MEND = """
import os, signal, sys
from pathlib import Path
from agents.store import mending
from agents.store.slots import held_below
folder, step = Path(sys.argv[1]), int(sys.argv[2])
count = 0
def maybe_die(real, part=False):
    def call(*args, **kwargs):
        global count
        count += 1
        if count == step:
            if part:  # a kill finds a block half written
                real(args[0], bytes(args[1])[:20_000], *args[2:])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call
os.pwrite = maybe_die(os.pwrite, part=True)
mending.write_whole = maybe_die(mending.write_whole)
(slot,) = held_below(folder)
assert mending.scrub(slot).sound
"""


def test_a_kill_at_any_step_of_mending_loses_nothing(tmp_path: Path) -> None:
    slot = held(tmp_path)
    whole = files(slot)
    for step in range(1, 20):
        damage(slot, 3, 7)
        command = [sys.executable, "-c", MEND, str(tmp_path / "agent"), str(step)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        seen = scrub(again(tmp_path), dry_run=True)
        assert seen.damaged <= 2 and seen.needed == 0
        assert scrub(again(tmp_path)).sound
        assert files(slot) == whole
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert step == 4  # killed in each of two blocks, and before it is told


def test_two_mend_at_once_while_a_prover_reads(tmp_path: Path) -> None:
    slot = held(tmp_path, 4 << 20)
    whole, parity = files(slot), slot.manifest.parity_blocks
    openings = {cell: slot.opening(cell) for cell in range(0, slot.tree.cells, 97)}
    damage(slot, *range(0, 2 * parity, 2))

    def prove() -> int:
        right = 0
        for cell, opening in openings.items():
            try:
                assert again(tmp_path).opening(cell) == opening
                right += 1
            except Corrupt:
                continue
        return right

    with ThreadPoolExecutor(4) as threads:
        provers = [threads.submit(prove) for _ in range(2)]
        menders = [threads.submit(lambda: scrub(again(tmp_path))) for _ in range(2)]
        assert all(mender.result().sound for mender in menders)
        assert all(prover.result() for prover in provers)
    assert files(slot) == whole
    assert prove() == len(openings)


def test_a_slot_that_is_dropped_meanwhile_stays_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slot = held(tmp_path)
    damage(slot, 1)
    store, late = SlotStore(tmp_path / "agent", 1 << 30), again(tmp_path)
    restore = mending.restore

    def drop_first(*asked: object) -> None:
        store.drop(late.name)
        restore(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(mending, "restore", drop_first)
    scrub(late)
    assert not late.path.exists()
    assert store.held == []
