"""tests/attacks/mutations.toml: the attacks, each with the change of the contracts that lets it succeed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .mutants import Mutant
from .runs import Fate, Workspace, tried
from .sources import ROOT, source

FOLDER = ROOT / "tests" / "attacks"
TABLE = FOLDER / "mutations.toml"


@dataclass(frozen=True)
class Mutation:
    """One row of the table."""

    attack: str
    """The name of the test."""
    file: str
    was: str
    """A part of the file that is in it once."""
    now: str

    def mutant(self) -> Mutant:
        """The changed source; raises ValueError if ``was`` is not in the file exactly once."""
        text = source(self.file)
        was = self.was.encode()
        if text.count(was) != 1:
            raise ValueError(f"{self.attack}: {self.file} has this {text.count(was)} times, not once: {self.was!r}")
        start = text.index(was)
        return Mutant(self.file, "", "attack", start, start + len(was), self.now)


def mutations() -> list[Mutation]:
    """The table."""
    return [Mutation(**row) for row in tomllib.loads(TABLE.read_text())["mutation"]]


def attacks() -> list[str]:
    """The names of all tests of attacks."""
    found = []
    for path in sorted(FOLDER.glob("*.t.sol")):
        found += re.findall(r"function (test\w+)\(", path.read_text())
    return found


def attempts(chosen: Iterable[Mutation], workers: int, report: Callable[[Mutation, Fate], None]) -> None:
    """Tries each attack on contracts without its defence: KILLED means that it succeeded, and its test told.

    All attacks' tests have passed on the contracts as they are.
    """
    tried(chosen, _attempt, workers, report, "--match-path", "tests/attacks/*")


def _attempt(workspace: Workspace, mutation: Mutation) -> Fate:
    return workspace.fate(
        mutation.mutant(), "--match-path", "tests/attacks/*", "--match-test", rf"^{mutation.attack}\("
    )
