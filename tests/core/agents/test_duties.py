"""Duties, from views made of events by hand."""

from dataclasses import replace

from agents.core.agents import provider, validator
from agents.core.agents.provider_duties import (
    NOTHING,
    Claim,
    Clock,
    Fill,
    Forget,
    Policy,
    Prove,
    Rebuild,
    Release,
    Reserve,
    Settle,
    UnderWay,
    provable,
)  # fmt: skip
from agents.core.agents.validator import CloseRequest, CloseReservation, MarkMissing, SettleSlot
from agents.core.market import events as e
from agents.core.market.types import Ask, Content, MarketConfig, StakeConfig, slot_id
from agents.core.market.view import MarketView

ME, OTHER, CLIENT, SINK = ("0x" + letter * 40 for letter in "abcd")
CONFIG = MarketConfig(10, 1, 20, 60, 2, 2000, 1000, 5000, 500, 60, 50, 1, 86_400, 50)
STAKES = StakeConfig(100, 1, 60, SINK)
ASK = Ask(1, 2, 1, 1, 5000, 100, 10_000, 5, 1)
ID = bytes(range(31)) + b"\0"
START, BLOCK = 1_000_000, 500
POLICY = Policy(quota=1_000)
SEEDS = {number: bytes([number % 251]) * 32 for number in range(2_000)}


def at(block: int, log: int = 0) -> e.EventPlace:
    """A place whose timestamp is a second a block after START."""
    return e.EventPlace(block, log, timestamp=START + block - BLOCK)


def joined(view: MarketView, who: str, block: int) -> MarketView:
    """``who`` registered and staked."""
    view = view.after(e.Registered(at=at(block, 0), provider=who, id=bytes([block % 256]) * 32, endpoint="http://x"))
    return view.after(e.Deposited(at=at(block, 1), provider=who, amount=1_000))


def market(ask: Ask = ASK) -> MarketView:
    """Both providers joined, one request posted at BLOCK."""
    view = joined(joined(MarketView(CONFIG, STAKES), ME, 10), OTHER, 11)
    return view.after(
        e.StorageRequested(
            at=at(BLOCK), request_id=ID, client=CLIENT, ask=ask, content=Content(bytes(32), 1),
            expires_at=START + 200, ends_at=START + ask.duration, deposit=ask.price,
        )
    )  # fmt: skip


def reserved(view: MarketView, index: int, who: str, block: int) -> MarketView:
    return view.after(
        e.SlotReserved(
            at=at(block), request_id=ID, slot_index=index, provider=who, deadline=START + block - BLOCK + 60, bond=5,
            reservation_index=view.requests[ID].slots[index].reservations,
        )
    )  # fmt: skip


def filled(view: MarketView, index: int, who: str, block: int) -> MarketView:
    view = reserved(view, index, who, block)
    return view.after(e.SlotFilled(at=at(block + 1), request_id=ID, slot_index=index, host=who, bounty=0, to_client=0))


def clock(block: int) -> Clock:
    return Clock(block, START + block - BLOCK, {number: seed for number, seed in SEEDS.items() if number < block})


def mine(
    view: MarketView,
    block: int,
    held: frozenset[tuple[bytes, int]] = frozenset(),
    policy: Policy = POLICY,
    begun: UnderWay = NOTHING,
) -> list[object]:
    return list(provider.duties(view, ME, policy, held, clock(block), begun))


HELD = frozenset({(ID, 0)})


def test_a_slot_is_reserved_once_the_window_is_open() -> None:
    assert mine(market(), BLOCK) == []  # nobody is eligible at once
    (duty,) = mine(market(), BLOCK + 100)
    assert isinstance(duty, Reserve)
    assert duty.request == ID


def test_what_the_policy_or_the_stake_forbids_is_left_alone() -> None:
    view = market()
    for policy in (Policy(quota=99), Policy(quota=1_000, min_price=6), Policy(quota=1_000, max_duration=500)):
        assert mine(view, BLOCK + 100, policy=policy) == []
    assert mine(market(replace(ASK, collateral_per_byte=11)), BLOCK + 100) == []
    late = joined(MarketView(CONFIG, STAKES), OTHER, 11).after(
        e.StorageRequested(
            at=at(BLOCK), request_id=ID, client=CLIENT, ask=ASK, content=Content(bytes(32), 1),
            expires_at=START + 200, ends_at=START + 10_000, deposit=1,
        )
    )  # fmt: skip
    assert mine(joined(late, ME, BLOCK + 5), BLOCK + 100) == []  # registered after the request was seen


