"""Where a lane remembers what it has signed: on disk before it is on the wire."""

import os
from pathlib import Path
from typing import Protocol

from agents.core.errors import DiskFull, StorageTrouble


class Journal(Protocol):
    """Small durable records by (kind, key). ``save`` returns only when the record survives a crash."""

    def save(self, kind: str, key: str, value: bytes) -> None:
        """Write or overwrite one record."""

    def load(self, kind: str) -> dict[str, bytes]:
        """All records of a kind, by key."""

    def remove(self, kind: str, key: str) -> None:
        """Forget one record; unknown ones are no error."""


class MemoryJournal:
    """A journal that dies with the process: for one-shot commands whose effects carry no idempotency."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, bytes]] = {}

    def save(self, kind: str, key: str, value: bytes) -> None:
        """Keep one record."""
        self._records.setdefault(kind, {})[key] = value

    def load(self, kind: str) -> dict[str, bytes]:
        """All records of a kind."""
        return dict(self._records.get(kind, {}))

    def remove(self, kind: str, key: str) -> None:
        """Forget one record."""
        self._records.get(kind, {}).pop(key, None)


class FileJournal:
    """One file a record below ``root``, written aside, flushed to disk and renamed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, kind: str, key: str, value: bytes) -> None:
        """Write one record durably. Raises DiskFull, StorageTrouble."""
        path = self._path(kind, key)
        aside = path.with_suffix(".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with aside.open("wb") as file:
                file.write(value)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            directory = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            kind_of = DiskFull if error.errno in (28, 122) else StorageTrouble
            raise kind_of(f"Cannot write {path}", error.strerror or str(error), "Free some room.") from None

    def load(self, kind: str) -> dict[str, bytes]:
        """All records of a kind."""
        files = sorted((self._root / kind).glob("*.record"))
        return {bytes.fromhex(file.stem).decode(): file.read_bytes() for file in files}

    def remove(self, kind: str, key: str) -> None:
        """Forget one record."""
        self._path(kind, key).unlink(missing_ok=True)

    def _path(self, kind: str, key: str) -> Path:
        # Keys hold slashes and colons; their hex does not, and an effect's key stays far below 127 bytes.
        return self._root / kind / f"{key.encode().hex()}.record"
