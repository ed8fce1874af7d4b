"""`pip install .` gives `agent` and all it needs at run time: no ape, no compiler, no file of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ALONE = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"ape", "ape_foundry", "ape_solidity", "solcx", "setuptools", "pytest", "distributed"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NotInstalled())
import agents
assert agents.__file__.startswith(sys.argv[1]), agents.__file__
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as pip would install it, built from a copy of the files git knows."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    known = subprocess.run(
        ["git", "ls-files", "agents", "pyproject.toml", "README.md", "LICENSE"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in known:
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, str(source)], check=True)
    (built,) = folder.glob("holdfast-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """Where the package is unpacked, alone."""
    folder = wheel.parent / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, program: str) -> str:
    """What ``program`` prints, with the installed package and without what only developers have."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE + program, str(installed)],
        cwd=installed.parent, env={**os.environ, "PYTHONPATH": str(installed)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_the_agents_and_their_artefacts_alone(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "agents/cli/main.py",
        "agents/proving/worker.cjs",
        "agents/artefacts/contracts/Marketplace.json",
        "agents/artefacts/contracts/Extensions.json",
        "agents/artefacts/contracts/StakeRegistry.json",
        "agents/artefacts/contracts/PaymentChannels.json",
        "agents/artefacts/contracts/CacheDirectory.json",
        "agents/artefacts/contracts/TestToken.json",
        "agents/artefacts/contracts/DevnetVerifier.json",
        "agents/artefacts/contracts/CodexVerifier.json",
        "agents/artefacts/contracts/ProductionVerifier.json",
        "agents/artefacts/circuits/devnet/storage_proof.wasm",
        "agents/artefacts/circuits/devnet/storage_proof.r1cs.xz",
        "agents/artefacts/circuits/devnet/verification_key.json",
        "agents/artefacts/circuits/codex/storage_proof.wasm",
        "agents/artefacts/circuits/codex/verification_key.json",
        "agents/artefacts/circuits/production/storage_proof.wasm",
        "agents/artefacts/circuits/production/verification_key.json",
    ):
        assert needed in names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"agents"}


def test_agent_answers_without_apes_and_compilers(installed: Path) -> None:
    said = run(
        installed,
        "sys.argv = ['agent', '--help']\nfrom agents.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n",
    )
    for command in ("provider", "client", "validator", "market", "wallet", "devnet", "keys", "demo"):
        assert command in said


def test_artefacts_are_found_in_the_package(installed: Path) -> None:
    said = run(
        installed,
        "from agents.artefacts.files import circuit_folder, verification_key\n"
        "from agents.chain.codec import artefact\n"
        "from agents.chain.deploy import verifiers\n"
        "for name in ('Marketplace', 'StakeRegistry', 'TestToken', *verifiers().values()):\n"
        "    assert len(artefact(name).bytecode) > 1000, name\n"
        "for profile in verifiers():\n"
        "    assert verification_key(profile)['insecure']\n"
        "    print(circuit_folder(profile))\n",
    )
    assert all(line.startswith(str(installed)) for line in said.splitlines())


def test_every_module_imports(installed: Path) -> None:
    run(
        installed,
        "import importlib, pkgutil\n"
        "for found in pkgutil.walk_packages(agents.__path__, 'agents.'):\n"
        "    if not found.name.endswith('__main__'):\n"
        "        importlib.import_module(found.name)\n",
    )
