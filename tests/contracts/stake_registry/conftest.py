"""A registry of its own for the calls that only modules may make: its module is a test account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from agents.core.units import TOKEN
from tests.contracts.ground import Ground
from tests.examples import STAKES


@dataclass(frozen=True)
class Vault:
    """A registry, its module, and a provider with a stake of ``STAKED``."""

    registry: Any
    module: Any
    provider: Any


STAKED = 500 * TOKEN


@pytest.fixture
def vault(ground: Ground) -> Vault:
    module, provider = ground.validator, ground.hosts[0]
    registry = ground.owner.deploy(ground.contracts.StakeRegistry, ground.token, STAKES.as_abi(), [module.address])
    for account in (provider, ground.client):
        ground.token.approve(registry, 2**256 - 1, sender=account)
    registry.register("http://provider", sender=provider)
    registry.deposit(STAKED, sender=provider)
    return Vault(registry, module, provider)
