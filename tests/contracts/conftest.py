"""A market on ape's local chain: deployed once, every test isolated by ape's snapshots, its books checked at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contracts.ground import Ground


@pytest.fixture(scope="session")
def deployed(project: Any, accounts: Any, chain: Any) -> Ground:
    """The market of all tests, whose verifier accepts any proof but one."""
    return Ground.deploy(project, accounts, chain, accounts[0].deploy(project.AcceptAllVerifier))


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
