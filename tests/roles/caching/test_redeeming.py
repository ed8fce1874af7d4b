"""Vouchers into money, and the books of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agents.core.channels.lanes import Lane, SignedVoucher
from agents.core.channels.till import Cover
from agents.core.errors import DiskFull, Refused
from agents.roles.caching import redeeming
from agents.store.state import StateStore
from tests.roles.caching.counter import CACHE, INTERVAL, LANE, MIB, OTHER, TERMS, Shop, earned, paying


def test_vouchers_are_redeemed_together_once_they_are_worth_it(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        lanes = [LANE, Lane(OTHER.address, OTHER.address, CACHE, 0, LANE.expiry)]
        await earned(shop, INTERVAL)
        assert await shop.redeemer(2 * INTERVAL).step() == 0 and shop.chain.redeemed == []
        shop.chain.keep(lanes[1], 50 * INTERVAL)
        await shop.vouch(paying(INTERVAL, lanes[1], OTHER))
        assert await shop.redeemer(2 * INTERVAL).step() == 2
        assert len(shop.chain.redeemed) == 1
        books = shop.cashier.books()
        assert (books.earned, books.redeemed, books.claimable) == (2 * INTERVAL, 2 * INTERVAL, 0)
        assert await shop.redeemer(1).step() == 0

    asyncio.run(story())


def test_a_batch_that_is_refused_keeps_no_other_from_its_money(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redeeming, "BATCH", 1)

    async def story() -> None:
        shop = Shop(tmp_path)
        await earned(shop, INTERVAL)
        other = Lane(OTHER.address, OTHER.address, CACHE, 0, LANE.expiry)
        shop.chain.keep(other, 50 * INTERVAL)
        await shop.vouch(paying(INTERVAL, other, OTHER))
        redeem = shop.chain.redeem

        async def refused(vouchers: Sequence[SignedVoucher]) -> None:
            if vouchers[0].voucher.lane == LANE:
                raise Refused("not this one")
            await redeem(vouchers)

        monkeypatch.setattr(shop.chain, "redeem", refused)
        with pytest.raises(Refused):
            await shop.redeemer(1).step()
        assert shop.cashier.books().redeemed == INTERVAL

    asyncio.run(story())


@pytest.mark.parametrize("why", ["it expires", "its payer leaves"])
def test_vouchers_are_redeemed_before_it_is_too_late(tmp_path: Path, why: str) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        await earned(shop, INTERVAL)
        assert await shop.redeemer(10**30).step() == 0
        if why == "it expires":
            shop.now = LANE.expiry - 2 * TERMS.margin
        else:
            shop.chain.kept[LANE.id] = replace(shop.chain.kept[LANE.id], closes_at=int(shop.now) + 60)
        assert await shop.redeemer(10**30).step() == 1

    asyncio.run(story())


def test_lanes_that_are_over_are_forgotten_but_not_what_they_brought(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        await earned(shop, INTERVAL)
        await shop.redeemer(1).step()
        before = shop.cashier.books()
        shop.now = LANE.expiry
        await shop.redeemer(1).step()
        assert len(shop.book) == 0
        await shop.cashier.close()
        shop.open()
        assert shop.cashier.books() == replace(before, lanes=0)

    asyncio.run(story())


def test_a_lane_that_a_full_disk_keeps_from_being_closed_stays_in_the_books(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        await earned(shop, INTERVAL)
        await shop.redeemer(1).step()
        before = shop.cashier.books()
        shop.now = LANE.expiry

        def full(*record: object) -> None:
            raise DiskFull("The disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(StateStore, "save", full)
            with pytest.raises(DiskFull):
                await shop.redeemer(1).step()
        assert shop.cashier.books() == before
        await shop.redeemer(1).step()
        assert shop.cashier.books() == replace(before, lanes=0)

    asyncio.run(story())


def test_what_is_not_worth_its_gas_lapses(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        dust = [replace(LANE, expiry=LANE.expiry + number) for number in range(1, 40)]
        for lane in dust:
            await earned(shop, INTERVAL // 100, lane)
        await earned(shop, INTERVAL)
        shop.now = LANE.expiry - TERMS.margin
        assert await shop.redeemer(10**30).step() == 1
        assert [signed.voucher.lane for signed in shop.chain.redeemed[0]] == [LANE]
        assert await shop.redeemer(10**30).step() == 0, "a voucher that takes more gas than it brings was redeemed"
        assert await shop.redeemer(10**30, least=1).step() == len(dust), "the last chance, for whoever has cheap gas"
        assert [len(batch) for batch in shop.chain.redeemed] == [1, 20, 19], "a batch of few takes more gas for each"

    asyncio.run(story())


def test_what_nobody_has_the_money_for_is_not_in_the_books(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.kept[LANE.id] = Cover(pool=5, reserved=INTERVAL)
        ticket = await shop.admit(paying(1 << 100))
        await ticket.take(MIB // 2)
        ticket.close()
        poor = replace(LANE, expiry=LANE.expiry + 1)
        shop.chain.kept[poor.id] = Cover(pool=5)
        await shop.vouch(paying(1 << 100, poor))
        books = shop.cashier.books()
        assert (books.earned, books.claimable, books.unpaid) == (INTERVAL + 5 + 5, INTERVAL + 5, 0)
        await shop.book.flush()
        shop.open()  # as after a kill
        await shop.cashier.look(list(shop.book))
        assert shop.cashier.books().earned == INTERVAL + 5
        shop.now = poor.expiry
        await shop.redeemer(1).step()
        assert shop.cashier.books().earned == shop.cashier.books().lost <= INTERVAL

    asyncio.run(story())
