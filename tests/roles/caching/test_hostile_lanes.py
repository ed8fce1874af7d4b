"""Readers that name many lanes: signing is free, and so is naming."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agents.core.channels.lanes import Opening, SignedOpening, Voucher
from agents.core.channels.wire import Payment
from agents.core.errors import VoucherInvalid
from agents.net.shelf import PaymentRequired
from agents.roles.caching import cashier
from tests.roles.caching.counter import DOMAIN, INTERVAL, LANE, MIB, OTHER, READER, Shop, paying


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
    monkeypatch.setattr(cashier, "IDLE", 8)

    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.pool = 0
        for number in range(30):
            await shop.vouch(paying(amount, replace(LANE, expiry=LANE.expiry + number)))
        assert len(shop.book) <= 9
        await shop.cashier.close()
        shop.open()
        assert len(shop.book) <= 9

    asyncio.run(story())


def test_a_stranger_that_names_a_lane_is_served_nothing_in_it(tmp_path: Path) -> None:
    """All that the chain shows of a lane: its fields, what opened it, and a voucher that was redeemed."""

    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.keep(LANE, 50 * INTERVAL)
        ticket = await shop.admit(paying(INTERVAL))
        await ticket.take(MIB)
        ticket.close()
        opening = Opening(LANE, 50 * INTERVAL)
        signed = SignedOpening(opening, READER.sign_digest(opening.digest(DOMAIN)))
        redeemed = paying(INTERVAL).voucher
        for shown in (Payment(LANE), Payment(LANE, redeemed), Payment(LANE, redeemed, signed)):
            with pytest.raises(PaymentRequired) as found:
                await shop.admit(shown)
            standing = found.value.offer["lane"]
            assert (standing["room"], standing["signature"]) == (0, None)
            assert (await shop.vouch(shown))["lane"]["signature"] is None
        for proof in (OTHER.sign_digest(Voucher(LANE, 0).digest(DOMAIN)), bytes(65)):
            with pytest.raises(VoucherInvalid):
                await shop.admit(Payment(LANE, proof=proof))
        assert (await shop.vouch(paying(INTERVAL)))["lane"]["signature"] is not None

    asyncio.run(story())


@pytest.mark.parametrize(("pool", "step"), [(20, 1), (1 << 60, 1), (20, INTERVAL)])
def test_dust_and_what_no_deposit_is_behind_open_no_lane(tmp_path: Path, pool: int, step: int) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.pool = pool
        for number in range(1, 4):
            opening = Opening(LANE, number * step)
            signed = SignedOpening(opening, READER.sign_digest(opening.digest(DOMAIN)))
            await shop.vouch(replace(paying(1 << 100), opening=signed))
            await asyncio.sleep(0.01)
        assert shop.chain.opened == []

    asyncio.run(story())
