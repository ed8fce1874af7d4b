"""Readers that name many lanes: signing is free, and so is naming."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agents.roles.caching import selling
from tests.roles.caching.test_selling import LANE, MIB, Shop, paying


def test_lanes_admitted_before_any_owes_are_served_one_interval_together(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        lanes = [replace(LANE, expiry=LANE.expiry + number) for number in range(4)]
        tickets = [await shop.admit(paying(0, lane)) for lane in lanes]
        assert sum([await shop.drained(ticket) for ticket in tickets]) == MIB

    asyncio.run(story())


@pytest.mark.parametrize("amount", [0, 1 << 100])
def test_lanes_that_only_signatures_are_behind_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, amount: int
) -> None:
    monkeypatch.setattr(selling, "IDLE", 8)

    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.pool = 0
        for number in range(30):
            await shop.vouch(paying(amount, replace(LANE, expiry=LANE.expiry + number)))
        assert len(shop.book) <= 9
        await shop.selling.close()
        shop.open()
        assert len(shop.book) <= 9

    asyncio.run(story())
