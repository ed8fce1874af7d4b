"""A market on ape's local chain: deployed once, every test isolated by ape's snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.ground import Ground


@pytest.fixture(scope="session")
def ground(project: Any, accounts: Any, chain: Any) -> Ground:
    return Ground.deploy(project, accounts, chain)


@pytest.fixture
def market(ground: Ground) -> Any:
    return ground.market


@pytest.fixture
def registry(ground: Ground) -> Any:
    return ground.registry
