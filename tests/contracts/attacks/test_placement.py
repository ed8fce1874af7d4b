"""Attacks on who may reserve what when."""

from __future__ import annotations

from typing import Any

from agents.core.market.types import slot_id
from tests.contracts.ground import Ground
from tests.examples import STAKES

ALL = 2**256 - 1


def test_ids_registered_once_the_position_is_known_are_refused(ground: Ground, market: Any, registry: Any) -> None:
    id = ground.posted()
    # The seed block is mined: now ids could be made in bulk, until one is near.
    registry.register("http://near", sender=ground.stranger)
    registry.deposit(STAKES.min_stake, sender=ground.stranger)
    record = ground.record(id)
    for later in (record.createdAt + 50, record.createdAt + 150, record.expiresAt - 1):
        ground.next_at(later)
        ground.refused(market.Marketplace_StakedTooLate, market.reserveSlot, id, 0, by=ground.stranger)


def test_ids_registered_in_bulk_and_staked_once_the_position_is_known_are_refused(
    ground: Ground, market: Any, registry: Any
) -> None:
    registry.register("http://one-of-many", sender=ground.stranger)
    id = ground.posted()
    registry.deposit(STAKES.min_stake, sender=ground.stranger)
    ground.next_at(ground.record(id).expiresAt - 1)
    ground.refused(market.Marketplace_StakedTooLate, market.reserveSlot, id, 0, by=ground.stranger)


def test_a_small_network_does_not_starve(ground: Ground, market: Any) -> None:
    # Three hosts for three slots, and the dispersal that keeps the far ones out for longest.
    id = ground.posted(dispersal=100)
    record = ground.record(id)
    half = record.createdAt + (record.expiresAt - record.createdAt) // 2
    ground.next_at(half)
    for index in (2, 1, 0):
        ground.filled(id, index, ground.hosts[index])
    assert ground.record(id).filled == 3
    assert ground.now < record.expiresAt


def test_the_nearest_come_first(ground: Ground, market: Any) -> None:
    id = ground.posted(dispersal=1_000)
    ground.next_at(ground.record(id).createdAt + 50)
    placements = [tuple(market.placementOf(host, id, 0, block_id="pending")) for host in ground.hosts]
    # Half of the window: a tenth of all distances, h = 1/10.
    (threshold,) = {threshold for _, threshold in placements}
    assert abs(threshold - ALL // 10) < 2**200
    for host, (distance, _) in zip(ground.hosts, placements, strict=True):
        if distance >= threshold:
            ground.refused(
                market.Marketplace_NotEligible, market.reserveSlot, id, 0, by=host, distance=distance,
                threshold=threshold,
            )  # fmt: skip
    assert ground.slot(slot_id(id, 0)).reservations == 0
