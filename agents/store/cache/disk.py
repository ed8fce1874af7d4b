"""A cache's folder: objects named by content, within a budget of true disk use, the least recently used evicted first.

::

    <folder>/<digest>.<part>.<bytes>   an object; its name says how long it must be
    <folder>/partial-<number>          an object being written

The folder is its own index: an object appears under its name by rename, whole, and the time of a file's last change is
that of the object's last use. So a kill at any moment leaves whole objects and partial ones, which the next start removes.
Nothing is flushed: after a power cut a file may hold anything, and so may one whose disk fails; but an object is never given
out unless its reader, who knows its digests, finds it sound, and one that is not sound is removed.
"""

import itertools
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from agents.core.admission.eviction import Eviction, Lru
from agents.core.errors import QuotaExceeded, StorageTrouble
from agents.store.cache.buffers import buffer
from agents.store.files import UNREADABLE, lock_folder, storage_errors, write_at

log = logging.getLogger(__name__)

SLACK = 16 << 10
"""Bytes that the file system may need beside an object's own: for its name in the folder, and to find its blocks."""

_NAME = re.compile(r"([0-9a-f]{64})\.([a-z0-9]{1,20})\.([1-9][0-9]{0,11})\Z")
_PARTIAL = "partial-"


@dataclass(frozen=True, order=True, slots=True)
class Name:
    """Which object: ``part``, lower-case letters and digits, of what ``digest`` names."""

    digest: bytes
    part: str


@dataclass(frozen=True, slots=True)
class _Entry:
    size: int
    use: int
    """Bytes it takes of the disk."""


