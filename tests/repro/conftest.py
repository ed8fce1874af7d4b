"""Every figure once, with very little effort, for the whole room."""

from dataclasses import dataclass

import pytest

from agents.repro.catalogue import chosen
from agents.repro.effort import Effort
from agents.repro.figures import Figure
from agents.repro.run import reproduce


@dataclass(frozen=True)
class Least(Effort):
    """A quarter of what --quick does."""

    def count(self, whole: int, quick: int) -> int:
        return max(5, quick // 4) if quick < whole else quick // 2


def figures(effort: Effort, *names: str) -> dict[str, Figure]:
    """By name; all of them where none is named."""
    entries = [entry for entry in chosen() if not names or entry.name in names]
    return {figure.name: figure for figure in reproduce(entries, effort, lambda _: None)}


@pytest.fixture(scope="session")
def every() -> dict[str, Figure]:
    return figures(Least(quick=True))