def test_one_slot_of_a_request_each() -> None:
    assert mine(reserved(market(), 0, ME, BLOCK + 50), BLOCK + 100) == []


def test_a_reserved_slot_is_filled_when_its_data_is_here_and_released_when_it_is_late() -> None:
    view = reserved(market(), 0, ME, BLOCK + 50)
    assert mine(view, BLOCK + 60) == []
    assert mine(view, BLOCK + 61, HELD) == [Fill(ID, 0, START + 110)]
    assert mine(view, BLOCK + 110, HELD)[0] == Release(ID, 0, START + 110)


def test_a_filled_slot_is_proven_each_period_until_it_is_settled() -> None:
    view = filled(market(), 0, ME, BLOCK + 50)
    assert mine(view, BLOCK + 55, HELD) == []  # the period it was filled in
    assert mine(view, BLOCK + 65, HELD) == [Prove(ID, 0, 56)]
    proven = view.after(e.ProofSubmitted(at=at(BLOCK + 66), slot_id=slot_id(ID, 0), period=56))
    assert mine(proven, BLOCK + 67, HELD) == []
    assert mine(view, BLOCK + 65) == []  # what is not here cannot be proven
    over = view.after(e.RequestFailed(at=at(BLOCK + 70), request_id=ID))
    assert mine(over, BLOCK + 100, HELD) == []
    assert mine(over, BLOCK + 130, HELD) == [Settle(ID, 0, START + 51)]


def lost(view: MarketView) -> MarketView:
    """Slot 0 lost by OTHER, repair open."""
    view = filled(filled(view, 0, OTHER, BLOCK + 50), 1, "0x" + "e" * 40, BLOCK + 60)
    view = view.after(e.RequestStarted(at=at(BLOCK + 62), request_id=ID))
    view = view.after(e.SlotLost(at=at(BLOCK + 90), request_id=ID, slot_index=0, host=OTHER, paid=0, slashed=10))
    return view.after(e.RepairOpened(at=at(BLOCK + 90, 1), request_id=ID))


def test_a_lost_slot_is_rebuilt_before_it_is_reserved_and_not_by_who_lost_it() -> None:
    view = lost(market())
    assert mine(view, BLOCK + 145) == [Rebuild(ID, 0)]
    (duty,) = mine(view, BLOCK + 145, HELD)
    assert isinstance(duty, Reserve)
    # The other request for the same content, where somebody else has the slot, is no reason to delete it.
    again = posted_too(view, cid=bytes(32), block=BLOCK + 91).after(
        e.SlotReserved(
            at=at(BLOCK + 92), request_id=OTHER_ID, slot_index=0, provider=OTHER, deadline=START + 152, bond=5,
            reservation_index=0,
        )
    )  # fmt: skip
    assert mine(again, BLOCK + 145, HELD | {(OTHER_ID, 0)}) == [duty]
    assert provider.duties(view, OTHER, POLICY, frozenset(), clock(BLOCK + 145)) == []


def test_a_repair_that_cannot_be_filled_in_time_is_not_reserved() -> None:
    view = lost(market(replace(ASK, duration=250)))
    # 50 seconds must remain at the fill, and a reservation lasts 60.
    assert mine(view, BLOCK + 139) == [Rebuild(ID, 0)] or mine(view, BLOCK + 140) == [Rebuild(ID, 0)]
    assert mine(view, BLOCK + 141) == []


def test_a_first_sale_about_to_expire_is_left_alone() -> None:
    # It expires at 200, and the bond would be lost then: a quarter of that, as a reservation of 60 would be more, must remain.
    assert len(mine(market(), BLOCK + 150)) == 1
    assert mine(market(), BLOCK + 151) == []


def test_data_nobody_pays_for_is_deleted() -> None:
    view = filled(market(), 0, OTHER, BLOCK + 50)
    assert Forget(ID, 0) in mine(view, BLOCK + 60, HELD)
    assert Forget(ID, 0) in mine(market(), BLOCK + 250, HELD)  # cancelled


