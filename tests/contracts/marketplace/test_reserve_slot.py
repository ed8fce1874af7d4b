"""Marketplace.reserveSlot, and placementOf, which tells who may."""

from __future__ import annotations

from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from agents.core.market.types import RequestState, SlotState, slot_id
from agents.core.units import TOKEN
from tests.contracts.ground import PROOF, STAKE, Ground, fields
from tests.examples import ASK, MARKET

ALL = 2**256 - 1
BOND = ASK.collateral * MARKET.bond_bps // 10_000


def a0(ground: Ground, seed_block: int, id: bytes, index: int, reservation: int) -> int:
    """Where a slot's next reservation lies."""
    seed = bytes(ground.chain.blocks[seed_block].hash)
    return int.from_bytes(keccak(encode(["bytes32", "bytes32", "uint16", "uint16"], [seed, id, index, reservation])))


def test_reserves_a_slot_and_locks_its_whole_collateral(ground: Ground, market: Any, registry: Any) -> None:
    id, host = ground.on_sale(), ground.hosts[0]

    receipt = market.reserveSlot(id, 1, sender=host)

    deadline = ground.now + MARKET.reserve_seconds
    assert fields(receipt, market.SlotReserved) == [
        {
            "requestId": id, "slotIndex": 1, "provider": host.address, "deadline": deadline, "bond": BOND,
            "reservationIndex": 0,
        }
    ]  # fmt: skip
    assert fields(receipt, registry.Locked) == [{"provider": host.address, "amount": 10 * TOKEN}]
    assert ground.stake(host) == (STAKE - ASK.collateral, ASK.collateral)
    slot = ground.slot(slot_id(id, 1))
    assert (slot.state, slot.host, slot.heldUntil) == (SlotState.RESERVED, host.address, deadline)
    assert (slot.reservations, slot.expired) == (1, 0)
    assert (ground.record(id).active, ground.record(id).filled) == (1, 0)


def test_a_reservation_in_a_sale_ends_with_the_sale(ground: Ground) -> None:
    id = ground.posted()
    expires = ground.record(id).expiresAt
    ground.next_at(expires - 5)
    slot = ground.reserved(id, 0, ground.hosts[0])
    assert ground.slot(slot).heldUntil == expires


