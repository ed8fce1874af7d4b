"""What only modules may call: lock, unlock, slash, credit, pull, pullWithPermit."""

from __future__ import annotations

from typing import Any

from agents.core.units import TOKEN
from tests.contracts.ground import Ground, fields, permit
from tests.contracts.stake_registry.conftest import STAKED, Vault
from tests.examples import STAKES


def parts(vault: Vault) -> tuple[int, int]:
    """The provider's free and locked stake."""
    provider = vault.registry.providerOf(vault.provider)
    return int(provider.free), int(provider.locked)


def test_nobody_else_may_call_them(ground: Ground, registry: Any, vault: Vault) -> None:
    for stranger, target in ((ground.stranger, vault.registry), (vault.module, registry)):
        for method in (target.lock, target.unlock, target.slash, target.credit, target.pull):
            ground.refused(
                target.StakeRegistry_NotModule, method, vault.provider, 1, by=stranger, caller=stranger.address
            )
        signed = (2**40, 27, b"\1" * 32, b"\2" * 32)
        ground.refused(target.StakeRegistry_NotModule, target.pullWithPermit, vault.provider, 1, *signed, by=stranger)


def test_lock_and_unlock_move_stake_to_and_fro(ground: Ground, vault: Vault) -> None:
    registry, amount = vault.registry, 30 * TOKEN
    moved = {"provider": vault.provider.address, "amount": amount}
    assert fields(registry.lock(vault.provider, amount, sender=vault.module), registry.Locked) == [moved]
    assert parts(vault) == (STAKED - amount, amount)
    ground.refused(
        registry.StakeRegistry_InsufficientLockedStake, registry.unlock, vault.provider, amount + 1,
        by=vault.module, locked=amount, wanted=amount + 1,
    )  # fmt: skip
    assert fields(registry.unlock(vault.provider, amount, sender=vault.module), registry.Unlocked) == [moved]
    assert parts(vault) == (STAKED, 0)
    assert registry.liabilities() == STAKED


def test_lock_takes_only_free_stake_of_providers_with_the_minimum(ground: Ground, vault: Vault) -> None:
    registry = vault.registry
    ground.refused(registry.StakeRegistry_NotRegistered, registry.lock, ground.stranger, 1, by=vault.module)
    ground.refused(
        registry.StakeRegistry_InsufficientFreeStake, registry.lock, vault.provider, STAKED + 1, by=vault.module,
        free=STAKED, wanted=STAKED + 1,
    )  # fmt: skip
    registry.unstake(STAKED - 5, sender=vault.provider)
    ground.refused(
        registry.StakeRegistry_BelowMinimumStake, registry.lock, vault.provider, 1, by=vault.module,
        staked=5, minimum=STAKES.min_stake,
    )  # fmt: skip


def test_slash_moves_locked_stake_to_the_pool_and_credit_out_of_it(ground: Ground, vault: Vault) -> None:
    registry, module, provider = vault.registry, vault.module, vault.provider
    registry.lock(provider, STAKED, sender=module)
    ground.refused(
        registry.StakeRegistry_InsufficientLockedStake, registry.slash, provider, STAKED + 1, by=module,
        locked=STAKED, wanted=STAKED + 1,
    )  # fmt: skip
    receipt = registry.slash(provider, STAKED - STAKES.min_stake, sender=module)
    taken = STAKED - STAKES.min_stake
    assert fields(receipt, registry.Slashed) == [{"provider": provider.address, "amount": taken}]
    assert (parts(vault), registry.poolOf(module)) == ((0, STAKES.min_stake), taken)
    assert registry.providerOf(provider).stakedSince > 0
    registry.slash(provider, 1, sender=module)
    # Below the minimum a provider is offered no slots until it adds stake.
    assert registry.providerOf(provider).stakedSince == 0

    receipt = registry.credit(ground.client, taken, sender=module)
    assert fields(receipt, registry.Credited) == [{"account": ground.client.address, "amount": taken}]
    assert (registry.poolOf(module), registry.creditOf(ground.client)) == (1, taken)
    ground.refused(
        registry.StakeRegistry_InsufficientPool, registry.credit, ground.client, 2, by=module, pool=1, wanted=2
    )
    assert registry.liabilities() == STAKED == ground.token.balanceOf(registry)


def test_pull_takes_tokens_into_the_pool(ground: Ground, vault: Vault, token: Any) -> None:
    registry, module, client = vault.registry, vault.module, ground.client
    receipt = registry.pull(client, 9 * TOKEN, sender=module)
    assert fields(receipt, registry.Pulled) == [{"from": client.address, "amount": 9 * TOKEN}]
    assert (registry.poolOf(module), registry.liabilities()) == (9 * TOKEN, STAKED + 9 * TOKEN)
    token.approve(registry, 0, sender=client)
    ground.refused(token.ERC20InsufficientAllowance, registry.pull, client, 1, by=module)
    signed = permit(token, client, registry.address, TOKEN, ground.now + 1_000)
    registry.pullWithPermit(client, TOKEN, *signed, sender=module)
    assert registry.poolOf(module) == 10 * TOKEN
    assert token.balanceOf(registry) == registry.liabilities()