OTHER_ID = bytes(range(31, 0, -1)) + b"\0"


def posted_too(view: MarketView, cid: bytes = b"\1" * 32, ask: Ask = ASK, block: int = BLOCK + 1) -> MarketView:
    """A second request."""
    return view.after(
        e.StorageRequested(
            at=at(block), request_id=OTHER_ID, client=CLIENT, ask=ask, content=Content(cid, 1),
            expires_at=at(block + 200).timestamp, ends_at=at(block + ask.duration).timestamp, deposit=ask.price,
        )
    )  # fmt: skip


def test_a_reservation_on_its_way_counts_against_stake_quota_and_its_request() -> None:
    ask = replace(ASK, collateral_per_byte=6)  # 600 of 1,000
    one, two = market(ask), posted_too(market(ask), ask=ask)
    (first,) = mine(two, BLOCK + 100)  # stake for one
    assert isinstance(first, Reserve)
    begun = UnderWay(reserving={(first.request, first.index)})
    assert mine(two, BLOCK + 101, begun=begun) == []
    seen = reserved(one, first.index, ME, BLOCK + 101)
    assert mine(seen, BLOCK + 102, begun=begun) == []
    cheap = posted_too(market())
    assert len(mine(cheap, BLOCK + 100)) == 2
    assert len(mine(cheap, BLOCK + 100, policy=Policy(quota=199))) == 1
    assert mine(cheap, BLOCK + 101, policy=Policy(quota=199), begun=begun) == []
    (other,) = mine(cheap, BLOCK + 101, begun=begun)
    assert isinstance(other, Reserve)
    assert other.request == OTHER_ID


def test_a_request_that_costs_bonds_is_left_alone() -> None:
    assert mine(market(), BLOCK + 100, begun=UnderWay(refused={ID})) == []
    view = lost(market())
    assert mine(view, BLOCK + 145, begun=UnderWay(refused={ID})) == []


def forfeited(view: MarketView, index: int, who: str, block: int) -> MarketView:
    return view.after(e.ReservationForfeited(at=at(block), request_id=ID, slot_index=index, provider=who, bond=5))


def test_a_slot_whose_reservation_lapsed_is_left_to_others_in_that_sale() -> None:
    (first,) = mine(market(), BLOCK + 100)
    assert isinstance(first, Reserve)
    (other,) = mine(market(), BLOCK + 100, begun=UnderWay(lapsed={(ID, first.index)}))
    assert isinstance(other, Reserve) and other.index == 1 - first.index
    assert mine(market(), BLOCK + 100, begun=UnderWay(lapsed={(ID, 0), (ID, 1)})) == []
    assert mine(lost(market()), BLOCK + 145, begun=UnderWay(lapsed={(ID, 0)})) == []


def test_a_bond_above_a_quarter_of_the_collateral_is_not_risked_on_a_client() -> None:
    view = filled(market(), 1, "0x" + "e" * 40, BLOCK + 20)
    for lapses in range(4):  # 5, 10, 20, 40 per cent
        found = mine(view, BLOCK + 100)
        assert len(found) == (lapses < 3), lapses
        view = forfeited(reserved(view, 0, OTHER, BLOCK + 30 + 2 * lapses), 0, OTHER, BLOCK + 31 + 2 * lapses)
    repair = lost(market())
    for lapses in range(3):
        repair = forfeited(reserved(repair, 0, CLIENT, BLOCK + 100 + 2 * lapses), 0, CLIENT, BLOCK + 101 + 2 * lapses)
    assert mine(repair, BLOCK + 145) == [Rebuild(ID, 0)]  # nobody's upload is waited for


