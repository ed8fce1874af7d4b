"""What a game on the contracts and on the reference of them is played with: parties, terms, and the moves made of calls."""

from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar

from hypothesis.stateful import RuleBasedStateMachine

from agents.core.market.types import Ask, Content, MarketConfig, Request, RequestState, SlotState, StakeConfig, slot_id
from tests.chain.both import Both, account
from tests.core.market.reference import Slot

PROVIDERS, VALIDATOR, CLIENTS, STRANGERS, SINK = range(1, 7), 7, (8, 9), (10, 11), 12
PARTIES = tuple(range(1, 13))
WALLET, MIN_STAKE, UNBONDING = 10**18, 1_000, 30

STAKES = StakeConfig(MIN_STAKE, 1, UNBONDING, account(SINK))
CONFIG = MarketConfig(
    period_blocks=8, block_seconds=1, mark_blocks=12, settle_seconds=45, max_misses=2, slash_bps=2_100,
    validator_bps=1_500, bounty_bps=5_000, bond_bps=450, reserve_seconds=22, repair_window=16, min_term_periods=1,
    max_duration=2_000, min_extension=30,
)  # fmt: skip

MONEY = ((101, 3, 7), (10, 1, 171), (1, 0, 1_003), (7, 10**9, 101))
"""Bytes of a slot, price and collateral a byte: a bounty is a second of pay, minutes of it, nothing, less than a second."""

ASKS = tuple(
    Ask(rare, slots, loss, threshold, dispersal, size, duration, price, collateral)
    for (slots, loss, threshold), (size, price, collateral), rare, dispersal, duration in (
        ((3, 1, 1), MONEY[1], 1, 5_000, 250),
        ((4, 2, 2), MONEY[1], 2, 2_500, 300),
        ((2, 1, 1), MONEY[0], 1, 8_000, 200),
        ((1, 0, 1), MONEY[2], 3, 5_000, 150),
        ((3, 2, 1), MONEY[3], 1, 2_500, 270),
        ((4, 3, 2), MONEY[0], 1, 5_000, 220),
    )
)
UNSOUND: tuple[dict[str, int], ...] = (
    {"slots": 0}, {"slots": 257}, {"max_slot_loss": 4}, {"repair_threshold": 0}, {"repair_threshold": 4},
    {"slot_size": 0}, {"duration": 2_001}, {"duration": 40}, {"proof_probability": 0}, {"dispersal": 99},
    {"dispersal": 9_901}, {"collateral_per_byte": 0}, {"price_per_byte_per_second": 2**127},
    {"collateral_per_byte": 2**126},
)  # fmt: skip


