"""What a Marketplace refuses to be made of, and what it says of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agents.chain.deploy import create_address
from agents.core.market.types import MarketConfig
from tests.contracts.ground import Ground
from tests.examples import MARKET, STAKES

SECONDS = 2 * (MARKET.period_blocks + MARKET.mark_blocks) * MARKET.block_seconds


def test_says_what_it_was_made_of(ground: Ground, market: Any) -> None:
    assert tuple(market.config()) == MARKET.as_abi()
    assert market.registry() == ground.registry
    assert market.verifier() != market.registry()
    assert ground.extensions.market() == market


def registry_of(ground: Ground, ahead: int = 0) -> Any:
    """A registry that expects its market to be the owner's next transaction, or one ``ahead`` of that."""
    modules = [create_address(ground.owner.address, ground.owner.nonce + 1 + ahead)]
    return ground.owner.deploy(ground.contracts.StakeRegistry, ground.token, STAKES.as_abi(), modules)


def refused(ground: Ground, field: str, config: MarketConfig, registry: Any, verifier: Any) -> None:
    """The next transaction of the owner could not deploy this market, because of ``field``."""
    made_of = (registry, verifier, config.as_abi())
    ground.not_deployed(ground.market.Marketplace_InvalidConfig, ground.contracts.Marketplace, *made_of, field=field)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("periodBlocks", {"period_blocks": 1}),
        ("periodBlocks", {"period_blocks": 8_192}),
        ("markBlocks", {"mark_blocks": 0}),
        ("markBlocks", {"mark_blocks": 8_182, "period_blocks": 10}),
        ("markBlocks", {"mark_blocks": 321}),
        ("blockSeconds", {"block_seconds": 0}),
        ("settleSeconds", {"settle_seconds": SECONDS - 1}),
        ("maxMisses", {"max_misses": 0}),
        ("maxMisses", {"max_misses": 256, "slash_bps": 1}),
        ("slashBps", {"slash_bps": 3_334}),
        ("validatorBps", {"validator_bps": 10_001, "slash_bps": 1}),
        ("bountyBps", {"bounty_bps": 8_401}),
        ("bondBps", {"bond_bps": 10_001}),
        ("reserveSeconds", {"reserve_seconds": 0}),
        ("repairWindow", {"repair_window": 0}),
        ("minTermPeriods", {"min_term_periods": 2**32}),
        ("maxDuration", {"max_duration": 1}),
        ("maxDuration", {"max_duration": 2**32 - MARKET.reserve_seconds}),
        ("minExtension", {"min_extension": MARKET.period_seconds - 1}),
        ("minExtension", {"min_extension": 2**32}),
    ],
)
def test_refuses_rules_that_cannot_hold(ground: Ground, field: str, changes: dict[str, int]) -> None:
    refused(ground, field, replace(MARKET, **changes), registry_of(ground), ground.market.verifier())


def test_refuses_a_verifier_without_code_and_a_vault_that_does_not_know_it(ground: Ground) -> None:
    refused(ground, "verifier", MARKET, registry_of(ground), ground.stranger.address)
    refused(ground, "registry", MARKET, registry_of(ground, ahead=1), ground.market.verifier())


def test_accepts_rules_at_their_limits(ground: Ground) -> None:
    edges = replace(
        MARKET, mark_blocks=320, settle_seconds=660, bounty_bps=8_400, bond_bps=10_000, period_blocks=10,
        max_duration=2**32 - 1 - MARKET.reserve_seconds, min_extension=MARKET.period_seconds,
    )  # fmt: skip
    market = ground.owner.deploy(
        ground.contracts.Marketplace, registry_of(ground), ground.market.verifier(), edges.as_abi()
    )
    assert tuple(market.config()) == edges.as_abi()
