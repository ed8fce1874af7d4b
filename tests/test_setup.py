"""scripts/setup: what it asks for, what it leaves alone, and that the locks pin everything and name no registry."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETUP = ROOT / "scripts" / "setup"

TOOLS = ("bash", "env", "dirname", "mkdir", "cat", "sha256sum", "cut")


def machine(folder: Path, **programs: str) -> dict[str, str]:
    """The environment of a machine that has the shell's tools and ``programs``, scripts by name."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    for name, script in programs.items():
        path = folder / name
        path.write_text(f"#!{shutil.which('bash')}\n{script}\n")
        path.chmod(0o755)
    return {"PATH": str(folder), "HOME": str(folder)}


OLD_NODE = 'if [ "$1" = --version ]; then echo v18.19.0; else exit 1; fi'


@pytest.mark.parametrize(
    ("programs", "message"),
    [
        ({}, "no Python 3.11 or 3.12 found"),
        ({"python3": "exit 1"}, "no Python 3.11 or 3.12 found"),
        ({"python3.12": "exit 0"}, "no node found. Install Node 20"),
        ({"python3.11": "exit 0", "node": OLD_NODE}, "node v18.19.0 is too old. Install Node 20 or later"),
        ({"python3.11": "exit 0", "node": "exit 0"}, "no npm found"),
    ],
)
def test_says_what_the_machine_lacks(tmp_path: Path, programs: dict[str, str], message: str) -> None:
    done = subprocess.run([str(SETUP)], env=machine(tmp_path, **programs), capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_second_run_leaves_everything_alone(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run([str(SETUP)], env=environment, capture_output=True, check=True)
    watched = [ROOT / "package-lock.json", *(ROOT / "agents" / "artefacts").rglob("*.*")]
    before = {path: path.stat().st_mtime_ns for path in watched}
    done = subprocess.run([str(SETUP)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("Python packages", "Node packages", "circuits", "contracts"):
        assert re.search(rf"{part} are current", done.stdout), done.stdout
    assert {path: path.stat().st_mtime_ns for path in watched} == before


def test_every_python_package_is_pinned_by_hash() -> None:
    lines = (ROOT / "requirements" / "dev.txt").read_text().splitlines()
    pinned = [at for at, line in enumerate(lines) if re.match(r"[a-z0-9][a-z0-9._-]*==", line, re.IGNORECASE)]
    assert len(pinned) > 50
    assert [lines[at] for at in pinned if "--hash=sha256:" not in lines[at + 1]] == []
    assert [line for line in lines if not line.startswith((" ", "#")) and "==" not in line] == []


def test_no_registry_is_named_anywhere() -> None:
    known = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    hosts = [b"registry." + b"npmjs", b"files." + b"pythonhosted", b"pypi." + b"org", b"registry." + b"yarnpkg"]
    naming = [
        name
        for name in known.split("\0")
        if name and (ROOT / name).is_file() and any(host in (ROOT / name).read_bytes() for host in hosts)
    ]
    assert naming == []
