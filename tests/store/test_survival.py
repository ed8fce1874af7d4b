"""Kills, full disks, two agents on one directory, damaged state."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from agents.core.errors import DataDirInUse, DiskFull, StorageTrouble
from agents.core.proofs.profiles import profile_named
from agents.store.files import write_whole
from agents.store.folders import SlotName
from agents.store.slots import SlotStore, put_all
from agents.store.spool import Spool
from agents.store.state import StateStore

PROFILE = profile_named("devnet")
ROOT = Path(__file__).parents[2]


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of ``size`` bytes below ``folder``; the block runs in a process that may mount one."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


FULL = """
import sys
from pathlib import Path
from tests.store import test_survival
getattr(test_survival, sys.argv[1])(Path(sys.argv[2]))
print("survived")
"""


def fill_a_disk(folder: Path) -> None:
    """Run out of space in the middle of a slot; then make room and go on."""
    source = folder / "file"
    source.write_bytes(os.urandom(1 << 20))
    dataset = Spool(folder / "spool").encode(source, 2, 1, None, PROFILE)
    name, blocks = SlotName(dataset.manifest.digest, 0), list(dataset.blocks(0))
    with small_disk(folder / "small", 400 * 1024) as disk:
        store = SlotStore(disk, 1 << 30)
        with pytest.raises(DiskFull, match=r"full.*nothing is lost"):
            put_all(store, name, dataset.manifest_bytes, dataset.block_list(0), blocks)
        assert store.held == []
        before = store.begin(name, b"").held
        assert 0 < before < len(blocks)
        subprocess.run(["mount", "-o", "remount,size=64M", str(disk)], check=True)
        put_all(store, name, dataset.manifest_bytes, dataset.block_list(0), blocks)
        assert store.slot(name).read(0, len(blocks)) == blocks
        store.close()
        (disk / "lock").unlink()
        fill_up(disk)
        store = SlotStore(disk, 1 << 30)
        assert store.slot(name).opening(0)


def fill_up(disk: Path) -> None:
    """Leave not a byte."""
    with (disk / "filler").open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 12))
    assert shutil.disk_usage(disk).free == 0


def fill_a_database(folder: Path) -> None:
    """Run out of space in the middle of transactions; each was kept whole or not at all, and it goes on with room."""
    with small_disk(folder / "small", 400 * 1024) as disk:
        store = StateStore(disk / "state.db")
        count = 0

        def save(size: int) -> None:
            with store.transaction():
                store.save("left", str(count), os.urandom(size))
                store.save("right", str(count), b"")

        with pytest.raises(DiskFull, match=r"full.*Make room"):  # noqa: PT012
            while True:
                save(5000)
                count += 1
        for size in (5000, 8 << 20):  # fails at COMMIT; fails before it, as the cache cannot hold it
            with pytest.raises(DiskFull):
                save(size)
        assert len(store.load("left")) == len(store.load("right")) == count > 0
        subprocess.run(["mount", "-o", "remount,size=64M", str(disk)], check=True)
        store.save("left", "last", b"1")
        store.close()
        assert len(StateStore(disk / "state.db").load("left")) == count + 1


@pytest.mark.parametrize("story", ["fill_a_disk", "fill_a_database"])
def test_a_full_disk_loses_nothing(tmp_path: Path, story: str) -> None:
    # A user namespace lets anybody mount a tmpfs of their own; root needs none.
    alone = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
    command = [*alone, "unshare", "--mount", sys.executable, "-c", FULL, story, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "survived\n", done.stderr


def test_every_write_to_a_full_device_is_told(tmp_path: Path) -> None:
    with pytest.raises((DiskFull, StorageTrouble)) as found:
        write_whole(Path("/dev/full") / "x", b"data")
    assert "/dev/full" in str(found.value)


COMMIT = """
import os, signal, sys
from pathlib import Path
from agents.store import folders, slots
from agents.store.spool import Spool
folder, step = Path(sys.argv[1]), int(sys.argv[2])
dataset = Spool(folder / "spool").find(bytes.fromhex(sys.argv[3]))
count = 0
def maybe_die(real):
    def call(*args, **kwargs):
        global count
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call
slots.write_whole = maybe_die(slots.write_whole)
folders.write_whole = maybe_die(folders.write_whole)
slots.sync_folder = maybe_die(slots.sync_folder)
os.pwrite = maybe_die(os.pwrite)
os.fsync = maybe_die(os.fsync)
Path.rename = maybe_die(Path.rename)
store = slots.SlotStore(folder / "agent", 1 << 30)
name = folders.SlotName(dataset.manifest.digest, 1)
if store.find(name) is None:
    slots.put_all(store, name, dataset.manifest_bytes, dataset.block_list(1), list(dataset.blocks(1)))
