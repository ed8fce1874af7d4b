"""The books of extensions as the market writes them: of each extension, what no tenure covers."""

from __future__ import annotations

from typing import Any

from agents.core.market.types import slot_id
from tests.contracts.ground import PROOF, Ground
from tests.examples import ASK, MARKET

FIRST, SECOND = 200, 400
"""Seconds that two funders add."""


def extended_twice(ground: Ground, **changes: Any) -> tuple[bytes, int]:
    """A started request with two extensions; when the first begins."""
    id = ground.started(**changes)
    ends = ground.ends(id)
    ground.extended(id, FIRST, ground.stranger)
    ground.extended(id, SECOND, ground.hosts[5])
    return id, ends


def idle(ground: Ground, id: bytes) -> list[int]:
    """What is idle of each extension, in seconds of a slot."""
    rate = ground.record(id).rate
    amounts = [amount for *_, amount in ground.idle(id)]
    assert all(amount % rate == 0 for amount in amounts)
    return [amount // rate for amount in amounts]


def test_a_host_that_loses_its_slot_gives_back_what_it_was_to_serve(ground: Ground, market: Any) -> None:
    id, ends = extended_twice(ground)
    host, slot = ground.hosts[0], slot_id(id, 0)
    market.acceptExtension(slot, ground.ends(id), sender=host)
    assert idle(ground, id) == [2 * FIRST, 2 * SECOND]
    # It proves in the first extension for the last time: it is paid until then.
    ground.pass_until(ends + 50)
    ground.new_period()
    market.submitProofs([slot], [PROOF], sender=host)
    proven = ground.now
    assert ends < proven < ends + FIRST
    ground.lost(slot)
    assert idle(ground, id) == [3 * FIRST - (proven - ends), 3 * SECOND]


def test_who_repairs_a_lost_slot_serves_from_its_fill(ground: Ground, market: Any) -> None:
    id, ends = extended_twice(ground, max_slot_loss=2)
    slot, repairer = slot_id(id, 0), ground.hosts[3]
    market.acceptExtension(slot, ground.ends(id), sender=ground.hosts[0])
    market.acceptExtension(slot_id(id, 1), ground.ends(id), sender=ground.hosts[1])
    ground.lost(slot)
    ground.pass_until(ends + FIRST + 100)
    ground.filled(id, 0, repairer)
    # The bounty of a lost slot is of its pot, not of the pay of the time nobody served.
    assert idle(ground, id) == [2 * FIRST, SECOND + (ground.now - ends - FIRST)]


def test_a_failure_releases_every_tenure_from_then_on(ground: Ground, market: Any) -> None:
    id, ends = extended_twice(ground)
    until = ground.ends(id)
    market.acceptExtension(slot_id(id, 2), until, sender=ground.hosts[2])
    ground.departed(slot_id(id, 0))
    ground.next_at(ends + FIRST + 30)
    market.settle(slot_id(id, 1), sender=ground.stranger)
    assert idle(ground, id) == [2 * FIRST, 2 * SECOND]
    ground.next_at(ends + FIRST + 30 + MARKET.settle_seconds)
    market.settle(slot_id(id, 2), sender=ground.stranger)
    assert idle(ground, id) == [2 * FIRST, 3 * SECOND - 30]


def test_nothing_is_written_while_there_is_no_extension(ground: Ground, market: Any) -> None:
    id = ground.started()
    ground.lost(slot_id(id, 0))
    ground.repair_on_sale(slot_id(id, 0))
    ground.filled(id, 0, ground.hosts[3])
    assert ground.idle(id) == []
    # Added later, all of it is idle, also of a slot that changed hands before.
    ground.extended(id, FIRST, ground.stranger)
    assert idle(ground, id) == [ASK.slots * FIRST]