def test_no_more_slots_are_taken_than_can_be_proven() -> None:
    view = posted_too(market(), ask=replace(ASK, proof_probability=2))
    both = mine(view, BLOCK + 120)
    assert len(both) == len(mine(view, BLOCK + 120, policy=Policy(quota=1_000, proofs_per_period=1.5))) == 2
    one = Policy(quota=1_000, proofs_per_period=1)
    (first,) = mine(view, BLOCK + 120, policy=one)
    assert isinstance(first, Reserve) and first.request == ID
    sent = UnderWay(reserving={(first.request, first.index)})
    seen = reserved(view, first.index, ME, BLOCK + 121)
    for now, begun in ((view, sent), (seen, sent), (seen, NOTHING)):
        assert mine(now, BLOCK + 122, begun=begun, policy=one) == []
        assert len(mine(now, BLOCK + 122, begun=begun)) == 1
    over = filled(market(), 0, ME, BLOCK + 50).after(e.RequestFailed(at=at(BLOCK + 70), request_id=ID))
    found = mine(posted_too(over, block=BLOCK + 71), BLOCK + 190, policy=one)
    assert [type(duty) for duty in found] == [Settle, Reserve]  # what is over asks for no proofs
    assert mine(lost(market()), BLOCK + 145, policy=Policy(quota=1_000, proofs_per_period=0.5)) == []


def test_half_a_period_goes_into_proofs_and_one_slot_is_always_taken() -> None:
    assert [provable(seconds, CONFIG) for seconds in (0.5, 2.0, 100.0)] == [10, 2.5, 1]


def two_lost() -> MarketView:
    """Slots 0 and 2 of four lost by others, repair open."""
    view = market(replace(ASK, slots=4, max_slot_loss=3, repair_threshold=2))
    for index, who in enumerate("1234"):
        view = filled(view, index, "0x" + who * 40, BLOCK + 20 + 2 * index)
    view = view.after(e.RequestStarted(at=at(BLOCK + 62), request_id=ID))
    for index in (0, 2):
        view = view.after(
            e.SlotLost(
                at=at(BLOCK + 90, index), request_id=ID, slot_index=index, host="0x" + "1234"[index] * 40, paid=0,
                slashed=10,
            )
        )  # fmt: skip
    return view.after(e.RepairOpened(at=at(BLOCK + 90, 5), request_id=ID))


def test_a_rebuild_that_fails_lets_another_slot_have_its_turn_and_one_that_runs_is_kept_to() -> None:
    view = two_lost()
    (first,) = mine(view, BLOCK + 145)
    assert isinstance(first, Rebuild)
    other = 2 - first.index

    def chosen(begun: UnderWay, policy: Policy = POLICY) -> list[int]:
        found = mine(view, BLOCK + 146, begun=begun, policy=policy)
        assert all(isinstance(duty, Rebuild) for duty in found)
        return [duty.index for duty in found if isinstance(duty, Rebuild)]

    assert chosen(UnderWay(resting={(ID, first.index)})) == [other]
    assert chosen(UnderWay(resting={(ID, 0), (ID, 2)})) == []
    # What was begun is gone on with, in the room it has already.
    assert chosen(UnderWay(rebuilding={(ID, other)}, arriving={(ID, other)}), Policy(quota=100)) == [other]


def test_what_arrived_in_part_is_deleted_when_nobody_pays_for_it_and_counts_until_then() -> None:
    begun = UnderWay(arriving={(ID, 0)})
    assert mine(reserved(market(), 0, ME, BLOCK + 50), BLOCK + 60, begun=begun) == []
    view = filled(market(), 0, OTHER, BLOCK + 50)
    assert mine(view, BLOCK + 100, begun=begun, policy=Policy(quota=199)) == [Forget(ID, 0)]
    assert Forget(ID, 0) not in mine(lost(market()), BLOCK + 145, begun=begun)  # it is rebuilt again
    assert Forget(ID, 0) not in mine(view, BLOCK + 60, begun=UnderWay(arriving={(ID, 0)}, rebuilding={(ID, 0)}))


def test_data_of_the_same_content_is_promised_once_and_not_rebuilt_while_it_arrives() -> None:
    view = posted_too(lost(market()), cid=bytes(32), block=BLOCK + 95)
    both = frozenset({(ID, 0), (OTHER_ID, 0)})
    duties = mine(view, BLOCK + 195, both, policy=Policy(quota=200))
    assert [type(duty) for duty in duties if not isinstance(duty, Forget)] == [Reserve, Reserve]
    coming = view.after(
        e.SlotReserved(
            at=at(BLOCK + 191), request_id=OTHER_ID, slot_index=0, provider=ME, deadline=START + 251, bond=5,
            reservation_index=0,
        )
    )  # fmt: skip
    assert mine(coming, BLOCK + 195) == []


