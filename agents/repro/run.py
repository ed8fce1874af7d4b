"""Running what was chosen, one figure after the other."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType

from agents.repro import codex, vault
from agents.repro.catalogue import CODEX, VAULT, Entry
from agents.repro.effort import Effort
from agents.repro.figures import Figure

BUILDERS = MappingProxyType({CODEX: codex.FIGURES, VAULT: vault.FIGURES})
"""Paper -> figure -> what runs it again."""


def reproduce(entries: Sequence[Entry], effort: Effort, said: Callable[[str], None]) -> Iterator[Figure]:
    """Each of ``entries``, as it is done; ``said`` hears which is next. Raises what models and simulators raise."""
    for number, entry in enumerate(entries, 1):
        said(f"{number} of {len(entries)}: {entry.heading}")
        began = time.monotonic()
        figure = BUILDERS[entry.paper][entry.name](entry, effort)
        yield replace(figure, seconds=time.monotonic() - began)
