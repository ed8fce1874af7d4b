"""A file on its way in: written in place, with a note of how far it is on disk, so that a killed reading goes on.

::

    <folder>/.<manifest digest>.partial        the bytes, at their offsets
    <folder>/.<manifest digest>.partial.note   how many stripes of them are on disk for certain

The name is the dataset's, so bytes of two datasets never meet; the process that writes holds a lock on it.
"""

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from agents.core.errors import FileRejected, StorageTrouble
from agents.store.files import storage_errors, sync_folder, write_at

NOTE_EVERY = 32 << 20
"""Bytes written between two notes: what a kill can cost."""

NOTE_BYTES = 128
"""Of the note, which is there from the start and written in place: a disk that is full takes it all the same."""


def must_be_new(path: Path) -> None:
    """Raises FileRejected where ``path`` exists or has no folder to be in."""
    if path.exists() or path.is_symlink():
        raise FileRejected(f"{path} exists", "nothing is overwritten", "Name another file with -o, or move it away.")
    if not path.parent.is_dir():
        raise FileRejected(f"{path.parent} is no folder", f"{path} cannot be made in it", "Make it, or name another.")


class PartialFile:
    """The file of one dataset, ``size`` bytes in ``count`` stripes, on its way into ``folder``; a context manager.

    Raises StorageTrouble, DiskFull.
    """

    def __init__(self, folder: Path, digest: bytes, size: int, count: int) -> None:
        self.path = folder / f".{digest.hex()}.partial"
        self._note = self.path.with_name(f"{self.path.name}.note")
        self._size, self._count = size, count
        self._unnoted = 0
        self.stripes = 0
        """Stripes that are in the file already, from the first on."""

    def __enter__(self) -> Self:
        with storage_errors(self.path):
            self._handle = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                self._lock()
                self.stripes = self._noted()
                if not self.stripes:
                    os.ftruncate(self._handle, 0)
                    self._write_note()
                os.ftruncate(self._handle, self._size)
            except BaseException:
                os.close(self._handle)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is on disk is worth keeping; what never got a stripe is litter.
        if kind is not None and self.path.exists():
            with suppress(StorageTrouble):
                self._keep()
            if not self.stripes:
                self.path.unlink(missing_ok=True)
                self._note.unlink(missing_ok=True)
        os.close(self._handle)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageTrouble(
                f"{self.path} is being written", "another process reads the same file into this folder",
                "Wait for it, or read into another folder.",
            ) from None  # fmt: skip

    def _noted(self) -> int:
        """Stripes that are on disk for certain."""
        try:
            noted = json.loads(self._note.read_text())
            whole = noted["size"] == self._size == os.fstat(self._handle).st_size
            stripes = int(noted["stripes"])
            return stripes if whole and 0 <= stripes <= self._count else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def write(self, pieces: list[tuple[int, bytes]]) -> None:
        """Write one more stripe: (offset, bytes) each. Raises DiskFull."""
        with storage_errors(self.path):
            for offset, piece in pieces:
                write_at(self._handle, piece, offset)
                self._unnoted += len(piece)
        self.stripes += 1
        if self._unnoted >= NOTE_EVERY:
            self._keep()

    def _keep(self) -> None:
        with storage_errors(self.path):
            os.fdatasync(self._handle)
            self._write_note()
        self._unnoted = 0

    def _write_note(self) -> None:
        # Cut short by a crash it is no JSON any more, and the reading begins anew.
        text = json.dumps({"size": self._size, "stripes": self.stripes}).encode()
        handle = os.open(self._note, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            write_at(handle, text.ljust(NOTE_BYTES), 0)
            os.fdatasync(handle)
        finally:
            os.close(handle)

    def finish(self, target: Path) -> None:
        """Give the whole file its name. Raises FileRejected where somebody else took it meanwhile."""
        with storage_errors(target):
            os.fsync(self._handle)
            try:
                os.link(self.path, target)  # unlike a rename it never overwrites
            except FileExistsError:
                must_be_new(target)
                raise  # it was there, and is gone: nobody knows what goes on here
            except OSError:
                must_be_new(target)  # a file system without links
                self.path.rename(target)
            self.path.unlink(missing_ok=True)
            self._note.unlink(missing_ok=True)
            sync_folder(target.parent)