def test_running_pay_is_claimed_in_parts_and_not_when_the_settlement_is_near() -> None:
    ask = replace(ASK, duration=1_000)  # 500 a second a slot, 500,000 in all
    view = filled(market(ask), 0, ME, BLOCK + 50)

    def proven(until: int, claimed: int = 0) -> MarketView:
        after = view.after(e.ProofSubmitted(at=at(BLOCK + until), slot_id=slot_id(ID, 0), period=(BLOCK + until) // 10))
        paid = e.PayClaimed(at=at(BLOCK + until, 1), slot_id=slot_id(ID, 0), host=ME, amount=claimed)
        return after.after(paid) if claimed else after

    def claims(view: MarketView, block: int) -> list[object]:
        return [duty for duty in mine(view, block) if isinstance(duty, Claim)]

    started = START + 51
    assert claims(proven(150), BLOCK + 150) == []
    assert claims(proven(151), BLOCK + 151) == [Claim(ID, 0, started, 0)]
    assert claims(proven(151, claimed=50_000), BLOCK + 152) == []
    assert claims(proven(899, claimed=1), BLOCK + 899) == []
    started_ = proven(850).after(e.RequestStarted(at=at(BLOCK + 851), request_id=ID))
    assert claims(started_, BLOCK + 899) == [Claim(ID, 0, started, 0)]
    assert claims(started_, BLOCK + 900) == []


def test_a_challenge_is_proven_once_blocks_are_on_top_of_it() -> None:
    view = filled(market(), 0, ME, BLOCK + 50)
    deep = Policy(quota=1_000, confirmations=3)
    assert mine(view, 560, HELD) == []  # block 560 is the period's first
    assert mine(view, 561, HELD) == [Prove(ID, 0, 56)]
    assert mine(view, 562, HELD, deep) == []
    assert mine(view, 563, HELD, deep) == [Prove(ID, 0, 56)]
    waiting = reserved(market(), 0, ME, BLOCK + 50)
    assert mine(waiting, 562, HELD, deep) == []
    assert mine(waiting, 563, HELD, deep) == [Fill(ID, 0, START + 110)]
    slow = replace(CONFIG, block_seconds=12, period_blocks=300)
    assert (POLICY.depth(CONFIG), POLICY.depth(slow), deep.depth(slow)) == (1, 2, 3)


def checks(view: MarketView, block: int) -> list[object]:
    return list(validator.duties(view, block, START + block - BLOCK, SEEDS))


def test_misses_are_marked_once_their_period_is_over_and_for_a_while() -> None:
    view = filled(market(), 0, ME, BLOCK + 50)  # block 551: period 55
    assert checks(view, 568) == []
    assert checks(view, 569) == [MarkMissing(ID, 0, 56)]  # block 570 is the first of period 57
    proven = view.after(e.ProofSubmitted(at=at(566), slot_id=slot_id(ID, 0), period=56))
    assert checks(proven, 575) == []
    assert checks(view, 588)[:1] == [MarkMissing(ID, 0, 56)]
    assert MarkMissing(ID, 0, 56) not in checks(view, 589)
    missed = view.after(
        e.ProofMissed(at=at(571), slot_id=slot_id(ID, 0), period=56, validator=OTHER, slashed=20, reward=2)
    )
    assert checks(missed, 575) == []


def test_what_is_over_is_closed() -> None:
    view = reserved(filled(market(), 0, ME, BLOCK + 50), 1, OTHER, BLOCK + 60)
    assert CloseReservation(ID, 1, START + 120) in checks(view, BLOCK + 120)
    ended = BLOCK + 200 + 60
    assert SettleSlot(ID, 0, START + 51) in checks(view, ended)
    assert CloseRequest(ID) not in checks(view, ended)
    assert checks(market(), BLOCK + 200) == [CloseRequest(ID)]
    closed = market().after(e.RequestClosed(at=at(BLOCK + 201), request_id=ID, client=CLIENT, refund=1, pots=0))
    assert checks(closed, BLOCK + 202) == []
