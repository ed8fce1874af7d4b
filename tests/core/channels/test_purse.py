"""The reader's account of a lane, alone and against a till: nobody loses more than one interval, and the reader a hundredth."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.channels.lanes import SignedVoucher
from agents.core.channels.purse import LOST, Purse, resumed
from agents.core.channels.terms import MIB, Terms
from agents.core.channels.till import Cover, Till
from agents.core.errors import NotEnough, PeerError
from tests.core.channels.actors import LANE, READER

PRICE = 3
TERMS = Terms(PRICE)
LIMIT = 1000 * MIB * PRICE
BLOCK = 65_536


def test_nothing_is_signed_before_anything_is_verified() -> None:
    purse = Purse(LANE, TERMS, LIMIT)
    assert purse.next() == (purse, None)
    assert purse.next(last=True) == (purse, None)


def test_half_an_interval_verified_is_signed_for() -> None:
    purse = Purse(LANE, TERMS, LIMIT).verify(MIB // 2 - 1)
    assert purse.next()[1] is None
    purse, voucher = purse.verify(1).next()
    assert voucher is not None
    assert (voucher.lane, voucher.amount, purse.signed) == (LANE, MIB // 2 * PRICE, MIB // 2 * PRICE)
    assert purse.next(last=True)[1] is None


def test_the_last_block_is_signed_for_at_once() -> None:
    purse, voucher = Purse(LANE, TERMS, LIMIT).verify(10).next(last=True)
    assert voucher is not None
    assert voucher.amount == purse.owed == 10 * PRICE


def test_of_long_intervals_three_quarters_are_signed_for_at_once() -> None:
    paid = 10**4 * MIB * PRICE
    purse = resumed(LANE, TERMS, paid + LIMIT, paid)
    assert purse.verify(12 * MIB - 1).next()[1] is None
    assert purse.verify(12 * MIB).next()[1] is not None


def test_longer_intervals_are_signed_for_less_often() -> None:
    purse, signed = Purse(LANE, TERMS, LIMIT), 0
    for _ in range(1024):
        purse, voucher = purse.verify(BLOCK).next()
        signed += voucher is not None
    assert 5 < signed < 30


def test_no_more_is_signed_than_the_limit() -> None:
    purse, voucher = Purse(LANE, TERMS, limit=MIB).verify(MIB).next()
    assert voucher is not None
    assert (voucher.amount, purse.short) == (MIB, 2 * MIB)
    with pytest.raises(NotEnough, match="used up"):
        purse.next(last=True)


def test_a_broken_connection_may_be_conceded_once_an_interval_in_all() -> None:
    purse = Purse(LANE, TERMS, LIMIT).verify(10).concede(10 * PRICE + 5)
    assert purse.owed == 10 * PRICE + 5
    assert purse.concede(purse.owed - 1) is purse
    full = purse.concede(10 * PRICE + MIB * PRICE)
    assert full.conceded == MIB * PRICE
    with pytest.raises(PeerError, match="claims more"):
        full.concede(full.owed + 1)
    with pytest.raises(PeerError, match="claims more"):
        purse.concede(10 * PRICE + MIB * PRICE + 1)


def test_a_lane_used_much_outlives_many_broken_connections() -> None:
    earned = 10**4 * MIB * PRICE
    purse = resumed(LANE, TERMS, earned + LIMIT, earned)
    allowed = 16 * MIB * PRICE + earned // LOST
    for _ in range(allowed // (MIB * PRICE)):
        purse, _ = purse.concede(purse.owed + MIB * PRICE).next(last=True)
    with pytest.raises(PeerError, match="claims more"):
        purse.concede(purse.owed + MIB * PRICE)


def test_a_reader_goes_on_where_its_last_voucher_stands() -> None:
    purse = resumed(LANE, TERMS, LIMIT, 7 * PRICE)
    assert (purse.verified, purse.owed, purse.signed) == (7, 7 * PRICE, 7 * PRICE)
    purse, voucher = purse.verify(1).next(last=True)
    assert voucher is not None
    assert voucher.amount == 8 * PRICE


def test_what_was_conceded_stays_conceded() -> None:
    purse = resumed(LANE, TERMS, LIMIT, 10 * PRICE, conceded=4 * PRICE)
    assert (purse.verified, purse.owed, purse.signed) == (6, 10 * PRICE, 10 * PRICE)
    with pytest.raises(PeerError, match="claims more"):
        purse.concede((10 - 4) * PRICE + MIB * PRICE + 1)


@dataclass
class Conversation:
    """A till and a purse on one lane, the wire between them, and what is under way on it."""

    till: Till
    purse: Purse
    lost: int = 0
    """Bytes that were sent and never came."""
    flying: list[int] = field(default_factory=list)
    """Blocks under way."""

    def send(self, most: int) -> None:
        size = min(most, self.till.room(0))
        if size:
            self.till = self.till.take(size, 0)
            self.flying.append(size)

    def arrive(self, *, last: bool = False) -> None:
        while self.flying:
            self.purse = self.purse.verify(self.flying.pop(0))
        self.sign(last=last)

    def sign(self, *, last: bool) -> None:
        self.purse, voucher = self.purse.next(last=last)
        if voucher:
            self.till = self.till.accept(SignedVoucher(voucher, b""), READER.address)

    def cut(self) -> None:
        self.lost += sum(self.flying)
        self.flying.clear()

    def settle(self) -> None:
        try:
            self.purse = self.purse.concede(self.till.owed)
        except PeerError:
            return
        self.sign(last=True)


STEPS = st.lists(st.tuples(st.sampled_from(["send", "arrive", "cut", "settle", "last"]), st.integers(1, 3 * MIB)))


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from([Terms(PRICE), Terms(1, growth=0), Terms(7, interval=2 * MIB, growth=MIB // 2)]))
def test_nobody_ever_loses_more_than_one_interval_and_the_reader_a_hundredth(
    steps: list[tuple[str, int]], terms: Terms
) -> None:
    open_lane = Cover(reserved=1 << 100)
    talk = Conversation(Till(LANE, terms, open_lane), Purse(LANE, terms, 1 << 100))
    for step, size in steps:
        if step == "send":
            talk.send(size)
        elif step == "cut":
            talk.cut()
        elif step == "settle":
            talk.settle()
        else:
            talk.arrive(last=step == "last")
        assert talk.till.unpaid <= terms.cost(talk.till.ahead)
        assert (
            talk.till.paid - talk.purse.earned
            <= terms.cost(terms.window(talk.purse.earned)) + talk.purse.earned // LOST
        )
        assert talk.till.paid == talk.purse.signed


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40 * MIB), st.integers(1, MIB))
def test_a_read_never_stands_still(size: int, chunk: int) -> None:
    talk = Conversation(Till(LANE, TERMS, Cover(reserved=LIMIT)), Purse(LANE, TERMS, LIMIT))
    left, rounds = size, 0
    while left:
        before = talk.till.served
        talk.send(min(left, max(chunk, BLOCK)))
        left -= talk.till.served - before
        assert talk.till.served > before
        talk.arrive(last=not left)
        rounds += 1
    assert talk.till.paid == size * PRICE == talk.purse.earned
