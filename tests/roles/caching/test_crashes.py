"""What of a cache's lanes is on disk, and when: what a crash costs it."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agents.core.channels.lanes import Lane
from agents.core.errors import DiskFull
from agents.roles.caching import lanes
from agents.roles.caching.lanes import LaneBook
from agents.store.state import StateStore
from tests.roles.caching.counter import INTERVAL, LANE, MIB, NOW, TERMS, Shop, earned, paying


def paid_on_disk(folder: Path) -> int:
    """Base units of the vouchers that a cache started now would have."""
    state = StateStore(folder / "lanes.db")
    found = sum(account.till.paid for account in LaneBook(state, TERMS))
    state.close()
    return found


def test_a_cache_that_is_killed_loses_an_interval_at_most(tmp_path: Path) -> None:
    """With its vouchers unwritten for as long as there are others to wait for it would lose ten times as much."""
    command = [sys.executable, "-m", "tests.roles.caching.crashing", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as cache:
        assert cache.stdout is not None
        for line in cache.stdout:
            if int(line) >= 500 * MIB:
                cache.kill()
                break
        *_, last = [line, *(each for each in cache.stdout if each.endswith("\n"))]  # one may be cut
    lost = TERMS.cost(int(last)) - paid_on_disk(tmp_path)
    assert 0 <= lost <= TERMS.cost(TERMS.max_interval)


def test_what_changes_is_written_soon_and_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "SAVED_WITHIN", 0.02)
    written: list[int] = []
    write = LaneBook._write
    monkeypatch.setattr(LaneBook, "_write", lambda book, tills: [written.append(len(tills)), write(book, tills)])

    async def story() -> None:
        shop = Shop(tmp_path)
        for number in range(5):
            await earned(shop, INTERVAL, replace(LANE, expiry=LANE.expiry + number))
        assert paid_on_disk(tmp_path) == 0 and written == []
        await asyncio.sleep(0.1)
        assert paid_on_disk(tmp_path) == 5 * INTERVAL and written == [5]
        await asyncio.sleep(0.1)
        assert written == [5], "nothing changed since"
        await shop.cashier.close()

    asyncio.run(story())


@pytest.mark.parametrize("how", ["stopped", "redeemed"])
def test_whoever_stops_or_redeems_has_everything_written(tmp_path: Path, how: str) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        await earned(shop, INTERVAL)
        assert paid_on_disk(tmp_path) == 0
        await (shop.cashier.close() if how == "stopped" else shop.redeemer(1).step())
        assert paid_on_disk(tmp_path) == INTERVAL

    asyncio.run(story())


def test_a_reader_that_reads_on_brings_its_voucher_again(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.keep(LANE, 50 * INTERVAL)
        await (await shop.admit(paying(0))).take(MIB)
        await shop.vouch(paying(INTERVAL))
        shop.open()  # as after a kill: nothing was written
        assert shop.cashier.books().earned == 0
        (await shop.admit(paying(INTERVAL))).close()
        assert shop.book.get(LANE).till.paid == INTERVAL  # type: ignore[union-attr]

    asyncio.run(story())


def test_a_full_disk_stops_no_business(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.keep(LANE, 1 << 60)

        def full(*record: object) -> None:
            raise DiskFull("The disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(StateStore, "save", full)
            ticket, served = await shop.admit(paying(0), size=1 << 60), 0
            while served < 64 * MIB:
                await ticket.take(MIB)
                served += MIB
                await shop.vouch(paying(TERMS.cost(served)))
        assert paid_on_disk(tmp_path) == 0
        await shop.cashier.close()
        assert paid_on_disk(tmp_path) == TERMS.cost(64 * MIB)

    asyncio.run(story())


def test_a_lane_that_is_over_is_not_written_any_more(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        lane = Lane(LANE.payer, LANE.reader, LANE.cache, 0, NOW + 1000)
        await earned(shop, INTERVAL, lane)
        shop.now = lane.expiry
        await shop.redeemer(1).step()
        await shop.book.flush()
        assert paid_on_disk(tmp_path) == 0 and len(shop.book) == 0

    asyncio.run(story())
