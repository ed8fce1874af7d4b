"""When a client extends its requests: before they end, within its budget, and as far as the market lets it."""

from dataclasses import replace

from agents.core.agents.client import (
    MAX_EXTENSIONS,
    AutoExtend,
    Extend,
    extension_due,
    extensions_due,
    spent,
    why_not,
)  # fmt: skip
from agents.core.market import events as e
from agents.core.market.view import MarketView, RequestView
from tests.core.agents.test_duties import ASK, BLOCK, CLIENT, CONFIG, ID, OTHER, OTHER_ID, START, at, market, posted_too

PRICE = 2 * 100 * ASK.rate
"""Of 100 seconds of both slots."""
POLICY = AutoExtend(extra=100, at_least_left=1_000, budget=3 * PRICE)


def started(view: MarketView, id: bytes = ID) -> MarketView:
    return view.after(e.RequestStarted(at=at(BLOCK + 62, id[0]), request_id=id))


def extended(view: MarketView, block: int, extra: int = 100, funder: str = CLIENT, id: bytes = ID) -> MarketView:
    request = view.requests[id]
    return view.after(
        e.RequestExtended(
            at=at(block, id[0]), request_id=id, funder=funder, from_=request.ends_at, until=request.ends_at + extra,
            price=request.ask.slots * extra * request.ask.rate,
        )
    )  # fmt: skip


def due(request: RequestView, now: int, policy: AutoExtend = POLICY, before: int = 0) -> Extend | None:
    return extension_due(request, policy, now, CONFIG, before)


def test_a_request_is_extended_when_little_is_left_and_only_once_an_end() -> None:
    request, end = started(market()).requests[ID], START + ASK.duration
    assert due(request, end - 1_000) is None
    found = due(request, end - 999)
    assert found == Extend(ID, end, 100, PRICE)
    assert replace(found, extra=50).key == found.key
    again = extended(started(market()), BLOCK + 9_001).requests[ID]
    assert due(again, end - 900) is None
    assert due(again, end - 899) == Extend(ID, end + 100, 100, PRICE)
    assert due(request, end) is None  # over
    assert due(market().requests[ID], START + 199, replace(POLICY, at_least_left=20_000)) is None  # not started


def test_the_budget_is_for_all_requests_and_what_others_pay_is_not_of_it() -> None:
    view = started(started(posted_too(market())), OTHER_ID)
    now = START + ASK.duration - 500

    def keys(view: MarketView) -> list[bytes]:
        return [duty.request for duty in extensions_due(view.requests.values(), POLICY, now, CONFIG)]

    assert keys(view) == [ID, OTHER_ID]
    one = extended(view, BLOCK + 9_500)
    assert spent(one.requests.values(), CLIENT) == PRICE
    assert keys(one) == [OTHER_ID, ID]
    two = extended(one, BLOCK + 9_501)
    assert keys(two) == [OTHER_ID]  # one of three is left: for what ends first
    three = extended(two, BLOCK + 9_502, id=OTHER_ID)
    assert keys(three) == []
    assert keys(extended(one, BLOCK + 9_501, funder=OTHER)) == [OTHER_ID, ID]
    assert keys(extended(two, BLOCK + 9_502, 99, id=OTHER_ID)) == []


def test_what_the_market_refuses_is_not_asked_for() -> None:
    view, now = started(market()), START + ASK.duration - 500
    request = view.requests[ID]
    assert why_not(request, OTHER, 50, now, CONFIG) == ""
    assert "50 seconds at least" in why_not(request, OTHER, 49, now, CONFIG)
    assert "76400 more can be added" in why_not(request, OTHER, 76_401, now, CONFIG)
    assert "finished" in why_not(request, OTHER, 50, now + 500, CONFIG)
    assert due(request, now, replace(POLICY, extra=49)) is None
    # What is left of the longest duration, if it is an extension's worth.
    rest = extended(view, BLOCK + 9_500, 76_350).requests[ID]
    rich = replace(POLICY, budget=10**9)
    assert due(rest, rest.ends_at - 10, rich) == Extend(ID, rest.ends_at, 50, PRICE // 2)
    full = extended(view, BLOCK + 9_500, 76_351).requests[ID]
    assert due(full, full.ends_at - 10, rich) is None


def test_the_last_place_among_the_funders_is_the_clients() -> None:
    view, now = started(market()), START + ASK.duration - 500
    for turn in range(MAX_EXTENSIONS - 1):
        view = extended(view, BLOCK + 9_500 + turn, 50, funder="0x" + f"{turn + 1:x}" * 40)
    request = view.requests[ID]
    assert "no more are kept" in why_not(request, OTHER[:-1] + "9", 50, now, CONFIG)
    assert why_not(request, request.extensions[-1].funder, 50, now, CONFIG) == ""
    assert why_not(request, CLIENT, 50, now, CONFIG) == ""
