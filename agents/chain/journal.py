"""Where a sender remembers what it has signed: on disk before it is on the wire."""

from typing import Protocol


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
