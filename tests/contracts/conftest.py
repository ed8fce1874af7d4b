"""A market on ape's local chain: deployed once, every test isolated by ape's snapshots, its books checked at the end."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ape.contracts import ContractContainer
from ethpm_types import ContractType

from tests.contracts.ground import Ground

ROOT = Path(__file__).resolve().parents[2]


class Contracts:
    """What forge made of contracts/ with the settings of what ships, the tests' own contracts included, by name.

    Not ape's own compilation: it misses changes of interfaces, and contracts in checkouts below /tmp.
    """

    def __init__(self, built: Path) -> None:
        self._built = built

    def __getattr__(self, name: str) -> ContractContainer:
        made = json.loads((self._built / f"{name}.sol" / f"{name}.json").read_text())
        codes = {
            "deploymentBytecode": made["bytecode"]["object"],
            "runtimeBytecode": made["deployedBytecode"]["object"],
        }
        described = {kind: {"bytecode": code} for kind, code in codes.items()}
        return ContractContainer(ContractType.model_validate({"abi": made["abi"], "contractName": name} | described))


@pytest.fixture(scope="session", autouse=True)
def _ended_chains_are_forgotten(networks: Any) -> None:
    """Ape remembers every chain that it started, also once it has ended, and goes through all of them when it exits: after
    two hundred runs that takes a quarter of a minute."""
    nodes = networks.running_nodes
    nodes.remove_processes(*(pid for pid in nodes.process_ids if not _is_running(pid)))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@pytest.fixture(scope="session")
def contracts() -> Contracts:
    """The contracts as they are in the sources; forge compiles what has changed."""
    (ROOT / ".build").mkdir(exist_ok=True)
    with (ROOT / ".build" / "forge.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        forge = [str(ROOT / "scripts" / "forge"), "build", "contracts"]
        shipped = {**os.environ, "FOUNDRY_PROFILE": "ship"}
        done = subprocess.run(forge, cwd=ROOT, env=shipped, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Contracts(ROOT / ".build" / "forge" / "ship")


@pytest.fixture(scope="session")
def deployed(contracts: Contracts, accounts: Any, chain: Any) -> Ground:
    """The market of all tests, whose verifier accepts any proof but one."""
    return Ground.deploy(contracts, accounts, chain, accounts[0].deploy(contracts.AcceptAllVerifier))


@pytest.fixture
def ground(deployed: Ground) -> Iterator[Ground]:
    """The market, whose books must balance after every test."""
    yield deployed
    deployed.assert_books()


@pytest.fixture
def market(ground: Ground) -> Any:
    return ground.market


@pytest.fixture
def registry(ground: Ground) -> Any:
    return ground.registry


@pytest.fixture
def token(ground: Ground) -> Any:
    return ground.token
