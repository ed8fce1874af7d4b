"""StakeRegistry.register and setEndpoint, and what providerOf and placementOf say."""

from __future__ import annotations

from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.contracts.ground import Ground, fields


def test_registers_once_and_for_ever_under_an_id_nobody_can_choose(ground: Ground, registry: Any) -> None:
    who = ground.stranger

    receipt = registry.register("http://me", sender=who)

    before = ground.chain.blocks[ground.block - 1]
    id = keccak(encode(["address", "bytes32"], [who.address, bytes(before.hash)]))
    assert fields(receipt, registry.Registered) == [{"provider": who.address, "id": id, "endpoint": "http://me"}]
    provider = registry.providerOf(who)
    assert (provider.id, provider.registeredBlock, provider.endpoint) == (id, ground.block, "http://me")
    assert (provider.stakedSince, provider.free, provider.locked, provider.unbonding) == (0, 0, 0, 0)
    assert tuple(registry.placementOf(who)) == (id, 0)
    ground.refused(
        registry.StakeRegistry_AlreadyRegistered, registry.register, "http://again", by=who, provider=who.address
    )


def test_an_endpoint_can_change(ground: Ground, registry: Any) -> None:
    host = ground.hosts[0]
    receipt = registry.setEndpoint("http://elsewhere", sender=host)
    assert fields(receipt, registry.EndpointChanged) == [{"provider": host.address, "endpoint": "http://elsewhere"}]
    assert registry.providerOf(host).endpoint == "http://elsewhere"


def test_refuses_endpoints_of_no_or_absurd_length_and_strangers(ground: Ground, registry: Any) -> None:
    for endpoint in ("", "x" * 257):
        length = {"length": len(endpoint)}
        ground.refused(registry.StakeRegistry_BadEndpoint, registry.register, endpoint, by=ground.stranger, **length)
        ground.refused(registry.StakeRegistry_BadEndpoint, registry.setEndpoint, endpoint, by=ground.hosts[0], **length)
    ground.refused(
        registry.StakeRegistry_NotRegistered, registry.setEndpoint, "http://x", by=ground.stranger,
        provider=ground.stranger.address,
    )  # fmt: skip
    registry.register("x" * 256, sender=ground.stranger)
