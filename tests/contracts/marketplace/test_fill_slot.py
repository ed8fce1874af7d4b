"""Marketplace.fillSlot, at first and in repair."""

from __future__ import annotations

from typing import Any

import pytest

from agents.core.market.types import RequestState, SlotState, slot_id
from agents.core.units import TOKEN
from tests.contracts.ground import PERIOD, PROOF, REWARD, SLASH, STAKE, Ground, fields
from tests.examples import ASK, BAD_PROOF, MARKET

POT = MARKET.max_misses * (SLASH - REWARD) + ASK.collateral - MARKET.max_misses * SLASH
"""Of a slot that was lost: everything its host had locked but the validator's rewards."""

BOUNTY_CAP = ASK.collateral * MARKET.bounty_bps // 10_000


def test_fills_a_reserved_slot_and_keeps_the_collateral_locked(ground: Ground, market: Any) -> None:
    id, host = ground.on_sale(), ground.hosts[0]
    slot = ground.reserved(id, 0, host)
    ground.challenge_known()
    period = ground.period

    receipt = market.fillSlot(slot, PROOF, sender=host)

    assert fields(receipt, market.SlotFilled) == [
        {"requestId": id, "slotIndex": 0, "host": host.address, "bounty": 0, "toClient": 0}
    ]
    assert fields(receipt, market.RequestStarted) == []
    record = ground.slot(slot)
    assert (record.state, record.host, record.fillPeriod) == (SlotState.FILLED, host.address, period)
    assert record.filledAt == record.provenAt == ground.now
    assert record.heldUntil == ground.ends(id)
    assert (record.misses, record.pot, record.claimed, record.vacatedAt) == (0, 0, 0, 0)
    assert ground.stake(host) == (STAKE - ASK.collateral, ASK.collateral)
    assert (ground.record(id).filled, ground.record(id).active) == (1, 1)


def test_the_last_slot_starts_the_request(ground: Ground, market: Any) -> None:
    id = ground.on_sale()
    ground.filled(id, 0, ground.hosts[0])
    ground.filled(id, 1, ground.hosts[1])
    assert ground.record(id).state == RequestState.NEW
    slot = ground.reserved(id, 2, ground.hosts[2])
    ground.challenge_known()

    receipt = market.fillSlot(slot, PROOF, sender=ground.hosts[2])

    assert fields(receipt, market.RequestStarted) == [{"requestId": id}]
    assert (ground.record(id).state, ground.record(id).filled) == (RequestState.STARTED, 3)


def test_only_the_reserver_before_the_deadline_with_a_good_proof(ground: Ground, market: Any) -> None:
    id, (host, other, *_) = ground.on_sale(), ground.hosts
    fill, slot = market.fillSlot, slot_id(id, 0)
    ground.refused(market.Marketplace_UnknownRequest, fill, b"\7" * 32, PROOF, by=host)
    ground.refused(market.Marketplace_NotReserved, fill, slot, PROOF, by=host, state=SlotState.FREE)
    ground.reserved(id, 0, host)
    ground.refused(
        market.Marketplace_NotReserver, fill, slot, PROOF, by=other, reserver=host.address, caller=other.address
    )
    ground.new_period()
    ground.refused(market.Marketplace_InvalidProof, fill, slot, BAD_PROOF.as_abi(), by=host)
    deadline = ground.slot(slot).heldUntil
    ground.next_at(deadline)
    ground.refused(market.Marketplace_ReservationOver, fill, slot, PROOF, by=host, deadline=deadline)
    ground.next_at(deadline - 1)
    fill(slot, PROOF, sender=host)
    ground.refused(market.Marketplace_NotReserved, fill, slot, PROOF, by=host, state=SlotState.FILLED)


def test_not_in_the_block_whose_hash_is_the_challenge(ground: Ground, market: Any) -> None:
    id, host = ground.on_sale(), ground.hosts[0]
    slot = ground.reserved(id, 0, host)
    period = ground.period + 1
    ground.next_is(period * PERIOD)
    ground.refused(market.Marketplace_ChallengeUnknown, market.fillSlot, slot, PROOF, by=host, period=period)
    ground.in_period(period)
    market.fillSlot(slot, PROOF, sender=host)