def test_the_window_opens_from_nobody_to_everybody(ground: Ground, market: Any) -> None:
    id, host = ground.posted(), ground.hosts[0]
    record = ground.record(id)
    distance, threshold = market.placementOf(host, id, 0, block_id="pending")
    provider = ground.registry.providerOf(host)
    assert distance == int.from_bytes(provider.id) ^ a0(ground, record.createdBlock, id, 0, 0)
    # One second of a hundred has passed, and h = 1/2: a hundredth of all distances.
    assert abs(threshold - ALL // 100) < 2**200
    opens = record.createdAt + 100 * distance // ALL

    ground.next_at(opens)
    if opens > record.createdAt:
        ground.refused(market.Marketplace_NotEligible, market.reserveSlot, id, 0, by=host, distance=distance)
    ground.next_at(opens + 1)
    ground.reserved(id, 0, host)
    # Half of the expiry is the window: from then on everybody may.
    ground.next_at(record.createdAt + 100)
    assert market.placementOf(ground.hosts[1], id, 1, block_id="pending").threshold == ALL
    ground.reserved(id, 1, ground.hosts[1])


def test_each_reservation_of_a_slot_lies_elsewhere(ground: Ground, market: Any) -> None:
    id, host = ground.on_sale(), ground.hosts[0]
    first = market.placementOf(host, id, 0, block_id="pending").distance
    ground.reserved(id, 0, host)
    second = market.placementOf(host, id, 0, block_id="pending").distance
    position = a0(ground, ground.record(id).createdBlock, id, 0, 1)
    assert second == int.from_bytes(ground.registry.providerOf(host).id) ^ position != first


def test_refuses_requests_and_slots_that_are_not_there(ground: Ground, market: Any) -> None:
    host, id = ground.hosts[0], ground.on_sale()
    unknown = b"\7" * 31 + b"\0"
    ground.refused(market.Marketplace_UnknownRequest, market.reserveSlot, unknown, 0, by=host, id=unknown)
    ground.refused(market.Marketplace_NoSuchSlot, market.reserveSlot, id, 3, by=host, slotIndex=3, slots=3)


def test_refuses_a_slot_that_somebody_holds(ground: Ground, market: Any) -> None:
    id, (first, second, third, *_) = ground.on_sale(), ground.hosts
    slot = ground.reserved(id, 0, first)
    deadline = ground.slot(slot).heldUntil
    ground.next_at(deadline - 1)
    ground.refused(market.Marketplace_ReservationHeld, market.reserveSlot, id, 0, by=second, deadline=deadline)
    ground.filled(id, 1, second)
    ground.refused(market.Marketplace_SlotNotFree, market.reserveSlot, id, 1, by=third, state=SlotState.FILLED)


def test_a_provider_holds_at_most_one_slot_of_a_request(ground: Ground, market: Any) -> None:
    id, host = ground.on_sale(), ground.hosts[0]
    ground.reserved(id, 0, host)
    ground.refused(market.Marketplace_AlreadyHoldsSlot, market.reserveSlot, id, 1, by=host, provider=host.address)
    ground.challenge_known()
    market.fillSlot(slot_id(id, 0), PROOF, sender=host)
    ground.refused(market.Marketplace_AlreadyHoldsSlot, market.reserveSlot, id, 1, by=host)
    # Of another request it may.
    ground.reserved(ground.on_sale(), 1, host)


def test_a_provider_holds_at_most_one_of_many_slots(ground: Ground, market: Any) -> None:
    id, host = ground.on_sale(slots=256, max_slot_loss=100), ground.hosts[0]
    for index, other in zip((200, 13, 14, 45, 46), ground.hosts[1:], strict=True):
        ground.reserved(id, index, other)
    ground.reserved(id, 255, host)
    for index in (0, 15, 254):
        ground.refused(market.Marketplace_AlreadyHoldsSlot, market.reserveSlot, id, index, by=host)


def test_refuses_providers_without_enough_stake_in_time(ground: Ground, market: Any, registry: Any) -> None:
    late = ground.stranger
    early = ground.on_sale()
    ground.refused(market.Marketplace_StakedTooLate, market.reserveSlot, early, 0, by=late, eligibleSince=0)
    registry.register("http://late", sender=late)
    registry.deposit(99 * TOKEN, sender=late)
    ground.refused(market.Marketplace_StakedTooLate, market.reserveSlot, early, 0, by=late, eligibleSince=0)
    registry.deposit(1 * TOKEN, sender=late)
    block = ground.block
    ground.refused(
        market.Marketplace_StakedTooLate, market.reserveSlot, early, 0, by=late, eligibleSince=block,
        seedBlock=ground.record(early).createdBlock,
    )  # fmt: skip
    dear = ground.on_sale(collateral_per_byte=10**17 + 10**15)
    ground.refused(
        registry.StakeRegistry_InsufficientFreeStake, market.reserveSlot, dear, 0, by=late,
        free=100 * TOKEN, wanted=101 * TOKEN,
    )  # fmt: skip
    ground.reserved(ground.on_sale(), 0, late)


def test_refuses_the_seed_block_itself(ground: Ground, market: Any) -> None:
    id = ground.posted()
    ground.refused(
        market.Marketplace_SeedBlockNotReached, market.reserveSlot, id, 0, by=ground.hosts[0], block="latest",
        seedBlock=ground.block,
    )  # fmt: skip


def test_refuses_requests_that_have_ended(ground: Ground, market: Any) -> None:
    host, id = ground.hosts[0], ground.on_sale()
    expires = ground.record(id).expiresAt
    ground.next_at(expires)
    ground.refused(market.Marketplace_RequestEnded, market.reserveSlot, id, 0, by=host, state=RequestState.CANCELLED)
    ground.next_at(expires - 1)
    ground.reserved(id, 0, host)


def test_an_expired_reservation_is_closed_by_the_next(ground: Ground, market: Any, registry: Any) -> None:
    id, (first, second, *_) = ground.on_sale(), ground.hosts
    slot = ground.reserved(id, 0, first)
    ground.next_at(ground.slot(slot).heldUntil)

    receipt = market.reserveSlot(id, 0, sender=second)

    assert fields(receipt, market.ReservationForfeited) == [
        {"requestId": id, "slotIndex": 0, "provider": first.address, "bond": BOND}
    ]
    (event,) = fields(receipt, market.SlotReserved)
    assert (event["provider"], event["bond"], event["reservationIndex"]) == (second.address, 2 * BOND, 1)
    assert (ground.slot(slot).reservations, ground.slot(slot).expired) == (2, 1)
    assert ground.stake(first) == (STAKE - BOND, 0)
    assert ground.record(id).active == 1
    # And who let it expire may try again, elsewhere too.
    ground.reserved(id, 1, first)


def test_a_slot_that_was_left_is_sold_also_to_who_left_it(ground: Ground, market: Any) -> None:
    id, (leaves, stays, *_) = ground.started(), ground.hosts
    slot = slot_id(id, 0)
    ground.extended(id, 1_000, ground.client)
    market.acceptExtension(slot_id(id, 1), ground.ends(id), sender=stays)
    ground.departed(slot)
    vacated = ground.slot(slot)
    assert market.placementOf(leaves, id, 0, block_id="pending").threshold < ALL
    ground.repair_on_sale(slot)
    ground.refused(market.Marketplace_AlreadyHoldsSlot, market.reserveSlot, id, 0, by=stays)

    receipt = market.reserveSlot(id, 0, sender=leaves)

    # A sale of its own, by the placement of its own seed.
    assert [event["reservationIndex"] for event in fields(receipt, market.SlotReserved)] == [0]
    record = ground.slot(slot)
    assert (record.state, record.host) == (SlotState.RESERVED, leaves.address)
    assert (record.departedAt, record.vacatedBlock) == (vacated.departedAt, vacated.vacatedBlock)
    assert (ground.record(id).vacant, ground.record(id).active) == (1, 3)
