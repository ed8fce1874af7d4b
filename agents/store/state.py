"""An agent's durable state: small records by kind and key in SQLite, each durable when the call returns."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.core.errors import DiskFull, StorageTrouble

SCHEMA = "CREATE TABLE IF NOT EXISTS records (kind TEXT, key TEXT, value BLOB NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID"


class StateStore:
    """Records in ``path``. One process at a time uses it: its folder is locked by the agent."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors():
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute(SCHEMA)
            (answer,) = self._database.execute("PRAGMA quick_check").fetchone()
            if answer != "ok":
                raise sqlite3.DatabaseError(answer)
        self._within = False

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if "full" in str(error):
                raise DiskFull(f"The disk of {self._path} is full", "", "Make room and start again.") from error
            raise StorageTrouble(
                f"The state in {self._path} cannot be used",
                str(error),
                "Move the file away to rebuild what the chain knows; slot data beside it is kept.",
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All records saved and removed in the block, or none."""
        if self._within:
            yield
            return
        with self._errors():
            self._database.execute("BEGIN IMMEDIATE")
        self._within = True
        try:
            yield
            with self._errors():
                self._database.execute("COMMIT")
        except BaseException:
            # A full disk may have rolled it back already, or have left a failed COMMIT's transaction open.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        finally:
            self._within = False

    def save(self, kind: str, key: str, value: bytes) -> None:
        """Write or overwrite one record. Raises DiskFull, StorageTrouble."""
        with self._errors():
            self._database.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (kind, key, value))

    def load(self, kind: str) -> dict[str, bytes]:
        """All records of a kind, by key."""
        with self._errors():
            rows = self._database.execute("SELECT key, value FROM records WHERE kind = ? ORDER BY key", (kind,))
            return {key: bytes(value) for key, value in rows}

    def remove(self, kind: str, key: str) -> None:
        """Forget one record; unknown ones are no error."""
        with self._errors():
            self._database.execute("DELETE FROM records WHERE kind = ? AND key = ?", (kind, key))

    def close(self) -> None:
        """Close the database."""
        self._database.close()
