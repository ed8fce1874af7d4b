"""How busy a provider's prover is: told to the log, and by way of a file to `agent provider status`, another process."""

import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agents.core.proofs.pace import ProvingLoad

log = logging.getLogger(__name__)

NAME = "proving.json"
LOG_SECONDS = 60.0
"""Between two lines of the log about proofs, while there are any."""
OLD_SECONDS = 60.0
"""A provider that was not heard of for so long does not run: it reports at every block."""


class LoadReport:
    """Tells how busy a provider's proving is, in a file of its data directory."""

    def __init__(self, folder: Path, load: Callable[[], ProvingLoad]) -> None:
        self._path = folder / NAME
        self._load = load
        self._logged = (0.0, "")

    def tell(self) -> None:
        """Once a block."""
        load, now = self._load(), time.time()
        partial = self._path.with_name(f"{NAME}.partial")
        with suppress(OSError):  # nobody's slots depend on it
            partial.write_text(json.dumps({"at": now, **load.as_json()}))
            partial.replace(self._path)
        at, line = self._logged
        busy = load.waiting or load.running or load.per_minute
        if busy and now - at >= LOG_SECONDS and str(load) != line:
            log.info("proving: %s", load)
            self._logged = now, str(load)

    def end(self) -> None:
        """Nobody proves here any more."""
        with suppress(OSError):
            self._path.unlink()


def told_load(folder: Path) -> ProvingLoad | None:
    """What the provider that runs in ``folder`` told last, or None where none runs."""
    try:
        found = json.loads((folder / NAME).read_text())
        if time.time() - found.pop("at") > OLD_SECONDS:
            return None
        return ProvingLoad(**found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