print("held")
"""


def test_a_kill_at_any_step_is_made_good_by_starting_again(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(200_000))
    dataset = Spool(tmp_path / "spool").encode(file, 2, 1, None, PROFILE)
    digest = dataset.manifest.digest
    kills = 0
    for step in range(1, 40):
        command = [sys.executable, "-c", COMMIT, str(tmp_path), str(step), digest.hex()]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        kills += 1
    else:
        raise AssertionError("it never got through")
    assert kills >= 4
    store = SlotStore(tmp_path / "agent", 1 << 30)
    slot = store.slot(SlotName(digest, 1))
    assert slot.read(0, dataset.manifest.data_blocks) == list(dataset.blocks(1))
    assert store.arriving == []


def test_two_agents_on_one_directory(tmp_path: Path) -> None:
    first = SlotStore(tmp_path, 1)
    with pytest.raises(DataDirInUse, match=rf"process {os.getpid()} .*--data-dir"):
        SlotStore(tmp_path, 1)
    first.close()
    SlotStore(tmp_path, 1).close()


def test_a_killed_deletion_is_finished_by_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(1000))
    dataset = Spool(tmp_path / "spool").encode(file, 1, 1, None, PROFILE)
    name = SlotName(dataset.manifest.digest, 0)
    store = SlotStore(tmp_path / "agent", 1 << 30)
    kept = put_all(store, name, dataset.manifest_bytes, dataset.block_list(0), list(dataset.blocks(0)))
    (kept.path / "manifest").unlink()  # the first thing `drop` does
    assert (store.held, store.find(name), store.used) == ([], None, 0)
    store.close()
    store = SlotStore(tmp_path / "agent", 1 << 30)
    assert not kept.path.exists()
    assert put_all(store, name, dataset.manifest_bytes, dataset.block_list(0), list(dataset.blocks(0))).facts


def test_a_slot_whose_manifest_rotted_is_set_aside_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(os.urandom(1000))
    dataset = Spool(tmp_path / "spool").encode(tmp_path / "file", 1, 1, None, PROFILE)
    size = dataset.manifest.slot_bytes
    name, other = (SlotName(dataset.manifest.digest, index) for index in (0, 1))
    store = SlotStore(tmp_path / "agent", 2 * size)
    kept = put_all(store, name, dataset.manifest_bytes, dataset.block_list(0), list(dataset.blocks(0)))
    sound = put_all(store, other, dataset.manifest_bytes, dataset.block_list(1), list(dataset.blocks(1)))
    manifest = bytearray((kept.path / "manifest").read_bytes())
    manifest[-1] ^= 1
    (kept.path / "manifest").write_bytes(manifest)
    assert store.used == 2 * size  # nobody minds while it runs
    store.close()
    for _ in range(2):
        store = SlotStore(tmp_path / "agent", 2 * size)
        assert (store.held, store.used) == ([other], size)
        assert store.slot(other).read(0, 1) == sound.read(0, 1)
        assert f"slot {name} is set aside" in caplog.text
        # Its place is free: it can come back, and rot again.
        back = put_all(store, name, dataset.manifest_bytes, dataset.block_list(0), list(dataset.blocks(0)))
        (back.path / "manifest").write_bytes(manifest)
        store.close()
        assert (tmp_path / "agent" / "damaged" / str(name) / "data").exists()


ENCODE = """
import os, signal, sys
from pathlib import Path
from agents.core.proofs.profiles import profile_named
from agents.store.spool import Spool
def advance(what, done, total):
    print(what, flush=True)
    if what == "coding":
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGKILL)
folder = Path(sys.argv[1])
Spool(folder / "spool").encode(folder / "file", 1, 1, None, profile_named("devnet"), advance)
"""


def test_what_a_killed_client_was_making_is_removed_but_not_what_another_makes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(1000))
    command = [sys.executable, "-c", ENCODE, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        while client.stdout.readline() != "coding\n":
            assert client.poll() is None
        Spool(tmp_path / "spool")
        assert len(list((tmp_path / "spool").iterdir())) == 1
        client.communicate("", timeout=120)
    assert client.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "spool").iterdir())) == 1
    Spool(tmp_path / "spool")
    assert list((tmp_path / "spool").iterdir()) == []


def test_records_survive_and_transactions_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = StateStore(path)
    store.save("slot", "a", b"1")
    with store.transaction():
        store.save("slot", "b", b"2")
        store.save("slot", "a", b"3")
        store.remove("slot", "unknown")

    def half() -> None:
        with store.transaction():
            store.save("slot", "c", b"4")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        half()
    store.close()
    store = StateStore(path)
    assert store.load("slot") == {"a": b"3", "b": b"2"}
    assert store.load("other") == {}
    store.remove("slot", "a")
    assert store.load("slot") == {"b": b"2"}


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"this is no database, but long enough to be looked at" * 100)
    with pytest.raises(StorageTrouble, match=r"state\.db cannot be used"):
        StateStore(path)
