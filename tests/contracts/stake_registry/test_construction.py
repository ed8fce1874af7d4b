"""What a StakeRegistry refuses to be made of, and what it says of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.contracts.ground import Ground
from tests.examples import STAKES

ZERO = "0x0000000000000000000000000000000000000000"


def test_says_what_it_was_made_of(ground: Ground, registry: Any) -> None:
    assert registry.token() == ground.token
    assert tuple(registry.config()) == STAKES.as_abi()
    assert registry.isModule(ground.market)
    assert not registry.isModule(ground.owner)


@pytest.mark.parametrize(
    ("error", "changes"),
    [
        ("StakeRegistry_ZeroAddress", {"token": ZERO}),
        ("StakeRegistry_ZeroAddress", {"stakes": replace(STAKES, sink=ZERO)}),
        ("StakeRegistry_ZeroAddress", {"modules": [ZERO]}),
        ("StakeRegistry_NoModules", {"modules": []}),
        ("StakeRegistry_UnbondingTooLong", {"stakes": replace(STAKES, unbonding_seconds=10 * 365 * 86_400 + 1)}),
    ],
)
def test_refuses_to_be_made_of(ground: Ground, error: str, changes: dict[str, Any]) -> None:
    made_of: dict[str, Any] = {"token": ground.token, "stakes": STAKES, "modules": [ground.stranger.address]}
    made_of |= changes
    args = (made_of["token"], made_of["stakes"].as_abi(), made_of["modules"])
    ground.not_deployed(getattr(ground.registry, error), ground.contracts.StakeRegistry, *args)
