"""A market on ape's local chain: deployed once, every test isolated by ape's snapshots, its books checked at the end."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.ground import Ground

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def contracts(project: Any) -> Any:
    """ape's project, compiled from the sources as they are.

    ape by itself compiles a contract anew when its own file changed, but not when an interface it implements did. Workers
    of a parallel run share one compilation, made beforehand (`ape compile --force`).
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        return project
    sources = sorted(path for path in (ROOT / "contracts").rglob("*.sol") if ".cache" not in path.parts)
    digest = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in sources)).hexdigest()
    stamp = ROOT / ".build" / "ape.stamp"
    if not stamp.exists() or stamp.read_text() != digest:
        project.clean()
        project.load_contracts()
        stamp.write_text(digest)
    return project


@pytest.fixture(scope="session")
def deployed(contracts: Any, accounts: Any, chain: Any) -> Ground:
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
