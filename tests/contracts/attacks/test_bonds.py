"""Attacks on reservations: what a bond is for, and to whom it must not go."""

from __future__ import annotations

from typing import Any

from agents.core.market.types import slot_id
from tests.contracts.ground import PROOF, STAKE, Ground, fields
from tests.examples import ASK, BAD_PROOF, MARKET, SINK

BOND = ASK.collateral * MARKET.bond_bps // 10_000


def test_a_client_posts_never_uploads_and_collects_bonds(ground: Ground, market: Any) -> None:
    id = ground.on_sale()
    sunk = ground.credit(SINK)
    for index in range(3):
        ground.reserved(id, index, ground.hosts[index])
    ground.pass_until(ground.record(id).expiresAt)
    for index in range(3):
        market.closeReservation(slot_id(id, index), sender=ground.client)
    market.closeRequest(id, sender=ground.client)
    # The hosts lost their bonds, and the client, who caused it, has its own deposit and nothing else.
    assert ground.credit(SINK) - sunk == 3 * BOND
    assert ground.credit(ground.client) == ASK.price


def test_a_squatter_pays_twice_as_much_each_time(ground: Ground, market: Any) -> None:
    expiry = 40 * MARKET.reserve_seconds
    id = ground.on_sale(expiry=expiry, duration=2 * expiry)
    slot, bonds = slot_id(id, 0), []
    for turn in range(9):
        squatter = ground.hosts[turn % 2]
        receipt = market.reserveSlot(id, 0, sender=squatter)
        bonds.append(fields(receipt, market.SlotReserved)[0]["bond"])
        ground.next_at(ground.slot(slot).deadline)
    # 5, 10, 20, 40, 80 and then 100 hundredths of the collateral.
    assert bonds == [min(BOND * 2 ** min(turn, 6), ASK.collateral) for turn in range(9)]
    assert bonds[5] == bonds[8] == ASK.collateral
    market.closeReservation(slot, sender=ground.stranger)
    assert sum(sum(ground.stake(host)) for host in ground.hosts[:2]) == 2 * STAKE - sum(bonds)


def test_a_copied_fill_proof_is_useless(ground: Ground, market: Any) -> None:
    id, (host, thief, *_) = ground.on_sale(), ground.hosts
    slot = ground.reserved(id, 0, host)
    ground.new_period()
    # The thief sees the host's transaction and sends the same proof first.
    ground.refused(market.Marketplace_NotReserver, market.fillSlot, slot, PROOF, by=thief)
    ground.refused(market.Marketplace_ReservationHeld, market.reserveSlot, id, 0, by=thief)
    market.fillSlot(slot, PROOF, sender=host)
    assert ground.slot(slot).host == host.address
    period = ground.new_period()
    ground.refused(market.Marketplace_NotHost, market.submitProof, slot, period, PROOF, by=thief)


def test_a_reserver_without_the_data_fills_nothing(ground: Ground, market: Any) -> None:
    id, host = ground.on_sale(), ground.hosts[0]
    slot = ground.reserved(id, 0, host)
    ground.new_period()
    ground.refused(market.Marketplace_InvalidProof, market.fillSlot, slot, BAD_PROOF.as_abi(), by=host)
