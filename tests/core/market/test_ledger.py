"""A small market's books, reckoned by hand, and books that were tampered with."""

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from agents.core.errors import ChainLies, LedgerMismatch
from agents.core.market import events as e
from agents.core.market.deals import REMEMBERED
from agents.core.market.ledger import MARKET, Holdings, Ledger, Line, ledger_of
from agents.core.market.types import slot_id
from tests.examples import ASK, STAKES, example_request
from tests.examples import MARKET as CONFIG

CLIENT, HOST, REPAIRER, VALIDATOR = "client", "host", "repairer", "validator"
STAKE = 100 * 10**18
C = ASK.collateral
MISS = C // 10
SHARE = MISS // 5
TWO_SLOTS = {"slots": 2, "max_slot_loss": 1}


class Story:
    """Events one after the other, each in a block of its own second."""

    def __init__(self) -> None:
        self.events: list[e.Event] = []
        self.logs = count()
        self.request = example_request("0x" + "c1" * 20, **TWO_SLOTS)
        self.id = self.request.id

    def say(self, now: int, kind: type[e.Event], **fields: Any) -> None:
        place = e.EventPlace(now - 1_000, next(self.logs), timestamp=now)
        self.events.append(kind(at=place, **fields))

    def on_slot(self, now: int, kind: type[e.Event], index: int, **fields: Any) -> None:
        self.say(now, kind, request_id=self.id, slot_index=index, **fields)

    def fill(self, now: int, index: int, host: str, turn: int = 0, bounty: int = 0, to_client: int = 0) -> None:
        bond = C * CONFIG.bond_bps // 10_000
        deadline = now + CONFIG.reserve_seconds
        fields = {"provider": host, "deadline": deadline, "bond": bond, "reservation_index": turn}
        self.on_slot(now, e.SlotReserved, index, **fields)
        self.say(now, e.Locked, provider=host, amount=C)
        self.on_slot(now + 1, e.SlotFilled, index, host=host, bounty=bounty, to_client=to_client)
        for account, amount in ((host, bounty), (CLIENT, to_client)):
            if amount:
                self.say(now + 1, e.Credited, account=account, amount=amount)


def story() -> list[e.Event]:
    """Two slots; one is lost at its third miss and repaired; all is settled and closed."""
    it = Story()
    price, rate = it.request.ask.price, it.request.ask.rate
    for host in (HOST, "other", REPAIRER):
        it.say(1_001, e.Registered, provider=host, id=bytes(32), endpoint="http://x")
        it.say(1_001, e.Deposited, provider=host, amount=STAKE)
    it.say(
        1_100, e.StorageRequested, request_id=it.id, client=CLIENT, ask=it.request.ask, content=it.request.content,
        expires_at=1_300, ends_at=3_100, deposit=price,
    )  # fmt: skip
    it.say(1_100, e.Pulled, from_=CLIENT, amount=price)
    it.fill(1_200, 0, HOST)
    it.fill(1_202, 1, "other")
    it.say(1_203, e.RequestStarted, request_id=it.id)
    slot = slot_id(it.id, 0)
    it.say(1_300, e.ProofSubmitted, slot_id=slot, period=30)
    paid = rate * (1_300 - 1_201)
    for miss in range(3):
        it.say(
            1_320 + miss, e.ProofMissed, slot_id=slot, period=31 + miss, validator=VALIDATOR, slashed=MISS, reward=SHARE
        )
        if miss == 2:
            it.on_slot(1_322, e.SlotLost, 0, host=HOST, paid=paid, slashed=C - 3 * MISS)
            it.say(1_322, e.RepairOpened, request_id=it.id)
        it.say(1_320 + miss, e.Slashed, provider=HOST, amount=MISS if miss < 2 else C - 2 * MISS)
        it.say(1_320 + miss, e.Credited, account=VALIDATOR, amount=SHARE)
    it.say(1_322, e.Credited, account=HOST, amount=paid)
    # Reserved 20 of 40 seconds into the sale: half of the cap of half the collateral.
    bounty = C // 4
    it.fill(1_342, 0, REPAIRER, bounty=bounty, to_client=C - 3 * SHARE - bounty)
    refund = price - paid
    for index, host, since in ((0, REPAIRER, 1_343), (1, "other", 1_203)):
        pay = rate * (3_100 - since)
        refund -= pay
        it.on_slot(3_200, e.SlotSettled, index, host=host, paid=pay)
        it.say(3_200, e.Unlocked, provider=host, amount=C)
        it.say(3_200, e.Credited, account=host, amount=pay)
    it.say(3_201, e.RequestClosed, request_id=it.id, client=CLIENT, refund=refund, pots=0)
    it.say(3_201, e.Credited, account=CLIENT, amount=refund)
    it.say(3_202, e.Withdrawn, account=VALIDATOR, to="cold", amount=3 * SHARE)
    return it.events


