"""Readers and sponsors with many lanes: what they owe is served less ahead elsewhere, and outlives lane and restart."""

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account as EthAccount

from agents.core.channels.credit import Risk
from agents.core.channels.lanes import Grant, Lane, Opening, SignedGrant, SignedOpening, Voucher
from agents.core.channels.till import Cover
from agents.core.channels.wire import Payment
from agents.core.errors import VoucherInvalid
from agents.net.shelf import PaymentRequired
from agents.net.signing import AccountSigner
from agents.roles.caching import debts
from agents.roles.caching.debts import MEMORY, Debts
from agents.store.state import StateStore
from tests.roles.caching.counter import (
    CACHE,
    DOMAIN,
    INTERVAL,
    KIB,
    LANE,
    MIB,
    NOW,
    READER,
    SPONSOR,
    TERMS,
    Shop,
    paying,
    told,
)

READERS = [AccountSigner(EthAccount.from_key(bytes([number]) * 32)) for number in range(20, 40)]


def sponsored(number: int, amount: int = 0, keep: int = INTERVAL) -> Payment:
    """What a reader that the sponsor pays for shows, once it signed for ``amount``."""
    reader = READERS[number]
    lane = Lane(SPONSOR.address, reader.address, CACHE, 0, LANE.expiry)
    voucher, opening = Voucher(lane, amount), Opening(lane, keep)
    grant = Grant(SPONSOR.address, reader.address, 20 * INTERVAL, 0, LANE.expiry)
    payment = paying(amount, lane, reader)
    return Payment(
        lane,
        payment.voucher if amount else None,
        SignedOpening(opening, reader.sign_digest(opening.digest(DOMAIN))),
        SignedGrant(grant, SPONSOR.sign_digest(grant.digest(DOMAIN))),
        reader.sign_digest(Voucher(voucher.lane, 0).digest(DOMAIN)),
    )


async def stolen(shop: Shop, payment: Payment) -> int:
    """Bytes that are served to a reader that never pays."""
    try:
        return await shop.drained(await shop.admit(payment))
    except PaymentRequired:
        return 0