class DiskCache:
    """The objects in ``folder``, which with all that is in it never takes more than ``budget`` bytes of the disk.

    Holds the folder's lock until closed. Threads may share it. Raises DataDirInUse, StorageTrouble.
    """

    def __init__(self, folder: Path, budget: int, order: Eviction | None = None) -> None:
        self._lock = lock_folder(folder)
        self._folder = folder
        self.budget = budget
        self._order = order or Lru()
        self._entries: dict[Name, _Entry] = {}
        self._objects = 0
        """Bytes of the disk that whole objects take."""
        self._promised = 0
        """Bytes of the disk that objects being written may take."""
        self._strange = 0
        """Bytes of the disk that files take which are none of ours: they are left alone, but counted."""
        self._writing: set[Name] = set()
        self._numbers = itertools.count()
        self._changing = threading.RLock()
        self.evicted = 0
        self.damaged = 0
        with storage_errors(folder):
            try:
                self._load()
                self._make_room(0)
            except BaseException:
                self._lock.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the folder go."""
        self._lock.close()

    @property
    def used(self) -> int:
        """Bytes of the disk that the folder takes, and may take when what is being written is there."""
        with self._changing:
            return self._objects + self._promised + self._strange + _use(os.stat(self._folder))

    @property
    def names(self) -> list[Name]:
        """What is here."""
        with self._changing:
            return list(self._entries)

    def __contains__(self, name: Name) -> bool:
        return name in self._entries

    def read(self, name: Name, sound: Callable[[memoryview], bool]) -> memoryview | None:
        """The object, if it is here and ``sound``; one that is not is removed. Raises StorageTrouble."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        path = self._path(name, entry.size)
        try:
            data = _read(path, entry.size)
        except OSError as error:
            if self._entries.get(name) is not entry:
                return None  # evicted meanwhile
            if error.errno in UNREADABLE:
                self._lost(name, error.strerror or str(error))
                return None
            raise StorageTrouble(f"Cannot read {path}", error.strerror or str(error), "Check the disk.") from error
        if data is None or not sound(data):
            self._lost(name, "its bytes are not those it is named after")
            return None
        self._used(name, path)
        return data

    def write(self, name: Name, data: bytes | memoryview) -> bool:
        """Keep an object; whether it is here now: one that no budget can hold is not.

        Raises DiskFull or StorageTrouble, which leave everything else as it was.
        """
        size = len(data)
        with self._changing:
            if name in self._entries or name in self._writing:
                return True
            need = _rounded(size) + SLACK
            with storage_errors(self._folder):
                if not size or not self._make_room(need):
                    return False
            self._promised += need
            self._writing.add(name)
        try:
            with storage_errors(self._folder):
                entry = self._written(name, data)
            with self._changing:
                self._entries[name] = entry
                self._objects += entry.use
                self._order.added(name, size)
        finally:
            with self._changing:
                self._writing.discard(name)
                self._promised -= need
        return True

    def remove(self, name: Name) -> None:
        """Forget an object; unknown ones are no error. Raises StorageTrouble."""
        with self._changing:
            if name in self._entries:
                self._order.removed(name)
                with storage_errors(self._folder):
                    self._drop(name)

    @contextmanager
    def scratch(self, size: int) -> Iterator[int]:
        """A file of at most ``size`` bytes to work in, gone afterwards. Raises QuotaExceeded, DiskFull, StorageTrouble."""
        need = _rounded(size) + SLACK
        with self._changing:
            with storage_errors(self._folder):
                if not self._make_room(need):
                    raise QuotaExceeded(
                        f"{size} bytes do not fit", f"the cache may take {self.budget} bytes of the disk"
                    )
            self._promised += need
        partial = self._folder / f"{_PARTIAL}{next(self._numbers)}"
        try:
            with storage_errors(partial):
                handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
                try:
                    yield handle
                finally:
                    os.close(handle)
                    partial.unlink(missing_ok=True)
        finally:
            with self._changing:
                self._promised -= need

    # ---- under the lock

    def _load(self) -> None:
        """Take in what an earlier process left."""
        found: list[tuple[int, Name, _Entry]] = []
        with os.scandir(self._folder) as entries:
            for file in entries:
                status = file.stat(follow_symlinks=False)
                known = _NAME.match(file.name) if file.is_file(follow_symlinks=False) else None
                if file.name.startswith(_PARTIAL) or (known and int(known[3]) != status.st_size):
                    log.info("%s was cut short and is removed", file.name)
                    os.unlink(file.path)
                elif known:
                    name = Name(bytes.fromhex(known[1]), known[2])
                    found.append((status.st_mtime_ns, name, _Entry(status.st_size, _use_of(status))))
                else:
                    self._strange += _use(status)
        for _, name, entry in sorted(found, key=lambda each: each[0]):
            self._entries[name] = entry
            self._objects += entry.use
            self._order.added(name, entry.size)

    def _make_room(self, need: int) -> bool:
        """Evict until ``need`` more bytes of the disk are within the budget; whether they are. Raises OSError."""
        while self.used + need > self.budget:
            try:
                name = self._order.evict()
            except KeyError:
                return False
            assert isinstance(name, Name)
            self._drop(name)
            self.evicted += 1
        return True

    def _drop(self, name: Name) -> None:
        entry = self._entries[name]
        try:
            os.unlink(self._path(name, entry.size))
        except FileNotFoundError:
            pass  # somebody cleaned up
        except OSError:
            self._order.added(name, entry.size)  # it still takes its room
            raise
        del self._entries[name]
        self._objects -= entry.use

    # ---- files

    def _path(self, name: Name, size: int) -> Path:
        return self._folder / f"{name.digest.hex()}.{name.part}.{size}"

    def _written(self, name: Name, data: bytes | memoryview) -> _Entry:
        partial = self._folder / f"{_PARTIAL}{next(self._numbers)}"
        try:
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.posix_fallocate(handle, 0, len(data))  # a full disk is noticed first, and takes what is written
                write_at(handle, data, 0)
                use = _use_of(os.fstat(handle))
            finally:
                os.close(handle)
            os.rename(partial, self._path(name, len(data)))
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        return _Entry(len(data), use)

    def _used(self, name: Name, path: Path) -> None:
        with self._changing:
            if name not in self._entries:
                return  # evicted meanwhile
            self._order.used(name)
        try:
            os.utime(path)
        except OSError as error:  # the order after a restart is a courtesy
            log.debug("%s: %s", path, error)

    def _lost(self, name: Name, why: str) -> None:
        log.warning("%s of %s was damaged on disk and is removed: %s", name.part, name.digest.hex(), why)
        with self._changing:
            self.damaged += 1
        self.remove(name)


def _use(status: os.stat_result) -> int:
    """Bytes that a file takes of the disk."""
    return status.st_blocks * 512


def _use_of(status: os.stat_result) -> int:
    """The same of an object; some file systems tell less until they have written it out."""
    return max(_use(status), _rounded(status.st_size))


def _rounded(size: int) -> int:
    return -(-size // 4096) * 4096


def _read(path: Path, size: int) -> memoryview | None:
    """The whole file, or None where it is shorter. Raises OSError."""
    data = left = buffer(size)
    handle = os.open(path, os.O_RDONLY)
    try:
        while left:
            count = os.readv(handle, [left])
            if count == 0:
                return None
            left = left[count:]
    finally:
        os.close(handle)
    return data.toreadonly()
