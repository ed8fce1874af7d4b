"""A cache's folder through budgets, restarts, kills, damage and full disks."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agents.core.errors import DataDirInUse, DiskFull
from agents.store.cache.disk import SLACK, DiskCache, Name
from tests.store.test_survival import small_disk

ROOT = Path(__file__).parents[2]
MIB = 1 << 20


def object_of(number: int, size: int = 100_000) -> tuple[Name, bytes]:
    """An object of the bytes that its number makes, named after them."""
    data = random.Random(number).randbytes(size)
    return Name(hashlib.sha256(data).digest(), str(number)), data


def get(cache: DiskCache, name: Name) -> bytes | None:
    """The object as a reader takes it: checked against the digest in its name."""
    found = cache.read(name, lambda data: hashlib.sha256(data).digest() == name.digest)
    return None if found is None else bytes(found)


def taken(folder: Path) -> int:
    """Bytes of the disk that a folder and all that is in it take."""
    total = folder.stat().st_blocks * 512
    for path in folder.iterdir():
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


def test_the_least_recently_used_go_first_also_after_a_restart(tmp_path: Path) -> None:
    objects = [object_of(number) for number in range(6)]
    with DiskCache(tmp_path, 10 * MIB) as cache:
        for name, data in objects[:4]:
            assert cache.write(name, data)
        assert get(cache, objects[0][0]) == objects[0][1]
        size = taken(tmp_path)
    with DiskCache(tmp_path, size + SLACK) as cache:
        assert sorted(cache.names) == sorted(name for name, _ in objects[:4])
        for name, data in objects[4:]:
            assert cache.write(name, data)
        kept = [number for number, (name, _) in enumerate(objects) if get(cache, name) is not None]
        assert kept == [0, 3, 4, 5]


def test_a_smaller_budget_is_kept_from_the_start(tmp_path: Path) -> None:
    with DiskCache(tmp_path, 10 * MIB) as cache:
        for number in range(20):
            cache.write(*object_of(number))
    with DiskCache(tmp_path, MIB) as cache:
        assert taken(tmp_path) <= MIB
        assert get(cache, object_of(19)[0]) == object_of(19)[1]
        assert not cache.write(*object_of(99, 2 * MIB))


def test_the_disk_never_holds_more_than_the_budget(tmp_path: Path) -> None:
    budget, most, done = 2 * MIB, 0, threading.Event()
    (tmp_path / "a stranger").write_bytes(bytes(50_000))

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, taken(tmp_path))

    def fill(seed: int) -> None:
        source = random.Random(seed)
        for _ in range(100):
            number = source.randrange(60)
            name, data = object_of(number, 1 + number * 4_000)
            cache.write(name, data)
            assert get(cache, name) in (data, None)

    with DiskCache(tmp_path, budget) as cache:
        watcher = threading.Thread(target=watch)
        fillers = [threading.Thread(target=fill, args=(seed,)) for seed in range(4)]
        for thread in (watcher, *fillers):
            thread.start()
        for thread in fillers:
            thread.join()
        done.set()
        watcher.join()
        most = max(most, taken(tmp_path))
        assert cache.used == taken(tmp_path)
        assert cache.evicted > 0
    assert budget // 2 < most <= budget


def test_two_caches_cannot_share_a_folder(tmp_path: Path) -> None:
    with DiskCache(tmp_path, MIB), pytest.raises(DataDirInUse):
        DiskCache(tmp_path, MIB)


@pytest.mark.parametrize("damage", ["a bit", "its end", "all of it", "zeros"])
def test_what_the_disk_damaged_is_never_given_out(tmp_path: Path, damage: str) -> None:
    name, data = object_of(1)
    with DiskCache(tmp_path, MIB) as cache:
        cache.write(name, data)
        (path,) = tmp_path.glob("*.1.*")
        if damage == "a bit":
            path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        elif damage == "its end":
            path.write_bytes(data[:-1])
        elif damage == "zeros":
            path.write_bytes(bytes(len(data)))
        else:
            path.unlink()
        assert get(cache, name) is None
        assert cache.damaged == 1 and cache.names == [] and cache.used == taken(tmp_path)
        cache.write(name, data)
        assert get(cache, name) == data


def test_a_torn_file_is_noticed_at_the_start(tmp_path: Path) -> None:
    with DiskCache(tmp_path, MIB) as cache:
        for number in range(3):
            cache.write(*object_of(number))
    (torn,) = tmp_path.glob("*.1.*")
    os.truncate(torn, 5_000)
    (tmp_path / "partial-7").write_bytes(bytes(9_000))
    with DiskCache(tmp_path, MIB) as cache:
        assert sorted(name.part for name in cache.names) == ["0", "2"]
        assert not torn.exists() and not (tmp_path / "partial-7").exists()


WRITES = """
import hashlib, sys
from pathlib import Path
from agents.store.cache.disk import DiskCache, Name
cache = DiskCache(Path(sys.argv[1]), 2 << 20)
number = int(sys.argv[2])
print("begun", flush=True)
while True:
    number += 1
    data = number.to_bytes(4, "big") * (3_000 + number % 7 * 7_000)
    cache.write(Name(hashlib.sha256(data).digest(), str(number)), data)
"""


def test_a_kill_at_any_moment_leaves_whole_objects_alone(tmp_path: Path) -> None:
    folder, whole = tmp_path / "cache", 0
    for turn in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITES, str(folder), str(turn * 1000)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.03 * turn)  # any moment will do
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert taken(folder) <= 2 * MIB
        with DiskCache(folder, 2 * MIB) as cache:
            assert cache.used == taken(folder) <= 2 * MIB
            assert list(folder.glob("partial-*")) == []
            assert all(get(cache, name) is not None for name in cache.names)
            whole += len(cache.names)
    assert whole > 0


def fill_a_cache(folder: Path) -> None:
    """Run out of space in the middle of an object: it alone is missing, and with room again it is kept."""
    with small_disk(folder / "small", 400 * 1024) as disk, DiskCache(disk / "cache", 10 * MIB) as cache:
        first, second = object_of(1, 150_000), object_of(2, 300_000)
        cache.write(*first)
        with pytest.raises(DiskFull):
            cache.write(*second)
        assert get(cache, first[0]) == first[1] and cache.names == [first[0]]
        assert list((disk / "cache").glob("partial-*")) == [] and cache.used == taken(disk / "cache")
        subprocess.run(["mount", "-o", "remount,size=64M", str(disk)], check=True)
        cache.write(*second)
        assert get(cache, second[0]) == second[1]


FULL = """
import sys
from pathlib import Path
from tests.store.test_cache import fill_a_cache
fill_a_cache(Path(sys.argv[1]))
print("survived")
"""


def test_a_full_disk_loses_only_what_was_being_written(tmp_path: Path) -> None:
    # A user namespace lets anybody mount a tmpfs of their own; root needs none.
    alone = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
    command = [*alone, "unshare", "--mount", sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "survived\n", done.stderr