def test_short_lanes_and_new_epochs_bring_one_interval_in_thirty_days(tmp_path: Path) -> None:
    async def story() -> None:
        shop, served = Shop(tmp_path), 0
        for number in range(6):
            lane = replace(LANE, epoch=number // 2, expiry=int(shop.now) + 600)
            shop.chain.kept[lane.id] = Cover(epoch=lane.epoch, pool=shop.chain.pool)
            served += await stolen(shop, paying(0, lane))
            shop.now = lane.expiry
            await shop.redeemer(1).step()
            assert all(account.idle for account in shop.book)
            if number == 3:
                await shop.cashier.close()
            if number % 2:
                shop.open()
        assert served == MIB
        shop.now += MEMORY
        await shop.redeemer(1).step()
        assert await stolen(shop, paying(0, replace(LANE, expiry=int(shop.now) + 600))) == MIB

    asyncio.run(story())


def test_a_lane_that_ended_is_not_begun_again(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.keep(LANE, INTERVAL)
        assert await stolen(shop, paying(0)) == MIB
        await shop.vouch(paying(INTERVAL))
        account = shop.book.get(LANE)
        assert account is not None
        shop.now = LANE.expiry
        await shop.redeemer(1).step()
        before = shop.cashier.books()
        shop.book.save_soon(account)  # by a request that came as it ended
        await shop.book.flush()
        with pytest.raises(VoucherInvalid, match="has ended"):
            await shop.vouch(paying(2 * INTERVAL))
        await shop.cashier.look([account])  # by whoever had it in hand at its end
        await shop.redeemer(1).step()
        assert shop.cashier.books() == before
        await shop.cashier.close()
        shop.open()
        assert len(shop.book) == 0
        assert await stolen(shop, paying(0, replace(LANE, expiry=LANE.expiry + 86_400))) == 0

    asyncio.run(story())


def test_what_is_signed_and_let_lapse_is_a_debt_too(tmp_path: Path) -> None:
    """Else a reader took for nothing what is not worth its gas, in one lane after the other."""

    async def story() -> None:
        shop, served = Shop(tmp_path), 0
        for _ in range(6):
            lane = replace(LANE, expiry=int(shop.now) + 1200)
            with contextlib.suppress(PaymentRequired):
                ticket = await shop.admit(paying(0, lane))
                step = ticket.step
                await ticket.take(step)
                served += step
                ticket.close()
                await shop.vouch(paying(TERMS.cost(step), lane))
            shop.now = lane.expiry
            await shop.redeemer(1 << 100).step()
        assert shop.chain.redeemed == []
        assert served < MIB

    asyncio.run(story())


def test_a_reader_whose_lane_ends_soon_reads_on_in_a_new_one(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.keep(LANE, 50 * INTERVAL)
        old = await shop.admit(paying(3 * INTERVAL))
        for _ in range(5):
            await old.take(MIB)  # three are paid, two are in flight
        new = replace(LANE, expiry=LANE.expiry + 86_400)
        assert await stolen(shop, paying(0, new)) == MIB

    asyncio.run(story())


def test_a_reader_that_owes_little_is_served_a_little_less_ahead(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        first = await shop.admit(paying(0))
        await first.take(256 * KIB)
        first.close()
        assert await stolen(shop, paying(0, replace(LANE, expiry=LANE.expiry + 1))) == 768 * KIB
        with pytest.raises(PaymentRequired) as found:
            await shop.admit(paying(0, replace(LANE, expiry=LANE.expiry + 2)))
        assert told(found) == ("debt", 0)

    asyncio.run(story())


def test_a_sponsors_readers_take_one_interval_together_and_no_more(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        tickets = [await shop.admit(sponsored(number, keep=1)) for number in range(2)]
        assert sum([await shop.drained(ticket) for ticket in tickets]) == MIB
        # A signature is worth nothing for which the sponsor's deposit keeps nothing.
        for number in range(2):
            await shop.vouch(sponsored(number, amount=INTERVAL // 2, keep=1))
        await asyncio.sleep(0.01)
        assert shop.chain.opened == []
        assert await stolen(shop, sponsored(9)) == 0

    asyncio.run(story())


def test_many_readers_of_a_new_sponsor_that_begin_at_once_are_all_served(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.pool = INTERVAL

        async def reads(number: int) -> None:
            ticket = await shop.admit(sponsored(number, keep=10 * INTERVAL))
            await asyncio.sleep(0.01)  # the bytes are fetched
            taken = 0
            while taken < 3 * MIB:
                step = ticket.step
                await ticket.take(step)
                taken += step
                await asyncio.sleep(0)  # on its way
                owed = sum(account.till.exposed for account in shop.book)
                assert owed <= TERMS.cost(TERMS.window(sum(account.till.sure for account in shop.book)))
                await shop.vouch(sponsored(number, TERMS.cost(taken), keep=10 * INTERVAL))
            ticket.close()

        async with asyncio.timeout(20):
            await asyncio.gather(*(reads(number) for number in range(12)))
        assert len(shop.chain.opened) == 12

    asyncio.run(story())


def test_one_bad_reader_stops_no_other_of_a_sponsor_that_has_paid(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        good = sponsored(0, amount=INTERVAL)
        shop.chain.keep(good.lane, 2 * INTERVAL)
        ticket = await shop.admit(good)
        await ticket.take(MIB)
        ticket.close()
        assert await stolen(shop, sponsored(1)) == MIB
        assert await stolen(shop, sponsored(2)) == MIB, "an interval paid makes the sponsor's two long"
        assert await stolen(shop, sponsored(3)) == 0
        shop.now = LANE.expiry
        await shop.redeemer(1).step()
        assert all(account.idle for account in shop.book)
        late = replace(LANE, payer=SPONSOR.address, expiry=LANE.expiry + 86_400)
        shop.chain.keep(late, 10 * INTERVAL)
        assert await stolen(shop, paying(0, late)) == 0, "the sponsor is remembered, whoever reads"

    asyncio.run(story())


def test_who_waits_for_others_that_are_about_to_pay_is_served_then(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.keep(LANE, 50 * INTERVAL)
        first = await shop.admit(paying(0))
        await first.take(MIB)
        other = replace(LANE, expiry=LANE.expiry + 1)
        shop.chain.keep(other, 50 * INTERVAL)
        waiting = asyncio.create_task(shop.admit(paying(0, other)))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await shop.vouch(paying(INTERVAL))
        second = await asyncio.wait_for(waiting, 2)
        await first.take(2 * MIB)
        taking = asyncio.create_task(second.take(64 * KIB))
        await asyncio.sleep(0.05)
        assert not taking.done()
        await shop.vouch(paying(3 * INTERVAL))
        await asyncio.wait_for(taking, 2)
        for ticket in (first, second):
            ticket.close()

    asyncio.run(story())


def test_the_oldest_debts_go_first_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debts, "MOST", 3)
    known = Debts(StateStore(tmp_path / "debts.db"))
    for number in range(5):
        known.remember(bytes([number]) * 32, Risk(READER.address, SPONSOR.address, number, 10**30), NOW + number)
    assert known.forget_old(NOW - 1) == [bytes([number]) * 32 for number in (0, 1)]
    known.close()
    again = Debts(StateStore(tmp_path / "debts.db"))
    assert [risk.paid for _, risk in again] == [2, 3, 4]
    assert [lane[0] for lane in again.forget_old(NOW + 3)] == [2, 3]
    assert again.forget_old(NOW + 3) == []
    again.close()
