"""Hosts whose request was extended: who stays, who leaves at the end it agreed to, and who comes after."""

from dataclasses import replace

from agents.core.agents import provider, validator
from agents.core.agents.batching import MOST_PROOFS, to_send
from agents.core.agents.provider_duties import NOTHING, Accept, Claim, Forget, Policy, Prove, Rebuild, Reserve, Settle
from agents.core.agents.provider_repair import partners
from agents.core.agents.validator import MarkMissing, SettleSlot, together
from agents.core.market import events as e
from agents.core.market.types import SlotState, slot_id
from agents.core.market.view import MarketView
from tests.core.agents.test_duties import (
    ASK,
    BLOCK,
    CONFIG,
    HELD,
    ID,
    ME,
    OTHER,
    POLICY,
    START,
    at,
    checks,
    clock,
    filled,
    joined,
    market,
    mine,
)
from tests.core.agents.test_extending import extended, started

END = 1_000
"""Seconds after START at which the request ends at first."""
LEFT = BLOCK + END
THIRD = "0x" + "e" * 40


def running(extra: int = 0, who: str = ME) -> MarketView:
    """Slot 0 hosted by ``who``, slot 1 by a third; extended in block 540."""
    view = joined(market(replace(ASK, duration=END)), THIRD, BLOCK + 1)
    view = started(filled(filled(view, 0, who, BLOCK + 30), 1, THIRD, BLOCK + 40))
    return extended(view, BLOCK + 70, extra) if extra else view


def kinds(view: MarketView, block: int, policy: Policy = POLICY) -> list[object]:
    """What there is to do but for proofs."""
    return [duty for duty in mine(view, block, HELD, policy) if not isinstance(duty, Prove | Claim)]


def test_a_host_stays_where_it_would_take_the_slot_anew() -> None:
    view = running(extra=500)
    until = START + END + 500
    assert kinds(running(), BLOCK + 71) == []
    assert kinds(view, BLOCK + 71) == [Accept(ID, 0, until)]
    assert kinds(view, BLOCK + 71, Policy(quota=0)) == [Accept(ID, 0, until)]  # its room is not asked for again
    assert kinds(view, BLOCK + 71, Policy(quota=1_000, min_price=6)) == []
    assert kinds(view, BLOCK + 71, Policy(quota=1_000, max_duration=1_428)) == []
    assert kinds(view, BLOCK + 72, Policy(quota=1_000, max_duration=1_428)) == [Accept(ID, 0, until)]
    assert kinds(view, BLOCK + 71, Policy(quota=1_000, proofs_per_period=0.5)) == []
    assert not any(isinstance(duty, Accept) for duty in mine(view, BLOCK + 71))  # what is lost cannot be proven
    # The block after the next is too late.
    assert kinds(view, LEFT - 2) == [Accept(ID, 0, until)]
    assert kinds(view, LEFT - 1) == []
    accepted = view.after(
        e.ExtensionAccepted(at=at(BLOCK + 72), request_id=ID, slot_index=0, host=ME, held_until=until)
    )
    assert kinds(accepted, BLOCK + 73) == []
    assert kinds(extended(accepted, BLOCK + 80, 60), BLOCK + 81) == [Accept(ID, 0, until + 60)]


def test_a_host_that_leaves_proves_until_its_own_end_and_is_paid_then() -> None:
    view, no = running(extra=500), Policy(quota=1_000, min_price=6)
    assert [type(duty) for duty in mine(view, LEFT - 1, HELD, no)] == [Prove]
    assert mine(view, LEFT + 4, HELD, no) == []
    assert mine(view, LEFT + 59, HELD, no) == []
    assert mine(view, LEFT + 60, HELD, no) == [Settle(ID, 0, START + 31)]
    paid = (END - 31) * ASK.rate
    gone = view.after(e.SlotDeparted(at=at(LEFT + 61), request_id=ID, slot_index=0, host=ME, paid=paid))
    slot = gone.requests[ID].slots[0]
    assert (slot.state, slot.departed_at, slot.left_by) == (SlotState.DEPARTED, START + END, ME)
    assert mine(gone, LEFT + 62, HELD, no) == [Forget(ID, 0)]
    # Who may come to host it can have it for a while, once its repair is open.
    open_ = gone.after(e.RepairOpened(at=at(LEFT + 61, 1), request_id=ID))
    assert mine(open_, LEFT + 62, HELD, no) == []
    assert partners(open_.requests[ID], OTHER) == [ME]
    assert mine(open_, LEFT + 61 + 50 + 4 * 60, HELD, no) == [Forget(ID, 0)]


