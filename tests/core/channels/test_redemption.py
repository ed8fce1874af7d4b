"""What is redeemed together, and what is left to lapse because it is worth less than its gas."""

from dataclasses import replace

import pytest

from agents.core.channels.lanes import Lane
from agents.core.channels.redemption import claimable, claims, due
from agents.core.channels.terms import Terms
from agents.core.channels.till import Cover, Till
from tests.core.channels.actors import EXPIRY, LANE, SPONSORED, voucher

TERMS = Terms(3)
NOW = 1000
LATE = EXPIRY - 2 * TERMS.margin


def signed(amount: int, cover: Cover, lane: Lane = LANE) -> Till:
    return Till(lane, TERMS, cover).accept(*voucher(amount, lane))


def lanes(count: int, amount: int, cover: Cover) -> list[Till]:
    """``count`` lanes of one reader in which it signed for ``amount`` each."""
    return [signed(amount, cover, replace(LANE, expiry=EXPIRY + number)) for number in range(count)]


def test_one_pool_pays_once() -> None:
    tills = [*lanes(3, 50, Cover(pool=80, reserved=20)), signed(50, Cover(pool=1000, reserved=20), SPONSORED)]
    assert [claim for _, claim in claims(tills)] == [50, 50, 40, 20]
    assert claimable(tills) == 3 * 20 + 80 + 20


def test_all_are_redeemed_together_once_they_are_worth_it() -> None:
    tills = lanes(2, 10, Cover(reserved=10))
    assert due(tills, NOW, 20, 1) == tills
    assert due(tills, NOW, 21, 1) == []
    # The same vouchers over one deposit bring no more than the deposit.
    assert due(lanes(2, 10, Cover(pool=10)), NOW, 20, 1) == []


@pytest.mark.parametrize("cover", [Cover(reserved=10), Cover(reserved=10, closes_at=NOW + 60)])
def test_what_ends_soon_is_redeemed_if_it_is_worth_its_gas(cover: Cover) -> None:
    till, now = signed(10, cover), NOW if cover.closes_at else LATE
    assert due([till], now, 10**30, 10) == [till]
    assert due([till], now, 10**30, 11) == [], "redeemed at a loss"
    assert due([till], EXPIRY, 1, 1) == []


def test_what_ends_soon_together_shares_a_transaction() -> None:
    tills = lanes(2, 10, Cover(reserved=10))
    assert due(tills, LATE, 10**30, 20) == [], "the second ends a second later"
    assert due(tills, LATE + 1, 10**30, 20) == tills
    assert due(lanes(30, 9, Cover(reserved=9)), LATE + 30, 10**30, 20) == [], "a share of less than its own gas"


def test_dust_rides_with_nothing() -> None:
    dust = lanes(1000, 1, Cover(reserved=1))
    good = signed(10**6, Cover(reserved=10**6), replace(LANE, expiry=2 * EXPIRY))
    assert due([*dust, good], NOW, 1000, 10) == [good]
    # Nor do signatures of which one deposit pays the first.
    assert len(due(lanes(1000, 10, Cover(pool=10)), NOW, 10, 10)) == 1


def test_a_lane_that_ends_soon_has_the_pool_before_one_that_does_not() -> None:
    cover = Cover(pool=10)
    soon, later = signed(10, cover), signed(100, cover, replace(LANE, expiry=2 * EXPIRY))
    assert due([later, soon], LATE, 10, 1) == [soon]
