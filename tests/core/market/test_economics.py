"""Money, rounded as the contracts do: nothing is created and nothing stranded."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agents.core.market import economics, periods
from agents.core.market.types import Ask, Content, MarketConfig, Request, request_id_of, slot_id, slot_index_of

CONFIG = MarketConfig(10, 1, 40, 100, 3, 1000, 2000, 5000, 500, 60, 100, 2, 86_400, 100)
collaterals = st.integers(0, 2**100)


@given(collaterals)
def test_all_misses_cost_no_more_than_the_collateral(collateral: int) -> None:
    full = replace(CONFIG, max_misses=10)
    assert economics.slashed(collateral, 10, full) <= collateral
    one = economics.slashed(collateral, 1, CONFIG)
    assert 0 <= economics.reward(one, CONFIG) <= one
    assert economics.slashed(collateral, 3, CONFIG) == 3 * one


@given(collaterals, st.integers(0, 40))
def test_bonds_double_and_stop_at_the_collateral(collateral: int, expired: int) -> None:
    bonds = [economics.bond(collateral, count, CONFIG) for count in range(expired + 2)]
    assert bonds == sorted(bonds)
    assert max(bonds) <= collateral


@given(collaterals, collaterals, st.integers(0, 1_000))
def test_a_bounty_never_exceeds_the_pot_nor_its_cap(pot: int, collateral: int, after: int) -> None:
    found = economics.bounty(pot, collateral, after, CONFIG)
    assert 0 <= found <= min(pot, collateral // 2)
    assert found <= economics.bounty(pot, collateral, after + 1, CONFIG)


@given(st.integers(0, 10**6), collaterals, st.integers(0, 1_000), st.integers(0, 10_000))
def test_the_bounty_for_a_slot_that_was_left_is_pay_nobody_else_earned(
    rate: int, collateral: int, after: int, away: int
) -> None:
    found = economics.departed_bounty(rate, collateral, after, away, CONFIG)
    assert found <= min(rate * away, collateral // 2)
    assert found == 0 if rate == 0 else found % rate == 0
    assert found <= economics.departed_bounty(rate, collateral, after + 1, away + 1, CONFIG)
    assert economics.departed_bounty(7, 1_000, 50, 1_000, CONFIG) == 35 * 7  # half of 1,000 in half the window: 250


@given(st.integers(0, 2**60), st.integers(0, 10_000), st.integers(0, 5), st.integers(0, 2**70))
def test_pay_is_never_negative_nor_more_than_the_time(rate: int, seconds: int, misses: int, claimed: int) -> None:
    found = economics.earned(rate, 1_000, 1_000 + seconds, misses, claimed, CONFIG)
    assert 0 <= found <= rate * seconds
    assert economics.earned(rate, 1_000, 1_000 + seconds, misses, claimed + found, CONFIG) == 0


def test_the_lottery_at_its_edges() -> None:
    assert periods.required(b"\xff" * 32, 1)
    assert not periods.required(b"\xff" * 32, 2)
    assert periods.required(b"\x7f" + b"\xff" * 31, 2)
    assert periods.required(bytes(32), 65_535)


@given(st.integers(0, 2**40))
def test_every_block_is_in_one_period_and_one_mark_window_later(block: int) -> None:
    period = periods.period_of(block, CONFIG)
    assert periods.first_block(period, CONFIG) <= block < periods.first_block(period + 1, CONFIG)
    window = periods.markable_blocks(period, CONFIG)
    assert window.start == periods.first_block(period + 1, CONFIG)
    assert len(window) == CONFIG.mark_blocks


def test_ids_name_each_other() -> None:
    ask = Ask(1, 3, 1, 1, 5_000, 65_536, 1_000, 1, 1)
    request = Request("0x" + "11" * 20, ask, Content(bytes(32), 5), 100, bytes(32))
    assert request.id[31] == 0
    slot = slot_id(request.id, 200)
    assert (request_id_of(slot), slot_index_of(slot)) == (request.id, 200)
    assert replace(request, nonce=b"\1" * 32).id != request.id
