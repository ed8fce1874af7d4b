"""Which mutants the forge tests kill: each is built and tested in a copy of the tree, never in the tree itself.

The tests run in foundry's profile `mutation`: without the optimiser, which is most of a build's time and changes nothing
that a test may see but gas, and with few fuzzed cases. Tests are linked to the contracts at run time (foundry's
`dynamic_test_linking`), which spares building them anew for each mutant, but lets a test that expects a constructor to revert
pass when it does not: what survives so is tried again without.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import TypeVar

from .mutants import Mutant
from .sources import ROOT, source

T = TypeVar("T")

FORGE = str(ROOT / "scripts" / "forge")

COPIED = ("contracts", "tests/forge", "tests/attacks", "tests/vectors")
HANG_SECONDS = 90
"""Tests of a mutant that take longer than this, where they should take about five, hang: in a loop without end."""


GAS = "^test_gas_"
"""Tests of what calls cost, which differs without the optimiser."""


class Fate(Enum):
    """What becomes of a mutant."""

    KILLED = "killed"
    HUNG = "hung"
    SURVIVED = "survived"
    STILLBORN = "stillborn"


class Workspace:
    """A copy of what forge needs, for one worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def made(cls, folder: Path, *chosen: str) -> Workspace:
        """A new copy in ``folder``, built and tested: exits if its tests fail without any mutation."""
        for part in COPIED:
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns(".cache", "*.py", "__pycache__"))
        for part in ("foundry.toml", "scripts/solc"):
            (folder / part).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / part, folder / part)
        (folder / "node_modules").symlink_to((ROOT / "node_modules").resolve())
        workspace = cls(folder)
        for linked in (False,) if chosen else (True, False):
            fate, said = workspace.test(*chosen, linked=linked)
            if fate is not Fate.SURVIVED:
                raise SystemExit(f"the tests fail ({fate.value}) before anything is mutated:\n{said[-4000:]}")
        return workspace

    def copied(self, folder: Path) -> Workspace:
        """Another one, with what is built already."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Workspace(folder)

    def fate(self, mutant: Mutant, *chosen: str) -> Fate:
        """Tries one mutant, with all tests or those ``chosen``, and puts the source back."""
        place = self.folder / mutant.file
        place.write_text(mutant.text())
        try:
            linked = Fate.SURVIVED if chosen else self.test(linked=True)[0]
            return self.test(*chosen)[0] if linked is Fate.SURVIVED else linked
        finally:
            place.write_bytes(source(mutant.file))

    def test(self, *chosen: str, linked: bool = False) -> tuple[Fate, str]:
        """Runs all tests, or those ``chosen`` with forge's options, until the first that fails; with what forge said."""
        folder = ".build/linked" if linked else ".build/whole"
        own = {"FOUNDRY_OUT": f"{folder}/out", "FOUNDRY_CACHE_PATH": f"{folder}/cache"}
        own |= {"FOUNDRY_PROFILE": "mutation", "FOUNDRY_DYNAMIC_TEST_LINKING": str(linked).lower()}
        process = subprocess.Popen(
            [FORGE, "test", "--fail-fast", "--threads", "1", "--no-match-test", GAS, *chosen],
            cwd=self.folder, env={**os.environ, **own}, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            said, _ = process.communicate(timeout=HANG_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return Fate.HUNG, process.communicate()[0]
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        if process.returncode == 0:
            return Fate.SURVIVED, said
        return (Fate.STILLBORN if "Compiler run failed" in said else Fate.KILLED), said


def fates(mutants: Iterable[Mutant], workers: int, report: Callable[[Mutant, Fate], None]) -> None:
    """Tries every mutant, ``workers`` at a time, and reports each when it is done."""
    tried(mutants, Workspace.fate, workers, report)


def tried(
    changes: Iterable[T], attempt: Callable[[Workspace, T], Fate], workers: int, report: Callable[[T, Fate], None],
    *chosen: str,
) -> None:  # fmt: skip
    """Makes every attempt in some workspace, ``workers`` at a time, and reports each when it is done.

    The unchanged tests that forge's options ``chosen`` name, or all, have passed before.
    """
    with TemporaryDirectory(prefix="holdfast-mutants-") as temporary:
        first = Workspace.made(Path(temporary) / "0", *chosen)
        free: SimpleQueue[Workspace] = SimpleQueue()
        free.put(first)
        for number in range(1, workers):
            free.put(first.copied(Path(temporary) / str(number)))

        def run(change: T) -> tuple[T, Fate]:
            workspace = free.get()
            try:
                return change, attempt(workspace, change)
            finally:
                free.put(workspace)

        with ThreadPoolExecutor(workers) as pool:
            for change, fate in pool.map(run, changes):
                report(change, fate)