class MarketGame(RuleBasedStateMachine):
    """Two clients, six providers, a validator, two strangers and the sink, on a chain of their own."""

    heard: ClassVar[Counter[str]] = Counter()
    """What happened in all the examples."""

    def __init__(self) -> None:
        super().__init__()
        self.both = Both(CONFIG, STAKES, dict.fromkeys(PARTIES, WALLET))
        self.requests: list[Request] = []

    def teardown(self) -> None:
        try:
            self.wind_up()
        finally:
            self.both.close()
        type(self).heard.update({**self.both.said, "calls": self.both.calls})

    # --- what there is ---

    @property
    def now(self) -> int:
        """Of the newest block."""
        return self.both.head.timestamp

    @property
    def slots(self) -> dict[tuple[bytes, int], Slot]:
        """All slots."""
        return self.both.reference.state.slots

    def number(self, name: str | None) -> int:
        """The party of an address."""
        return next(index for index, known in self.both.names.items() if known == name)

    def chosen(self, which: int, *states: SlotState) -> tuple[bytes, int]:
        """A slot, in one of ``states`` if there is any."""
        fitting = [key for key, slot in self.slots.items() if slot.state in states]
        found = fitting or list(self.slots)
        return found[which % len(found)]

    def states(self) -> list[RequestState]:
        """Of the requests."""
        reference = self.both.reference
        return [reference.request_state(reference.state.deals[request.id], self.now) for request in self.requests]

    def request(self, which: int) -> Request:
        """A request, a started one if there is any."""
        known = zip(self.requests, self.states(), strict=True)
        found = [request for request, state in known if state is RequestState.STARTED] or self.requests
        return found[which % len(found)]

    def holder(self, key: tuple[bytes, int], otherwise: int) -> int:
        """Who holds a slot; a party if nobody does."""
        host = self.slots[key].host
        return self.number(host) if host else PARTIES[otherwise % len(PARTIES)]

    def period(self, blocks: int = 1) -> int:
        """Of a block to come."""
        return (self.both.head.number + blocks) // CONFIG.period_blocks

    def call(self, who: int, function: str, *arguments: Any, after: int = 1) -> bool:
        return self.both.call(who, function, *arguments, after=after)

    # --- moves ---

    def _fill(self, who: int, key: tuple[bytes, int], valid: bool = True, after: int = 1) -> bool:
        slot = self.slots[key]
        departed, lost = slot.departed_at is not None, slot.vacated is not None and slot.departed_at is None
        filled = self.call(who, "fill_slot", *key, valid, after=after)
        self.both.said["departed slot repaired"] += filled and departed
        self.both.said["lost slot repaired"] += filled and lost
        tenure = self.slots[key].tenure
        self.both.said["bounty of a departed slot"] += bool(filled and tenure and tenure.paid_from < tenure.filled_at)
        return filled

    def _buyer(self, id: bytes, index: int, first: int) -> int | None:
        turn = first % len(PROVIDERS)
        order = [*PROVIDERS[turn:], *PROVIDERS[:turn]]
        return next((who for who in order if self.both.would(who, "reserve_slot", id, index) is None), None)

    def _prove(self, who: int, batch: list[bytes], valid: list[bool]) -> bool:
        before = self.both.said["ProofSubmitted"]
        proven = self.call(who, "submit_proofs", tuple(batch), tuple(valid))
        self.both.said["batch of proofs with skips"] += proven and self.both.said["ProofSubmitted"] - before < len(
            batch
        )
        return proven

    def odd(self, item: int) -> bytes:
        """An entry of a batch: a slot of anybody's, one that does not exist, or one of no request."""
        keys = list(self.slots)
        id, index = keys[item % len(keys)]
        return (slot_id(id, index), slot_id(id, index), slot_id(id, 200), slot_id(bytes([item % 256]) * 32, 0))[
            item % 4
        ]

    def _settle(self, key: tuple[bytes, int], who: int) -> None:
        failed = self.both.said["RequestFailed"]
        if self.call(who, "settle", *key):
            self.both.said["request failed by departures"] += self.both.said["RequestFailed"] > failed

    def _mark(self, who: int, batch: list[bytes], period: int) -> None:
        before = self.both.said["ProofMissed"]
        marked = self.call(who, "mark_proofs_missing", tuple(batch), period)
        self.both.said["batch of misses with skips"] += marked and self.both.said["ProofMissed"] - before < len(batch)

    def senseless(self, which: int) -> tuple[tuple[tuple[Any, ...], ...], int]:
        """Calls that nobody has a reason to make; so many of them, the first ones, are a client's."""
        request = self.requests[which % len(self.requests)]
        slot = slot_id(*self.chosen(which, SlotState.FILLED))
        absent = bytes([which % 256]) * 31 + b"\0"
        posts = (
            request,
            replace(request, client=account(STRANGERS[0])),
            replace(request, expiry=0),
            replace(request, expiry=request.ask.duration),
            replace(request, content=Content(bytes(32), 0)),
            *(replace(request, ask=replace(request.ask, **change)) for change in UNSOUND),
        )
        calls: tuple[tuple[Any, ...], ...] = (
            *(("request_storage", post) for post in posts),
            ("submit_proofs", (slot,), ()),
            ("submit_proofs", (), ()),
            ("submit_proofs", (slot,), (True, True)),
            ("mark_proofs_missing", (), max(0, self.period() - 1)),
            *((name, absent, 0) for name in ("reserve_slot", "close_reservation", "claim", "settle")),
            ("fill_slot", absent, 0, True),
            ("submit_proof", absent, 0, self.period(), True),
            ("mark_proof_missing", absent, 0, max(0, self.period() - 1)),
            ("accept_extension", absent, 0, 0),
            ("extend_request", absent, 30),
            ("close_request", absent),
            ("deposit", 0),
            ("deposit", 10**19),
            ("unstake", 0),
            ("unstake", 10**19),
            *(("withdraw", to) for to in (*self.both.addresses.values(), "0x" + "0" * 40)),
            ("register", "http://again"),
            *(("set_endpoint", endpoint) for endpoint in ("http://new", "", "x" * 257)),
        )
        return calls, len(posts)

    # --- the end ---

    def wind_up(self) -> None:
        """Everything ends, and everybody takes what is theirs: nothing is left."""
        both, deals = self.both, self.both.reference.state.deals
        last = max((deal.ends_at for deal in deals.values()), default=self.now)
        both.mine(1, max(1, last + CONFIG.settle_seconds + CONFIG.reserve_seconds - self.now))
        for key, slot in list(self.slots.items()):
            if slot.state is SlotState.RESERVED:
                assert self.call(VALIDATOR, "close_reservation", *key)
            elif slot.state is SlotState.FILLED:
                assert self.call(VALIDATOR, "settle", *key)
        for id, deal in list(deals.items()):
            if not deal.closed:
                assert self.call(VALIDATOR, "close_request", id)
        for name, stake in list(both.reference.state.stakes.items()):
            assert stake.locked == 0
            if stake.free:
                assert self.call(self.number(name), "unstake", stake.free)
        both.mine(1, UNBONDING)
        for name, stake in list(both.reference.state.stakes.items()):
            if stake.unbonding:
                assert self.call(self.number(name), "collect_unbonded")
        for name, credit in list(both.reference.state.credits.items()):
            if credit:
                assert self.call(self.number(name), "withdraw", name)
        state = both.reference.state
        assert state.balance == state.pool == 0
        assert sum(state.wallets.values()) == WALLET * len(PARTIES)
