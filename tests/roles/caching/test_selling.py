"""A cache that is paid: one interval ahead and no further, whoever the reader is and whenever the cache stops."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agents.core.channels.lanes import Domain, Grant, Opening, SignedGrant, SignedOpening, SignedVoucher, Voucher
from agents.core.channels.till import Cover
from agents.core.channels.wire import PAYMENT_HEADER, Payment
from agents.core.errors import ChainUnavailable, VoucherInvalid
from agents.net.host import Later
from agents.net.shelf import PaymentRequired
from agents.roles.caching.selling import Selling
from tests.roles.caching.counter import (
    DOMAIN,
    INTERVAL,
    KIB,
    LANE,
    MIB,
    NOW,
    OTHER,
    READER,
    SPONSOR,
    TERMS,
    Shop,
    earned,
    paying,
    told,
)


def test_without_a_lane_the_answer_is_the_offer(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        with pytest.raises(PaymentRequired) as found:
            await shop.admit(None)
        assert found.value.offer["pricePerByte"] == "10" and "lane" not in found.value.offer

    asyncio.run(story())


def test_nobody_is_served_in_a_lane_of_another(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        with pytest.raises(PaymentRequired) as found:
            await shop.admit(Payment(LANE))
        assert told(found) == ("voucher", 0)
        with pytest.raises(VoucherInvalid):
            await shop.admit(paying(0, signer=OTHER))
        (await shop.admit(paying(0))).close()

    asyncio.run(story())


def test_a_reader_that_never_pays_is_served_one_interval_in_one_lane(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        assert await shop.drained(await shop.admit(paying(0))) == MIB
        for lane in (LANE, replace(LANE, expiry=LANE.expiry + 1)):
            with pytest.raises(PaymentRequired):
                await shop.admit(paying(0, lane))
        assert shop.cashier.books().unpaid == INTERVAL

    asyncio.run(story())


def test_a_stream_waits_for_its_voucher_and_what_is_served_ahead_grows_with_what_is_paid(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.keep(LANE, 50 * INTERVAL)
        ticket = await shop.admit(paying(0))
        for _ in range(4):
            assert ticket.step == MIB // 4
            await ticket.take(ticket.step)
        waiting = asyncio.create_task(ticket.take(MIB // 4))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        standing = (await shop.vouch(paying(INTERVAL)))["lane"]
        await waiting
        assert (standing["paid"], standing["served"]) == (str(INTERVAL), MIB)
        assert await shop.drained(ticket) == 2 * MIB - MIB // 4, "the second interval is twice the first"

    asyncio.run(story())


def test_beyond_the_first_interval_the_lane_must_be_open(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        assert await shop.drained(await shop.admit(paying(0))) == MIB
        with pytest.raises(PaymentRequired) as found:
            await shop.admit(paying(INTERVAL))
        assert told(found) == ("opening", 0)
        shop.now += 2
        shop.chain.keep(LANE, 3 * INTERVAL)
        assert await shop.drained(await shop.admit(paying(INTERVAL))) == 2 * MIB

    asyncio.run(story())


@pytest.mark.parametrize(
    "payment",
    [
        paying(INTERVAL, domain=Domain(1, DOMAIN.contract)),
        paying(INTERVAL, domain=Domain(DOMAIN.chain_id, "0x" + "33" * 20)),
        paying(INTERVAL, signer=OTHER),
        paying(INTERVAL // 2 - 1),
        paying(INTERVAL, lane=replace(LANE, cache=OTHER.address)),
        Payment(LANE, SignedVoucher(Voucher(LANE, INTERVAL), bytes(65))),
    ],
    ids=["another chain", "another contract", "another signer", "a lower amount", "another cache", "no signature"],
)
def test_a_voucher_that_is_none_changes_nothing(tmp_path: Path, payment: Payment) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        (await shop.admit(paying(INTERVAL // 2))).close()
        with pytest.raises(VoucherInvalid):
            await shop.vouch(payment)
        with pytest.raises(VoucherInvalid):
            await shop.selling.vouch("127.0.0.1", {PAYMENT_HEADER: "no base64 at all"})
        assert shop.cashier.books().earned == INTERVAL // 2

    asyncio.run(story())


def test_a_voucher_that_was_overtaken_by_a_higher_one_stops_no_read(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        await earned(shop, INTERVAL)
        (await shop.admit(paying(INTERVAL - 1))).close()
        assert shop.cashier.books().earned == INTERVAL

    asyncio.run(story())


def test_a_voucher_above_the_deposit_buys_no_more_than_the_deposit(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.keep(LANE, INTERVAL)
        assert await shop.drained(await shop.admit(paying(10**30))) == MIB

    asyncio.run(story())


def test_an_expired_lane_and_one_of_a_payer_that_leaves_are_not_served(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        late = replace(LANE, expiry=NOW + TERMS.margin)
        with pytest.raises(PaymentRequired) as found:
            await shop.admit(paying(0, late))
        assert told(found) == ("expired", 0)
        shop.chain.kept[LANE.id] = Cover(pool=10 * INTERVAL, closes_at=NOW + 10 * TERMS.margin)
        with pytest.raises(PaymentRequired) as found:
            await shop.admit(paying(0))
        assert told(found) == ("closing", 0)

    asyncio.run(story())


def test_a_lane_that_ends_between_two_looks_at_the_clock_is_served_no_further(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        end = LANE.expiry - TERMS.margin
        times = [NOW]
        shop.cashier.clock = lambda: times.pop(0) if len(times) > 1 else times[0]
        shop.selling = Selling(shop.cashier)
        ticket = await shop.admit(paying(0))
        times[:] = [end - 1, end]
        with pytest.raises(PaymentRequired) as found:
            await ticket.take(64 * KIB)
        assert told(found) == ("expired", 0)

    asyncio.run(story())


def test_a_restart_loses_no_voucher_and_forgets_no_debt(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.keep(LANE, 50 * INTERVAL)
        ticket = await shop.admit(paying(0))
        await ticket.take(MIB)
        await shop.vouch(paying(INTERVAL))
        await shop.book.flush()
        shop.open()  # as after a kill: nothing was closed
        assert shop.cashier.books().earned == INTERVAL
        assert await shop.drained(await shop.admit(paying(INTERVAL))) == 2 * MIB
        await shop.cashier.close()
        shop.open()
        assert shop.cashier.books().unpaid == 2 * INTERVAL
        with pytest.raises(PaymentRequired):
            await shop.admit(paying(0, replace(LANE, expiry=LANE.expiry + 1)))
        assert await shop.drained(await shop.admit(paying(3 * INTERVAL))) == 3 * MIB

    asyncio.run(story())


def test_signatures_in_many_lanes_over_one_deposit_are_served_ahead_in_one(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        assert await shop.drained(await shop.admit(paying(0))) == MIB
        (await shop.admit(paying(INTERVAL), size=0)).close()
        assert shop.cashier.books().unpaid == 0
        second = replace(LANE, expiry=LANE.expiry + 1)
        with pytest.raises(PaymentRequired) as found:
            await shop.admit(paying(0, second))
        assert told(found) == ("debt", 0)
        # Once the chain keeps it for the first lane, nobody else is promised that money.
        shop.chain.keep(LANE, INTERVAL)
        await shop.cashier.look(list(shop.book))
        (await shop.admit(paying(0, second))).close()

    asyncio.run(story())


def test_nobody_reads_on_the_word_of_a_payer_that_gave_none(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        lane = replace(LANE, payer=SPONSOR.address)
        grant = Grant(SPONSOR.address, READER.address, 20 * INTERVAL, 0, lane.expiry)
        opening = Opening(lane, INTERVAL)
        signed = SignedOpening(opening, READER.sign_digest(opening.digest(DOMAIN)))
        forged = SignedGrant(grant, READER.sign_digest(grant.digest(DOMAIN)))
        contracts = SignedGrant(grant, b"minutes of a meeting")
        for shown in (None, forged, contracts):
            with pytest.raises(PaymentRequired) as found:
                await shop.admit(Payment(lane, paying(0, lane).voucher, signed, shown))
            assert told(found) == ("deposit", 0)
            shop.book.forget(next(iter(shop.book)))

    asyncio.run(story())


def test_a_lane_that_a_sponsor_pays_is_opened_once_its_reader_has_paid(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        lane = replace(LANE, payer=SPONSOR.address)
        grant = Grant(SPONSOR.address, READER.address, 20 * INTERVAL, 0, lane.expiry)
        opening = Opening(lane, 20 * INTERVAL)
        papers = Payment(
            lane,
            None,
            SignedOpening(opening, READER.sign_digest(opening.digest(DOMAIN))),
            SignedGrant(grant, SPONSOR.sign_digest(grant.digest(DOMAIN))),
            READER.sign_digest(Voucher(lane, 0).digest(DOMAIN)),
        )
        ticket = await shop.admit(papers)
        await ticket.take(MIB // 2)
        assert shop.chain.opened == []
        await shop.vouch(replace(papers, voucher=paying(INTERVAL // 2, lane).voucher))
        await asyncio.sleep(0.01)
        assert len(shop.chain.opened) == 1
        await shop.vouch(paying(INTERVAL, lane))
        assert await shop.drained(ticket) == 2 * MIB + MIB // 2

    asyncio.run(story())


def test_a_lane_that_keeps_too_little_for_the_next_piece_is_said_to_need_more(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.kept[LANE.id] = Cover(reserved=TERMS.cost(100 * KIB))
        ticket = await shop.admit(paying(TERMS.cost(100 * KIB)), size=64 * KIB)
        await ticket.take(64 * KIB)
        with pytest.raises(PaymentRequired) as found:
            await asyncio.wait_for(ticket.take(64 * KIB), 0.1)  # nobody waits for what cannot come
        assert told(found) == ("opening", 36 * KIB)

    asyncio.run(story())


def test_a_chain_that_is_down_stops_nobody_who_pays(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.keep(LANE, 50 * INTERVAL)
        ticket = await shop.admit(paying(0))
        shop.chain.down = True
        shop.now += 60
        await ticket.take(MIB)
        await shop.vouch(paying(INTERVAL))
        await ticket.take(MIB)
        with pytest.raises(ChainUnavailable):
            await shop.redeemer(1).step()
        shop.chain.down = False
        assert await shop.redeemer(1).step() == 1

    asyncio.run(story())


def test_a_new_lane_met_while_the_chain_is_down_is_asked_to_come_later_and_served_then(tmp_path: Path) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        shop.chain.down = True
        with pytest.raises(Later, match="cannot see the chain"):
            await shop.admit(paying(0))
        with pytest.raises(Later):
            await shop.vouch(paying(0))
        assert len(shop.book) == 0
        shop.chain.down = False
        assert await shop.drained(await shop.admit(paying(0))) == MIB

    asyncio.run(story())


def test_a_reader_that_leaves_while_its_lane_is_looked_up_is_not_counted_as_one_that_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        shop = Shop(tmp_path)
        await shop.drained(await shop.admit(paying(0)))
        shop.now += 5
        monkeypatch.setattr(shop.chain, "covers", lambda lanes: asyncio.Event().wait())
        coming = asyncio.create_task(shop.admit(paying(0)))
        await asyncio.sleep(0.01)
        account = shop.book.get(LANE)
        assert account is not None and account.active == 1
        coming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await coming
        assert account.active == 0

    asyncio.run(story())
