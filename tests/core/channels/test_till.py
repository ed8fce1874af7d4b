"""The cache's account of a lane: what it serves, what it takes as payment, and when it stops and why."""

from dataclasses import replace
from typing import Any

import pytest

from agents.core.channels.lanes import Domain, Lane
from agents.core.channels.terms import MIB, Terms
from agents.core.channels.till import Cover, Halt, Till
from agents.core.errors import PaymentDue, VoucherInvalid
from tests.core.channels.actors import CACHE, DOMAIN, EXPIRY, LANE, READER, SPONSORED, STRANGER, grant, voucher

PRICE = 3
TERMS = Terms(PRICE, minimal_deposit=100)
DEPOSITED = Cover(pool=100)
OPEN = Cover(pool=100, reserved=1000 * MIB * PRICE)
NOW = 1000


def till(cover: Cover = OPEN, lane: Lane = LANE, **changes: Any) -> Till:
    return Till(lane, replace(TERMS, **changes), cover)


def paid_up(account: Till, amount: int, lane: Lane = LANE) -> Till:
    return account.accept(*voucher(amount, lane))


def test_the_window_grows_with_each_interval_paid() -> None:
    terms = Terms(PRICE, interval=MIB, growth=MIB, max_interval=4 * MIB)
    sums = [0, 1, 3, 6, 10, 14]
    for paid, window in zip(sums, (1, 2, 3, 4, 4, 4), strict=True):
        assert terms.window(terms.cost(paid * MIB)) == window * MIB
        if paid:
            assert terms.window(terms.cost(paid * MIB) - 1) == min(window - (paid <= 6), 4) * MIB
    assert Terms(PRICE, growth=0).window(10**30) == MIB
    assert Terms(PRICE, interval=MIB, growth=3 * MIB).window(0) == MIB


@pytest.mark.parametrize(
    "changes",
    [
        {"price": -1},
        {"price": 1 << 128},
        {"interval": 65_536},
        {"max_interval": MIB - 1},
        {"max_interval": 1 << 50},
        {"growth": -1},
        {"minimal_deposit": -1},
        {"margin": -1},
    ],
)
def test_terms_nobody_can_keep_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(VoucherInvalid):
        replace(TERMS, **changes)


def test_free_reads_have_no_till() -> None:
    with pytest.raises(VoucherInvalid, match="price is zero"):
        till(price=0)


def test_a_deposit_is_served_one_interval_before_the_lane_is_open() -> None:
    account = till(DEPOSITED)
    assert (account.room(NOW), account.halt(NOW)) == (MIB, None)
    account = account.take(MIB, NOW)
    assert (account.room(NOW), account.halt(NOW)) == (0, Halt.OPENING)
    # A voucher is not enough: the same deposit could be promised to every cache there is.
    account = paid_up(account, MIB * PRICE)
    assert (account.room(NOW), account.halt(NOW)) == (0, Halt.OPENING)
    account = account.seen(OPEN)
    assert (account.room(NOW), account.halt(NOW)) == (2 * MIB, None)


@pytest.mark.parametrize("cover", [Cover(), Cover(pool=99)])
def test_nothing_is_served_without_a_deposit(cover: Cover) -> None:
    account = till(cover)
    assert (account.room(NOW), account.halt(NOW)) == (0, Halt.DEPOSIT)
    assert till(Cover(), minimal_deposit=0).halt(NOW) is Halt.DEPOSIT
    with pytest.raises(PaymentDue, match="deposit"):
        account.take(1, NOW)


def test_a_sponsors_deposit_is_behind_readers_with_its_grant_alone() -> None:
    account = till(DEPOSITED, SPONSORED)
    assert (account.room(NOW), account.halt(NOW)) == (0, Halt.DEPOSIT)
    assert account.shown(grant(10), STRANGER.address).room(NOW) == 0
    assert account.shown(grant(10), SPONSORED.payer).room(NOW) == MIB
    with pytest.raises(VoucherInvalid, match="does not cover"):
        account.shown(grant(10, expiry=EXPIRY - 1), SPONSORED.payer)
    # What the chain keeps needs no word of anybody.
    assert till(OPEN, SPONSORED).room(NOW) == MIB