def test_a_repair_pays_a_bounty_and_leaves_nothing_of_the_tenure_before(ground: Ground, market: Any) -> None:
    id, repairer = ground.started(), ground.hosts[3]
    slot = slot_id(id, 0)
    ground.lost(slot)
    assert (ground.slot(slot).pot, ground.record(id).pots) == (POT, POT)
    assert POT == 9 * TOKEN + TOKEN * 4 // 10
    ground.repair_on_sale(slot)
    client = ground.credit(ground.client)
    ground.reserved(id, 0, repairer)
    ground.challenge_known()

    receipt = market.fillSlot(slot, PROOF, sender=repairer)

    assert fields(receipt, market.SlotFilled) == [
        {
            "requestId": id, "slotIndex": 0, "host": repairer.address, "bounty": BOUNTY_CAP,
            "toClient": POT - BOUNTY_CAP,
        }
    ]  # fmt: skip
    assert fields(receipt, market.RequestStarted) == []
    assert ground.credit(repairer) == BOUNTY_CAP
    assert ground.credit(ground.client) - client == POT - BOUNTY_CAP
    record = ground.slot(slot)
    assert (record.state, record.host) == (SlotState.FILLED, repairer.address)
    assert (record.misses, record.pot, record.claimed, record.vacatedAt, record.vacatedBlock) == (0, 0, 0, 0, 0)
    assert record.filledAt == record.provenAt == ground.now
    request = ground.record(id)
    assert (request.filled, request.vacant, request.pots) == (3, 0, 0)
    assert (request.repairOpenedAt, request.repairOpenedBlock) == (0, 0)
    # The new host has all its misses before it.
    ground.missed(slot)
    assert ground.slot(slot).misses == 1


def test_the_bounty_grows_with_the_window_until_the_reservation(ground: Ground, market: Any) -> None:
    id = ground.started()
    slot = slot_id(id, 0)
    ground.lost(slot)
    opened = ground.record(id).repairOpenedAt

    def first_eligible() -> tuple[int, Any]:
        for elapsed in range(1, MARKET.repair_window):
            ground.next_at(opened + elapsed)
            for host in ground.hosts[3:]:
                distance, threshold = market.placementOf(host, id, 0, block_id="pending")
                if distance < threshold:
                    return elapsed, host
        return MARKET.repair_window, ground.hosts[3]

    elapsed, repairer = first_eligible()
    ground.next_at(opened + elapsed)
    ground.reserved(id, 0, repairer)
    # Holding the slot does not raise the bounty.
    ground.new_period()
    market.fillSlot(slot, PROOF, sender=repairer)

    assert ground.credit(repairer) == BOUNTY_CAP * elapsed // MARKET.repair_window


