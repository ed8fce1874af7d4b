"""Attacks on the vault itself."""

from __future__ import annotations

from typing import Any

import pytest

from agents.core.units import TOKEN
from tests.contracts.ground import Ground
from tests.examples import STAKES


@pytest.fixture
def hostile(ground: Ground) -> Any:
    """A vault, whose module is the validator, of a token that calls back; the provider has stake and credit in it."""
    owner, provider = ground.owner, ground.hosts[0]
    token = owner.deploy(ground.contracts.CallbackToken, 10**6 * TOKEN)
    vault = owner.deploy(ground.contracts.StakeRegistry, token, STAKES.as_abi(), [ground.validator.address])
    for account in (provider, ground.client):
        token.transfer(account, 10_000 * TOKEN, sender=owner)
        token.approve(vault, 2**256 - 1, sender=account)
    vault.register("http://provider", sender=provider)
    vault.deposit(1_000 * TOKEN, sender=provider)
    vault.pull(ground.client, 100 * TOKEN, sender=ground.validator)
    vault.credit(provider, 60 * TOKEN, sender=ground.validator)
    return vault


def test_a_token_that_calls_back_finds_every_door_locked(ground: Ground, hostile: Any) -> None:
    token, provider = ground.contracts.CallbackToken.at(hostile.token()), ground.hosts[0]
    doors = [
        hostile.withdraw.encode_input(ground.stranger.address),
        hostile.deposit.encode_input(TOKEN),
    ]
    for door in doors:
        token.arm(hostile, door, sender=ground.stranger)
        calls = ((hostile.withdraw, (provider,), provider), (hostile.deposit, (TOKEN,), provider))
        for method, arguments, who in calls:
            # The token itself has neither stake nor credit: without the guard it would get as far as those.
            error = hostile.ReentrancyGuardReentrantCall
            if method is hostile.deposit and door == doors[1]:
                error = hostile.StakeRegistry_NotRegistered
            ground.refused(error, method, *arguments, by=who)
    token.arm("0x0000000000000000000000000000000000000000", b"", sender=ground.stranger)
    assert hostile.liabilities() == token.balanceOf(hostile) == 1_100 * TOKEN
    hostile.withdraw(provider, sender=provider)
    assert hostile.liabilities() == token.balanceOf(hostile) == 1_040 * TOKEN


def test_tokens_sent_unasked_are_nobodys_stake(deployed: Ground) -> None:
    registry, token, stranger = deployed.registry, deployed.token, deployed.stranger
    owed = registry.liabilities()
    token.transfer(registry, TOKEN, sender=stranger)
    assert registry.liabilities() == owed == token.balanceOf(registry) - TOKEN
    deployed.refused(registry.StakeRegistry_NothingToWithdraw, registry.withdraw, stranger, by=stranger)


def test_nobody_makes_himself_a_module(ground: Ground, registry: Any) -> None:
    for account in (ground.owner, ground.stranger, ground.hosts[0]):
        assert not registry.isModule(account)
        ground.refused(registry.StakeRegistry_NotModule, registry.credit, account, 1, by=account)