def test_what_is_signed_and_not_kept_is_still_exposed() -> None:
    account = paid_up(till(DEPOSITED).take(100, NOW), 100 * PRICE)
    assert (account.unpaid, account.exposed) == (0, 100 * PRICE)
    assert account.seen(Cover(reserved=60 * PRICE)).exposed == 40 * PRICE
    assert account.seen(OPEN).exposed == 0


def test_it_may_stop_before_a_block_that_does_not_fit() -> None:
    account = till(Cover(reserved=10 * PRICE))
    assert (account.halt(NOW, 10), account.halt(NOW, 11)) == (None, Halt.OPENING)
    account = till().take(MIB - 10, NOW)
    assert (account.halt(NOW, 10), account.halt(NOW, 11)) == (None, Halt.VOUCHER)


def test_a_reader_that_never_pays_costs_one_interval() -> None:
    account = till().take(MIB // 2, NOW).take(MIB // 2, NOW)
    assert (account.served, account.owed, account.unpaid) == (MIB, MIB * PRICE, MIB * PRICE)
    assert account.halt(NOW) is Halt.VOUCHER
    with pytest.raises(PaymentDue, match="unpaid"):
        account.take(1, NOW)


def test_what_is_owed_elsewhere_is_served_less_ahead() -> None:
    account = replace(till(), credit=MIB * PRICE // 4)
    assert (account.ahead, account.room(NOW), account.halt(NOW, MIB // 4)) == (MIB // 4, MIB // 4, None)
    # A voucher helps where one block fits, and no voucher in this lane where none does.
    assert account.halt(NOW, MIB // 4 + 1) is Halt.DEBT
    assert account.take(MIB // 4, NOW).halt(NOW) is Halt.VOUCHER
    for credit in (0, -(10**30)):
        account = replace(till(), credit=credit)
        assert (account.room(NOW), account.halt(NOW)) == (0, Halt.DEBT)
        assert paid_up(account, 5 * PRICE).room(NOW) == 5, "what was signed before is no credit"


def test_before_a_lane_is_open_it_is_served_so_far_that_it_can_be_opened_or_not_at_all() -> None:
    half = MIB * PRICE // 2
    assert replace(till(DEPOSITED), credit=half).room(NOW) == MIB // 2
    account = replace(till(DEPOSITED), credit=half - 1)
    assert (account.room(NOW), account.halt(NOW)) == (0, Halt.DEBT)
    assert replace(till(), credit=half - 1).room(NOW) == MIB // 2 - 1


def test_each_voucher_makes_room_for_an_interval_more() -> None:
    account = paid_up(till().take(MIB, NOW), MIB * PRICE)
    assert account.room(NOW) == 2 * MIB
    account = paid_up(account.take(2 * MIB, NOW), 3 * MIB * PRICE)
    assert account.room(NOW) == 3 * MIB
    assert account.unpaid == 0


def test_part_of_an_interval_paid_makes_that_much_room() -> None:
    account = paid_up(till().take(MIB, NOW), MIB * PRICE // 2)
    assert account.room(NOW) == MIB // 2


def test_the_same_voucher_again_changes_nothing() -> None:
    account = paid_up(till(), 10)
    assert paid_up(account, 10) == account


def test_a_lower_voucher_is_refused() -> None:
    account = paid_up(till(), 10)
    with pytest.raises(VoucherInvalid, match="less than the 10"):
        account.accept(*voucher(9))


@pytest.mark.parametrize(
    "lane",
    [
        SPONSORED,
        replace(LANE, cache=STRANGER.address),
        replace(LANE, epoch=1),
        replace(LANE, expiry=EXPIRY + 1),
    ],
)
def test_a_voucher_of_another_lane_is_refused(lane: Lane) -> None:
    with pytest.raises(VoucherInvalid, match="another lane"):
        till().accept(*voucher(10, lane))


def test_a_voucher_of_another_signer_is_refused() -> None:
    with pytest.raises(VoucherInvalid, match="not signed by the lane's reader"):
        till().accept(*voucher(10, signer=STRANGER))


@pytest.mark.parametrize("domain", [Domain(1, DOMAIN.contract), Domain(DOMAIN.chain_id, CACHE.address)])
def test_a_voucher_of_another_chain_or_contract_is_refused(domain: Domain) -> None:
    with pytest.raises(VoucherInvalid, match="for this chain and contract"):
        till().accept(*voucher(10, domain=domain))


def test_a_voucher_above_the_deposit_buys_no_more_than_the_deposit() -> None:
    account = paid_up(till(Cover(pool=1, reserved=10 * PRICE)), 10**30)
    assert (account.sure, account.room(NOW)) == (10 * PRICE, 10)
    account = account.take(10, NOW)
    assert account.halt(NOW) is Halt.OPENING
    assert account.claim() == 10 * PRICE + 1


def test_an_expired_lane_is_served_no_more() -> None:
    account = till()
    last = EXPIRY - TERMS.margin - 1
    assert (account.room(last), account.halt(last)) == (MIB, None)
    assert (account.room(last + 1), account.halt(last + 1)) == (0, Halt.EXPIRED)
    with pytest.raises(PaymentDue, match="expired"):
        account.take(1, last + 1)


def test_a_lane_of_an_old_epoch_is_served_no_more_and_worth_nothing() -> None:
    account = paid_up(till(), 10).seen(replace(OPEN, epoch=1))
    assert (account.room(NOW), account.halt(NOW), account.claim()) == (0, Halt.EXPIRED, 0)


def test_a_payer_that_closes_is_served_what_it_paid_for() -> None:
    account = paid_up(till(), 10 * PRICE).seen(replace(OPEN, closes_at=NOW + 1000))
    assert account.room(NOW) == 10
    account = account.take(10, NOW)
    assert account.halt(NOW) is Halt.CLOSING
    assert account.pressing(NOW)
    assert account.room(NOW + 1000 - TERMS.margin) == 0


def test_what_a_redemption_pays() -> None:
    account = paid_up(till(Cover(pool=5, reserved=10, redeemed=3)), 100)
    assert account.claim() == 15
    sponsored = paid_up(till(Cover(pool=5, reserved=10, redeemed=3), SPONSORED), 100, SPONSORED)
    assert sponsored.claim() == 10
    assert paid_up(till(Cover(reserved=10, redeemed=3)), 7).claim() == 4
    assert till().claim() == 0


def test_it_presses_before_the_end() -> None:
    late = EXPIRY - 2 * TERMS.margin
    assert not till().pressing(late - 1) and till().pressing(late)


def test_what_was_signed_is_earned_as_far_as_it_was_served_or_money_is_behind_it() -> None:
    assert paid_up(till(Cover(pool=5, reserved=10, redeemed=3)), 10**30).earned == 18
    assert paid_up(till(Cover(pool=5, reserved=10), SPONSORED), 10**30, SPONSORED).earned == 10
    assert paid_up(till(DEPOSITED).take(100, NOW).seen(Cover()), 10**30).earned == 100 * PRICE
    assert paid_up(till().take(100, NOW), 50 * PRICE).earned == 50 * PRICE


def test_a_lane_of_an_old_epoch_is_sure_of_what_it_redeemed_alone() -> None:
    account = paid_up(till().take(100, NOW), 100 * PRICE).seen(Cover(epoch=1, reserved=60 * PRICE, redeemed=40 * PRICE))
    assert (account.sure, account.exposed) == (40 * PRICE, 60 * PRICE)


def test_a_new_price_is_for_what_is_served_next() -> None:
    account = till().take(10, NOW)
    account = replace(account, terms=replace(TERMS, price=5)).take(10, NOW)
    assert account.owed == 10 * PRICE + 10 * 5


def test_the_actors_have_keys_of_their_own() -> None:
    assert len({READER.address, STRANGER.address, CACHE.address, SPONSORED.payer}) == 4
