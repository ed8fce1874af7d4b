"""Files that survive: written whole or not at all, with a full disk told apart from other trouble."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from agents.core.errors import DataDirInUse, DiskFull, StorageTrouble

UNREADABLE = (errno.EIO, errno.ENOENT)
"""What the system says where a disk has lost a part of a file, or all of it."""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """OSErrors of the block as DiskFull or StorageTrouble."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"The disk of {path} is full", "", "Make room and start again; nothing is lost.") from error
        raise StorageTrouble(f"Cannot use {path}", error.strerror or str(error), "Check the disk.") from error


def write_at(handle: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of ``data``: the system may take less, and takes none where a disk is full. Raises OSError."""
    left = memoryview(data).cast("B")
    while left:
        written = os.pwrite(handle, left, offset)
        if written == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left, offset = left[written:], offset + written


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` durably under its final name or not at all. Raises DiskFull, StorageTrouble."""
    with storage_errors(path):
        partial = path.with_name(f"{path.name}.partial")
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def lock_folder(folder: Path, name: str = "lock") -> IO[str]:
    """Hold ``folder`` for this process until the result is closed. Raises DataDirInUse, StorageTrouble.

    Locks of different names are different locks: the agent's own is held around that of its slots.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = (folder / name).open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        owner = handle.read().strip() or "another process"
        handle.close()
        raise DataDirInUse(
            f"{folder} is in use", f"process {owner} runs on it",
            "Wait until that command is done or stop that agent, or choose another --data-dir.",
        ) from None  # fmt: skip
    # The number is a courtesy to whoever is refused: a full disk must not keep an agent from what it holds.
    with suppress(OSError):
        os.ftruncate(handle.fileno(), 0)
        os.write(handle.fileno(), str(os.getpid()).encode())
    return handle
