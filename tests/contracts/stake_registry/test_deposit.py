"""StakeRegistry.deposit and depositWithPermit."""

from __future__ import annotations

from typing import Any

from agents.core.units import TOKEN
from tests.contracts.ground import Ground, fields, permit
from tests.examples import STAKES


def test_a_deposit_is_free_stake_and_counts_from_the_minimum_on(ground: Ground, registry: Any, token: Any) -> None:
    who = ground.stranger
    registry.register("http://me", sender=who)
    owed, held = registry.liabilities(), token.balanceOf(who)

    receipt = registry.deposit(STAKES.min_stake - 1, sender=who)

    assert fields(receipt, registry.Deposited) == [{"provider": who.address, "amount": STAKES.min_stake - 1}]
    assert (registry.providerOf(who).free, registry.providerOf(who).stakedSince) == (STAKES.min_stake - 1, 0)
    registry.deposit(1, sender=who)
    since = ground.block
    registry.deposit(5 * TOKEN, sender=who)
    assert registry.providerOf(who).stakedSince == registry.placementOf(who).eligibleSince == since
    total = STAKES.min_stake + 5 * TOKEN
    assert registry.liabilities() - owed == total == held - token.balanceOf(who)


def test_a_permit_replaces_the_allowance(ground: Ground, registry: Any, token: Any) -> None:
    host = ground.hosts[0]
    token.approve(registry, 0, sender=host)
    ground.refused(token.ERC20InsufficientAllowance, registry.deposit, TOKEN, by=host)
    free = registry.providerOf(host).free
    signed = permit(token, host, registry.address, TOKEN, ground.now + 1_000)
    receipt = registry.depositWithPermit(TOKEN, *signed, sender=host)
    assert fields(receipt, registry.Deposited) == [{"provider": host.address, "amount": TOKEN}]
    assert registry.providerOf(host).free - free == TOKEN


def test_a_permit_of_somebody_else_deposits_nothing(ground: Ground, registry: Any, token: Any) -> None:
    host, other = ground.hosts[:2]
    token.approve(registry, 0, sender=host)
    signed = permit(token, other, registry.address, TOKEN, ground.now + 1_000)
    ground.refused(token.ERC20InsufficientAllowance, registry.depositWithPermit, TOKEN, *signed, by=host)


def test_refuses_strangers_nothing_and_too_much(ground: Ground, registry: Any) -> None:
    host = ground.hosts[0]
    ground.refused(registry.StakeRegistry_NotRegistered, registry.deposit, 1, by=ground.stranger)
    ground.refused(registry.StakeRegistry_ZeroAmount, registry.deposit, 0, by=host)
    room = 2**128 - 1 - registry.providerOf(host).free
    ground.refused(
        registry.StakeRegistry_AmountTooLarge, registry.deposit, room + 1, by=host, amount=room + 1, room=room
    )


def test_refuses_a_token_that_arrives_in_part(ground: Ground) -> None:
    taxed = ground.owner.deploy(ground.contracts.TaxedToken, 10**6 * TOKEN)
    registry = ground.owner.deploy(ground.contracts.StakeRegistry, taxed, STAKES.as_abi(), [ground.validator.address])
    taxed.approve(registry, 2**256 - 1, sender=ground.owner)
    registry.register("http://me", sender=ground.owner)
    ground.refused(
        registry.StakeRegistry_UnexpectedAmount, registry.deposit, 100, by=ground.owner, expected=100, received=99
    )
    ground.refused(
        registry.StakeRegistry_UnexpectedAmount, registry.pull, ground.owner, 100, by=ground.validator, expected=100
    )