@pytest.mark.parametrize(
    ("price", "seconds"),
    [
        # All the time since the host left; only what the bounty is good for; nothing, where a second costs more than it.
        (ASK.price_per_byte_per_second, None),
        (7 * 10**13 + 1, BOUNTY_CAP // (7 * 10**16 + 1_000)),
        (BOUNTY_CAP // ASK.slot_size + 1, 0),
        (0, 0),
    ],
)
def test_who_takes_over_from_a_host_that_left_earns_pay_of_the_time_since(
    ground: Ground, market: Any, registry: Any, price: int, seconds: int | None
) -> None:
    rate, extra = price * ASK.slot_size, 1_000
    id = ground.started(price_per_byte_per_second=price)
    (leaves, *stay), repairer, ends = ground.hosts[:3], ground.hosts[3], ground.ends(id)
    slot = slot_id(id, 0)
    ground.missed(slot)
    paid = ground.extended(id, extra, ground.stranger)
    for index, host in enumerate(stay, start=1):
        market.acceptExtension(slot_id(id, index), ends + extra, sender=host)
    ground.departed(slot)
    ground.repair_on_sale(slot)
    client, unspent = ground.credit(ground.client), ground.record(id).unspent
    ground.reserved(id, 0, repairer)
    reserved = ground.now
    assert reserved >= ends + MARKET.settle_seconds + MARKET.repair_window
    # Who holds the slot gains nothing by waiting.
    ground.new_period()

    receipt = market.fillSlot(slot, PROOF, sender=repairer)

    waited = reserved - ends if seconds is None else seconds
    bounty, pot = waited * rate, SLASH - REWARD
    assert fields(receipt, market.SlotFilled) == [
        {"requestId": id, "slotIndex": 0, "host": repairer.address, "bounty": bounty, "toClient": pot}
    ]
    assert bounty <= BOUNTY_CAP
    assert (ground.credit(repairer), ground.credit(ground.client) - client) == (bounty, pot)
    assert unspent - ground.record(id).unspent == bounty
    record = ground.slot(slot)
    assert (record.state, record.heldUntil, record.filledAt) == (SlotState.FILLED, ends + extra, ground.now)
    assert (record.departedAt, record.vacatedAt, record.vacatedBlock, record.misses, record.pot) == (0, 0, 0, 0, 0)
    assert (ground.record(id).vacant, ground.record(id).pots, ground.record(id).repairOpenedAt) == (0, 0, 0)
    # The bounty is pay of the last seconds before the fill: of the extension, what nobody served remains.
    idle = paid - 2 * extra * rate - (ends + extra - (ground.now - waited)) * rate
    assert ground.idle(id) == [(ground.stranger.address, ends, ends + extra, idle)]
    assert ground.credit(leaves) <= (ends - ground.record(id).createdAt) * rate


def test_a_slot_lost_before_the_start_is_sold_again_without_a_bounty(ground: Ground, market: Any) -> None:
    id, (first, second, *_) = ground.on_sale(), ground.hosts
    slot = ground.filled(id, 0, first)
    ground.lost(slot)
    record = ground.record(id)
    assert (ground.slot(slot).state, record.state, record.vacant, record.pots) == (
        SlotState.FREE, RequestState.NEW, 0, POT,
    )  # fmt: skip
    client = ground.credit(ground.client)
    ground.reserved(id, 0, second)
    ground.challenge_known()

    receipt = market.fillSlot(slot, PROOF, sender=second)

    (event,) = fields(receipt, market.SlotFilled)
    assert (event["bounty"], event["toClient"]) == (0, POT)
    assert ground.credit(ground.client) - client == POT


def test_a_repair_needs_the_minimal_term_to_reserve_and_to_fill(ground: Ground, market: Any) -> None:
    id, (_, _, _, repairer, other, *_) = ground.started(duration=500), ground.hosts
    slot = slot_id(id, 0)
    ground.lost(slot)
    ends = ground.record(id).endsAt
    ground.next_at(ends - MARKET.repair_window + 1)
    ground.refused(
        market.Marketplace_TermTooShort, market.reserveSlot, id, 0, by=other,
        left=MARKET.repair_window - 1, needed=MARKET.repair_window,
    )  # fmt: skip
    ground.next_at(ends - MARKET.repair_window)
    ground.reserved(id, 0, repairer)
    ground.challenge_known()
    ground.refused(market.Marketplace_TermTooShort, market.fillSlot, slot, PROOF, by=repairer)


def test_a_request_that_ended_is_not_filled(ground: Ground, market: Any) -> None:
    id, repairer = ground.started(), ground.hosts[3]
    first, second = slot_id(id, 0), slot_id(id, 1)
    ground.missed(first, second)
    ground.missed(first, second)
    ground.missed(first)
    ground.repair_on_sale(first)
    ground.reserved(id, 0, repairer)
    ground.missed(second)
    ground.challenge_known()
    ground.refused(
        market.Marketplace_RequestEnded, market.fillSlot, first, PROOF, by=repairer, state=RequestState.FAILED
    )
