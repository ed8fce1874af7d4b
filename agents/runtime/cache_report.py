"""What a cache serves and earns, told by way of a file to `agent cache status`, another process."""

import json
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agents.core.errors import NotFound
from agents.roles.caching.cashier import Cashier
from agents.roles.caching.shelf import CachingShelf
from agents.runtime.accounts import own_address
from agents.runtime.acting import agent_folder, free_folder
from agents.runtime.settings import Place
from agents.store.cache.disk import DiskCache

NAME = "cache.json"
OLD_SECONDS = 30.0
"""A cache that was not heard of for so long does not run."""
AGAIN_SECONDS = 10.0
"""How often it is heard of when nothing has changed."""


class CacheReport:
    """Writes how a cache stands into its data directory. Amounts are strings, sizes numbers of bytes."""

    def __init__(self, folder: Path, shelf: CachingShelf, disk: DiskCache, cashier: Cashier | None) -> None:
        self._path = folder / NAME
        self._shelf = shelf
        self._disk = disk
        self._cashier = cashier
        self._running = True
        self._writing = threading.Lock()
        self._told: tuple[float, dict[str, Any]] = (0.0, {})

    def tell(self) -> None:
        """As things are now, if that is news."""
        with self._writing:
            if self._running:
                self._write(self._facts())

    def end(self) -> None:
        """The last time."""
        with self._writing:
            self._running = False
            self._write(self._facts())

    def _write(self, facts: dict[str, Any]) -> None:
        at, before = self._told
        now = time.time()
        if facts == before and now - at < AGAIN_SECONDS:
            return
        partial = self._path.with_name(f"{NAME}.partial")
        with suppress(OSError):  # nobody's money depends on it
            partial.write_text(json.dumps({"at": now, **facts}))
            partial.replace(self._path)
            self._told = now, facts

    def _facts(self) -> dict[str, Any]:
        figures = self._shelf.figures
        facts: dict[str, Any] = {
            "running": self._running,
            "requests": {"hot": figures.hot, "disk": figures.disk, "origin": figures.origin},
            "bytes": {
                "hot": figures.hot_bytes,
                "disk": figures.disk_bytes,
                "origin": self._shelf.origin_bytes,
                "written": figures.written_bytes,
            },
            "memory": {"used": self._shelf.memory_used, "budget": self._shelf.memory},
            "disk": {"used": self._disk.used, "budget": self._disk.budget, "damaged": self._disk.damaged},
        }
        if self._cashier is not None:
            books = asdict(self._cashier.books())
            counts = {name: books.pop(name) for name in ("served", "lanes")}
            facts["books"] = {**{name: str(amount) for name, amount in books.items()}, **counts}
        return facts


def cache_facts(place: Place, free: bool) -> dict[str, Any]:
    """What the cache of ``place`` told last, that of its account or the one without any. Raises NotFound."""
    if free or place.data_dir is not None:
        return told_cache(free_folder(place, "cache"))
    return told_cache(agent_folder(place, "cache", own_address(place)))


def told_cache(folder: Path) -> dict[str, Any]:
    """What the cache in ``folder`` told last. Raises NotFound where there was none."""
    try:
        facts = dict(json.loads((folder / NAME).read_text()))
        facts["running"] = facts["running"] and time.time() - facts["at"] < OLD_SECONDS
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise NotFound(
            f"No cache ever ran in {folder}", "", "Start one with `agent cache`, or name its --data-dir."
        ) from error
    return facts