def books(events: list[e.Event]) -> Ledger:
    return ledger_of(events, CONFIG, STAKES)


def test_a_story_line_by_line() -> None:
    ledger = books(story())
    bounty = C // 4
    paid = ASK.rate * 99
    assert ledger.lines(HOST) == {Line.PAY: paid, Line.SLASH: -C}
    assert ledger.lines(REPAIRER) == {Line.PAY: ASK.rate * 1_757, Line.BOUNTY: bounty}
    assert ledger.lines(VALIDATOR) == {Line.SHARE: 3 * SHARE, Line.TRANSFER: -3 * SHARE}
    assert ledger.lines("cold") == {Line.TRANSFER: 3 * SHARE}
    client = ledger.lines(CLIENT)
    assert client[Line.PRICE] == -2 * ASK.rate * ASK.duration
    assert client[Line.POT] == C - 3 * SHARE - bounty
    assert ledger.holdings[HOST] == Holdings(-STAKE, STAKE - C, paid)
    assert ledger.change(MARKET) == ledger.pool == 0
    assert list(ledger.sheet())[-1] == MARKET
    assert sum(sum(lines.values()) for lines in ledger.sheet().values()) == 0
    ledger.check({HOST: -STAKE, CLIENT: -2 * ASK.rate * ASK.duration, "cold": 3 * SHARE})


def test_the_books_balance_after_every_event_but_the_vaults_own() -> None:
    events = story()
    for length in range(len(events)):
        assert sum(posting.amount for posting in books(events[:length]).postings) == 0


AMOUNTS = [
    (e.StorageRequested, "deposit"), (e.SlotReserved, "bond"), (e.SlotFilled, "bounty"), (e.SlotFilled, "to_client"),
    (e.ProofMissed, "slashed"), (e.ProofMissed, "reward"), (e.SlotLost, "paid"), (e.SlotLost, "slashed"),
    (e.SlotSettled, "paid"), (e.RequestClosed, "refund"), (e.RequestClosed, "pots"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), AMOUNTS, ids=lambda value: getattr(value, "__name__", value))
def test_an_amount_that_the_rules_do_not_give(kind: type[e.Event], name: str) -> None:
    events = story()
    at = max(place for place, event in enumerate(events) if isinstance(event, kind))
    events[at] = replace(events[at], **{name: getattr(events[at], name) + 1})
    with pytest.raises(LedgerMismatch, match=name):
        books(events)


@pytest.mark.parametrize("kind", [e.Credited, e.Slashed, e.Pulled])
def test_a_movement_of_the_vault_that_nobody_explains(kind: type[e.Event]) -> None:
    events = story()
    at = max(place for place, event in enumerate(events) if isinstance(event, kind))
    events[at] = replace(events[at], amount=events[at].amount - 1)  # type: ignore[attr-defined,call-arg]
    with pytest.raises(LedgerMismatch):
        books(events).check()


def test_a_wallet_that_is_not_what_the_events_say() -> None:
    with pytest.raises(LedgerMismatch, match="wallet of host"):
        books(story()).check({HOST: -STAKE + 1})


def test_an_event_left_out() -> None:
    events = [event for event in story() if not isinstance(event, e.SlotReserved)]
    with pytest.raises(ChainLies, match="SlotFilled"):
        books(events)


def test_a_slot_remembers_the_proofs_that_still_matter() -> None:
    """A tenure of years would otherwise make every event slower than the one before."""
    events = story()
    start = next(place for place, event in enumerate(events) if isinstance(event, e.ProofSubmitted))
    view = books(events[:start]).view
    request_id = next(iter(view.requests))
    for period in range(30, 330):
        place = e.EventPlace(10 * period + 5, 10_000 + period, timestamp=1_300)
        view = view.after(e.ProofSubmitted(at=place, slot_id=slot_id(request_id, 0), period=period))
    assert view.slot((request_id, 0)).proven == frozenset(range(330 - REMEMBERED, 330))
