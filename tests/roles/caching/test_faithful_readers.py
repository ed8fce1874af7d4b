"""Readers that pay for all they read, little by little or while the cache is away: they are served for ever."""

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from agents.core.channels.lanes import Lane, Opening, SignedOpening
from agents.core.channels.wire import Payment
from agents.net.shelf import PaymentRequired
from agents.roles.buying.lanes import DAY, LIFE
from tests.roles.caching.counter import DOMAIN, INTERVAL, KIB, LANE, MIB, READER, TERMS, Shop, earned, paying


def opening(lane: Lane, amount: int) -> Payment:
    """What a reader that signed for ``amount`` shows, who has the lane keep what 16 MiB cost."""
    wanted = Opening(lane, TERMS.cost(16 * MIB))
    signed = SignedOpening(wanted, READER.sign_digest(wanted.digest(DOMAIN)))
    return replace(paying(amount, lane), opening=signed)


def test_who_reads_a_little_every_week_is_served_every_week(tmp_path: Path) -> None:
    """Of what is not worth its gas no more is a debt at any time than leaves the reader enough to go on."""

    async def story() -> None:
        for weekly in (64 * KIB, 320 * KIB, 448 * KIB):
            shop = Shop(tmp_path)
            lane, signed = replace(LANE, expiry=int(shop.now)), 0
            for _ in range(40):
                if lane.expiry <= shop.now + DAY:
                    lane, signed = replace(lane, expiry=int(shop.now) + LIFE), 0
                ticket = await shop.admit(opening(lane, signed), weekly)
                for _ in range(weekly // (64 * KIB)):
                    await ticket.take(64 * KIB)
                ticket.close()
                signed += TERMS.cost(weekly)
                await shop.vouch(opening(lane, signed))
                for at in sorted({shop.now + 7 * DAY, min(shop.now + 7 * DAY, lane.expiry - TERMS.margin)}):
                    shop.now = at
                    await shop.redeemer(1 << 100, TERMS.opening).step()
            await shop.cashier.close()
            for path in tmp_path.iterdir():
                path.unlink()

    asyncio.run(story())


@pytest.mark.parametrize(("unsigned", "served"), [(0, MIB), (MIB, 0)])
def test_that_a_cache_was_away_when_a_lane_ended_is_no_debt_of_its_reader(
    tmp_path: Path, unsigned: int, served: int
) -> None:
    """But what the reader had not signed for is."""

    async def story() -> None:
        shop = Shop(tmp_path)
        await earned(shop, 10 * INTERVAL)
        ticket = await shop.admit(paying(10 * INTERVAL), 10 * MIB + unsigned)
        await ticket.take(10 * MIB + unsigned)
        ticket.close()
        await shop.cashier.close()
        shop.now = LANE.expiry + DAY
        shop.open()
        await shop.redeemer(1).step()
        assert shop.cashier.books().lost == 10 * INTERVAL
        lane = replace(LANE, expiry=int(shop.now) + LIFE)
        got = 0
        with contextlib.suppress(PaymentRequired):
            got = await shop.drained(await shop.admit(paying(0, lane)))
        assert got == served
        await shop.cashier.close()

    asyncio.run(story())
