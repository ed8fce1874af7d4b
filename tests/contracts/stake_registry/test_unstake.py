"""StakeRegistry.unstake and collectUnbonded."""

from __future__ import annotations

from typing import Any

from agents.core.units import TOKEN
from tests.contracts.ground import STAKE, Ground, fields
from tests.contracts.stake_registry.conftest import STAKED, Vault
from tests.examples import STAKES


def test_unstaking_leaves_free_at_once_and_is_paid_after_the_delay(ground: Ground, registry: Any) -> None:
    host, amount = ground.hosts[0], 40 * TOKEN

    receipt = registry.unstake(amount, sender=host)

    release = ground.now + STAKES.unbonding_seconds
    assert fields(receipt, registry.UnstakeStarted) == [
        {"provider": host.address, "amount": amount, "releaseAt": release}
    ]
    provider = registry.providerOf(host)
    assert (provider.free, provider.unbonding, provider.releaseAt) == (STAKE - amount, amount, release)
    ground.next_at(release - 1)
    ground.refused(registry.StakeRegistry_StillUnbonding, registry.collectUnbonded, by=host, releaseAt=release)
    ground.next_at(release)

    receipt = registry.collectUnbonded(sender=host)

    assert fields(receipt, registry.Unbonded) == [{"provider": host.address, "amount": amount}]
    assert (registry.providerOf(host).unbonding, ground.credit(host)) == (0, amount)
    ground.refused(registry.StakeRegistry_NothingUnbonding, registry.collectUnbonded, by=host)


def test_a_second_unstake_starts_the_delay_anew_for_all_of_it(ground: Ground, registry: Any) -> None:
    host = ground.hosts[0]
    registry.unstake(TOKEN, sender=host)
    first = registry.providerOf(host).releaseAt
    ground.next_at(first - 1)
    registry.unstake(2 * TOKEN, sender=host)
    provider = registry.providerOf(host)
    assert (provider.unbonding, provider.releaseAt) == (3 * TOKEN, first - 1 + STAKES.unbonding_seconds)
    ground.next_at(first)
    ground.refused(registry.StakeRegistry_StillUnbonding, registry.collectUnbonded, by=host)


def test_below_the_minimum_the_stake_counts_no_more(ground: Ground, registry: Any) -> None:
    host = ground.hosts[0]
    since = registry.providerOf(host).stakedSince
    registry.unstake(STAKE - STAKES.min_stake, sender=host)
    assert registry.providerOf(host).stakedSince == since > 0
    registry.unstake(1, sender=host)
    assert registry.providerOf(host).stakedSince == 0
    registry.deposit(1, sender=host)
    assert registry.providerOf(host).stakedSince == ground.block


def test_refuses_strangers_nothing_and_more_than_is_free(ground: Ground, registry: Any) -> None:
    host = ground.hosts[0]
    ground.refused(registry.StakeRegistry_NotRegistered, registry.unstake, 1, by=ground.stranger)
    ground.refused(registry.StakeRegistry_NotRegistered, registry.collectUnbonded, by=ground.stranger)
    ground.refused(registry.StakeRegistry_ZeroAmount, registry.unstake, 0, by=host)
    ground.refused(
        registry.StakeRegistry_InsufficientFreeStake, registry.unstake, STAKE + 1, by=host, free=STAKE,
        wanted=STAKE + 1,
    )  # fmt: skip


def test_the_minimum_stays_while_anything_is_locked(ground: Ground, vault: Vault) -> None:
    registry, host = vault.registry, vault.provider
    registry.lock(host, 60 * TOKEN, sender=vault.module)
    most = STAKED - STAKES.min_stake
    ground.refused(
        registry.StakeRegistry_BelowMinimumWhileLocked, registry.unstake, most + 1, by=host,
        left=STAKES.min_stake - 1, minimum=STAKES.min_stake,
    )  # fmt: skip
    registry.unstake(most, sender=host)
    registry.unlock(host, 60 * TOKEN, sender=vault.module)
    registry.unstake(STAKES.min_stake, sender=host)