def test_a_slot_that_was_left_finds_another_host() -> None:
    view = extended(running(who=OTHER), BLOCK + 70, 500)
    late = LEFT + 60 + CONFIG.period_seconds
    assert mine(view, late - 1) == []  # its host's turn
    assert mine(view, late) == [Settle(ID, 0, START + 31)]  # with the other one the request would fail
    assert mine(view, late, policy=Policy(quota=1_000, min_price=6)) == []
    gone = view.after(e.SlotDeparted(at=at(late), request_id=ID, slot_index=0, host=OTHER, paid=0))
    open_ = gone.after(e.RepairOpened(at=at(late, 1), request_id=ID))
    assert mine(open_, late + 55) == [Rebuild(ID, 0)]
    (duty,) = mine(open_, late + 55, HELD)
    assert isinstance(duty, Reserve)
    assert provider.duties(open_, OTHER, POLICY, frozenset(), clock(late + 55), NOTHING) == []


def test_what_is_missed_after_a_hosts_end_is_not_marked_and_what_ended_is_settled() -> None:
    view = extended(running(), BLOCK + 70, 500)
    assert MarkMissing(ID, 0, LEFT // 10 - 1) in checks(view, LEFT)
    assert not any(isinstance(duty, MarkMissing) and duty.period >= LEFT // 10 for duty in checks(view, LEFT + 19))
    stayed = view.after(
        e.ExtensionAccepted(at=at(BLOCK + 72), request_id=ID, slot_index=1, host=THIRD, held_until=START + END + 500)
    )
    assert {duty.index for duty in checks(stayed, LEFT + 19) if isinstance(duty, MarkMissing)} == {1}
    assert [duty for duty in checks(stayed, LEFT + 60) if isinstance(duty, SettleSlot)] == [
        SettleSlot(ID, 0, START + 31)
    ]


def test_misses_go_together_by_period_and_not_too_many_at_once() -> None:
    marks = [MarkMissing(ID, index, period) for index in range(5) for period in (7, 8)]
    batches = together(marks, 3)
    assert [(len(batch), batch[0].period) for batch in batches] == [(3, 7), (2, 7), (3, 8), (2, 8)]
    assert sorted(mark.key for batch in batches for mark in batch) == sorted(mark.key for mark in marks)
    assert validator.together([], 3) == []


def test_proofs_wait_for_one_another_as_long_as_nothing_is_at_risk() -> None:
    slow = replace(CONFIG, period_blocks=40)
    early, late = 4 * 40 + 28, 4 * 40 + 29  # a quarter is left
    assert to_send(3, 2, 4, early, slow) == 0
    assert to_send(3, 0, 4, early, slow) == 3
    assert to_send(3, 2, 4, late, slow) == 3
    assert to_send(MOST_PROOFS + 5, 2, 4, early, slow) == MOST_PROOFS
    assert to_send(0, 0, 4, early, slow) == 0
    assert to_send(1, 9, 3, early, slow) == 1  # its period is over: let the market say so
    assert [to_send(1, 1, 4, block, CONFIG) for block in (45, 46)] == [0, 1]


def test_the_books_know_a_slot_by_the_time_its_host_agreed_to() -> None:
    view = extended(running(), BLOCK + 70, 500)
    request = view.requests[ID]
    proven = view.after(e.ProofSubmitted(at=at(LEFT - 5), slot_id=slot_id(ID, 0), period=(LEFT - 5) // 10))
    assert proven.requests[ID].claimable(0, START + END + 100, CONFIG) == (END - 5 - 31) * ASK.rate
    assert request.settlement(0, START + END + 100, CONFIG) == (END - 31) * ASK.rate
    assert request.settles_at(0, START + END + 1, CONFIG) == START + END + CONFIG.settle_seconds
