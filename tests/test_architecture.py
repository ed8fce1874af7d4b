"""Which rooms may know which: read from the import statements themselves."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
AGENTS = ROOT / "agents"

KNOWS = {
    "kernels": {
        "core.errors",
        "core.proofs.curve",
        "core.proofs.field",
        "core.proofs.poseidon2",
        "core.proofs.poseidon2_constants",
    },
    "core": {"kernels"},
    "artefacts": set(),
    "chain": {"core", "artefacts"},
    "net": {"core"},
    "store": {"core", "kernels"},
    "proving": {"core", "kernels", "artefacts"},
    "simulation": {"core", "kernels"},
    "learning": {"core", "kernels", "simulation", "artefacts"},
    "roles": {"core", "chain", "net", "store", "proving"},
    "repro": {"core", "simulation"},
    "runtime": {"roles", "core", "chain", "net", "store", "proving", "artefacts"},
    "cli": {
        "runtime",
        "roles",
        "core",
        "chain",
        "net",
        "store",
        "proving",
        "artefacts",
        "demo",
        "repro",
        "simulation",
        "learning",
    },
    "demo": {"runtime", "core", "chain", "proving", "store", "artefacts"},
}
"""Room -> the rooms, or modules, it may import from, besides itself. An adapter never knows another one."""

IMPURE = {
    "asyncio", "fcntl", "http", "io", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "shutil", "signal",
    "socket", "subprocess", "tempfile", "threading", "time", "urllib",
    "aiohttp", "anyio", "eth_account", "requests", "web3",
}  # fmt: skip
"""Sockets, files, clocks, processes and chance: core is given what it needs of them."""

HEAVY = ("ape", "web3", "numba", "llvmlite", "numpy", "aiohttp", "distributed", "matplotlib", "sklearn")
"""What `agent --help` has no use for."""


def modules() -> list[Path]:
    return sorted(AGENTS.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that ``path`` imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module or ""


def room_of(path: Path) -> str:
    parts = path.relative_to(AGENTS).parts
    return parts[0] if len(parts) > 1 else ""


@pytest.mark.parametrize("room", KNOWS)
def test_a_room_knows_only_the_rooms_below_it(room: str) -> None:
    allowed = {room, *KNOWS[room]}
    strays = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        if room_of(path) == room
        for name in imports(path)
        if name.startswith("agents.")
        and not any(name == f"agents.{known}" or name.startswith(f"agents.{known}.") for known in allowed)
    ]
    assert strays == []


def test_every_room_is_in_the_table() -> None:
    assert {room_of(path) for path in modules()} - {""} <= set(KNOWS)


def test_core_has_no_sockets_files_clock_processes_or_chance() -> None:
    strays = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        if room_of(path) == "core"
        for name in imports(path)
        if name.split(".")[0] in IMPURE
    ]
    assert strays == []


def test_packages_do_nothing_when_imported() -> None:
    for path in AGENTS.rglob("__init__.py"):
        body = ast.parse(path.read_text()).body
        assert len(body) == 1, f"{path.relative_to(ROOT)} holds more than a docstring"
        assert isinstance(body[0], ast.Expr), f"{path.relative_to(ROOT)} holds more than a docstring"


def test_every_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    declared = {name_of(requirement) for requirement in [*project["dependencies"], *optional]}
    distributions = packages_distributions()
    missing = {
        f"{name} ({path.relative_to(ROOT)})"
        for path in modules()
        for name in {module.split(".")[0] for module in imports(path)}
        if name not in sys.stdlib_module_names
        and name != "agents"
        and not declared & {found.lower().replace("_", "-") for found in distributions.get(name, [])}
    }
    assert missing == set()


def name_of(requirement: str) -> str:
    """``eth-account`` of ``eth-account>=0.11,<0.14``."""
    end = next((at for at, letter in enumerate(requirement) if letter in "<>=~![; "), len(requirement))
    return requirement[:end].lower().replace("_", "-")


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "sys.argv = ['agent', '--help']\n"
        "from agents.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('HEAVY', sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, env={**os.environ, "TERM": "dumb"},
        check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_modules_fit_in_a_readers_head() -> None:
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()}
    assert {name: lines for name, lines in long.items() if lines > 420} == {}
