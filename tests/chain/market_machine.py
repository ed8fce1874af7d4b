"""Everybody does anything to the contracts and to the reference of them, by hypothesis' rules."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from agents.core.market.types import Ask, Content, Request, RequestState, SlotState, slot_id
from tests.chain.both import account
from tests.chain.market_game import (
    ASKS,
    CLIENTS,
    CONFIG,
    PARTIES,
    PROVIDERS,
    STRANGERS,
    VALIDATOR,
    MarketGame,
)  # fmt: skip
from tests.core.market.reference import MAX_EXTENSIONS

seconds = st.sampled_from([1, 1, 1, 2, 5])
asks = st.sampled_from(ASKS)
lazy = st.sampled_from([0, 1, 2, 3, 0b100, -1])
"""A bit for each host that does not prove."""
some = st.integers(0, 10**6 - 1)
"""Which of those that there are."""


def while_started(machine: "MarketMachine") -> bool:
    """Whether some request has started and not ended."""
    return RequestState.STARTED in machine.states()


def while_held(machine: "MarketMachine") -> bool:
    """Whether some slot is."""
    return any(slot.host for slot in machine.slots.values())


class MarketMachine(MarketGame):
    """Any of this, in any order."""

    # --- the beginning ---

    @initialize(stakes=st.lists(st.sampled_from([2_500, 4_000, 6_000]), min_size=6, max_size=6), ask=asks, sell=some)
    def join(self, stakes: list[int], ask: Ask, sell: int) -> None:
        for who, amount in zip(PROVIDERS, stakes, strict=True):
            self.call(who, "register", f"http://{who}")
            self.call(who, "deposit", amount)
        self.post(sell, ask, 60, sell)

    # --- clients and funders ---

    @precondition(lambda self: sum(not state.terminal for state in self.states()) < 2 and len(self.requests) < 5)
    @rule(client=some, ask=asks, expiry=st.sampled_from([40, 60]), sell=some)
    def post(self, client: int, ask: Ask, expiry: int, sell: int) -> None:
        who = CLIENTS[client % 2]
        nonce = len(self.requests).to_bytes(32, "big")
        request = Request(account(who), ask, Content(bytes(32), 7), expiry, nonce)
        assert self.call(who, "request_storage", request)
        self.requests.append(request)
        if sell % 8 != 7:
            self.sell(len(self.requests) - 1, sell)

    @precondition(while_started)
    @rule(
        which=some, who=st.sampled_from([*CLIENTS, *STRANGERS, 1]), extra=st.sampled_from([29, 30, 47, 110, 160, 1_900])
    )
    def extend(self, which: int, who: int, extra: int) -> None:
        id = self.request(which).id
        deal = self.both.reference.state.deals[id]
        was_open = deal.repair is not None
        if self.call(who, "extend_request", id, extra):
            self.both.said["extended by a stranger"] += account(who) != deal.client
            now_open = self.both.reference.state.deals[id].repair is not None
            self.both.said["repair opened by an extension"] += now_open and not was_open

    @precondition(while_started)
    @rule(which=some, turns=st.integers(12, 18))
    def crowd(self, which: int, turns: int) -> None:
        """Two strangers in turn use up the places, but for the client's."""
        request = self.request(which)
        for turn in range(turns):
            if not self.call(STRANGERS[turn % 2], "extend_request", request.id, CONFIG.min_extension):
                break
        if self.call(self.number(request.client), "extend_request", request.id, CONFIG.min_extension):
            found = len(self.both.reference.extensions_of(request.id))
            self.both.said["all places for extensions taken"] += found == MAX_EXTENSIONS

    @precondition(while_started)
    @rule(which=some, other=some, late=st.sampled_from([0, 0, 0, 1, -1]))
    def accept(self, which: int, other: int, late: int) -> None:
        key = self.chosen(which, SlotState.FILLED)
        who = self.holder(key, other) if other % 8 else PARTIES[other % len(PARTIES)]
        self.call(who, "accept_extension", *key, self.both.reference.state.deals[key[0]].ends_at + late)

    @rule(which=some, who=st.sampled_from(PARTIES))
    def close_request(self, which: int, who: int) -> None:
        self.call(who, "close_request", self.requests[which % len(self.requests)].id)

    # --- providers ---

    @rule(which=some, who=st.sampled_from(PARTIES), after=seconds)
    def reserve(self, which: int, who: int, after: int) -> None:
        id, index = self.chosen(which, SlotState.FREE, SlotState.LOST, SlotState.DEPARTED, SlotState.RESERVED)
        self.call(who, "reserve_slot", id, index + 300 * (which % 40 == 7), after=after)

    @precondition(while_held)
    @rule(which=some, other=some, valid=st.sampled_from([True, True, True, False]), after=seconds)
    def fill(self, which: int, other: int, valid: bool, after: int) -> None:
        key = self.chosen(which, SlotState.RESERVED)
        self._fill(self.holder(key, other) if other % 8 else PARTIES[other % len(PARTIES)], key, valid, after)

    @rule(which=some, first=some)
    def sell(self, which: int, first: int) -> None:
        """All slots of a request that are for sale find buyers, if need be at the end of the sale's window."""
        id = self.requests[which % len(self.requests)].id
        for index in range(self.both.reference.state.deals[id].ask.slots):
            if self.slots[id, index].host is not None:
                continue
            who = self._buyer(id, index, first)
            if who is None:
                self.both.mine(1, 30)
                who = self._buyer(id, index, first)
            if who is not None and self.call(who, "reserve_slot", id, index) and not self._fill(who, (id, index)):
                # The first block of a period knows no challenge yet.
                self._fill(who, (id, index))

    @precondition(while_held)
    @rule(which=some, other=some, off=st.sampled_from([0, 0, 0, 1, -1]), valid=st.sampled_from([True, True, False]))
    def prove_one(self, which: int, other: int, off: int, valid: bool) -> None:
        key = self.chosen(which, SlotState.FILLED)
        who = self.holder(key, other) if other % 8 else PARTIES[other % len(PARTIES)]
        self.call(who, "submit_proof", *key, max(0, self.period() + off), valid)

    @precondition(while_held)
    @rule(which=some, noise=st.lists(some, max_size=5), invalid=st.sampled_from([None, None, None, 0, 1, 4]))
    def prove_batch(self, which: int, noise: list[int], invalid: int | None) -> None:
        """A host proves all its slots at once, with much else in between."""
        key = self.chosen(which, SlotState.FILLED)
        who = self.holder(key, which)
        mine = [slot_id(*key) for key, slot in self.slots.items() if slot.host == account(who)]
        batch = [*mine, *(self.odd(item) for item in noise)]
        turn = which % (len(batch) or 1)
        batch = [*batch[turn:], *batch[:turn]]
        self._prove(who, batch, [at != invalid for at in range(len(batch))])

    @precondition(while_held)
    @rule(which=some, who=st.sampled_from(PARTIES))
    def claim(self, which: int, who: int) -> None:
        self.call(who, "claim", *self.chosen(which, SlotState.FILLED))

    @precondition(while_held)
    @rule(which=some, who=st.sampled_from(PARTIES))
    def settle(self, which: int, who: int) -> None:
        self._settle(self.chosen(which, SlotState.FILLED), who)

    @precondition(while_held)
    @rule(who=st.sampled_from(PARTIES), lag=some)
    def settle_all(self, who: int, lag: int) -> None:
        """A while after somebody's end everything that can be is settled."""
        self.to_an_end(lag, 2, CONFIG.settle_seconds)
        for key, slot in list(self.slots.items()):
            if slot.tenure is not None and self.both.would(who, "settle", *key) is None:
                self._settle(key, who)

    @precondition(while_held)
    @rule(which=some, who=st.sampled_from(PARTIES))
    def close_reservation(self, which: int, who: int) -> None:
        self.call(who, "close_reservation", *self.chosen(which, SlotState.RESERVED))

    # --- validators ---

    @precondition(while_held)
    @rule(which=some, who=st.sampled_from(PARTIES), back=st.integers(0, 3))
    def mark_one(self, which: int, who: int, back: int) -> None:
        key = self.chosen(which, SlotState.FILLED)
        self.call(who, "mark_proof_missing", *key, max(0, self.period() - back))

    @precondition(while_held)
    @rule(who=st.sampled_from(PARTIES), back=st.sampled_from([0, 1, 1, 2]), noise=st.lists(some, max_size=5))
    def mark_batch(self, who: int, back: int, noise: list[int]) -> None:
        slots = [self.odd(item) for item in noise]
        self._mark(who, [*slots, *(slot_id(*key) for key in self.slots), *slots], max(0, self.period() - back))

    # --- stakes ---

    @rule(who=st.sampled_from(PROVIDERS), what=st.integers(0, 3), amount=st.sampled_from([1, 400, 1_200]))
    def manage_stake(self, who: int, what: int, amount: int) -> None:
        if what < 2:
            self.call(who, ("deposit", "unstake")[what], amount)
        else:
            self.call(who, *(("collect_unbonded",), ("withdraw", account(STRANGERS[0])))[what - 2])

    @rule(who=st.sampled_from(PARTIES), which=some, what=some)
    def nonsense(self, who: int, which: int, what: int) -> None:
        """What nobody has a reason to do."""
        calls, posts = self.senseless(which)
        client = self.number(self.requests[which % len(self.requests)].client)
        self.call(client if what % len(calls) < posts else who, *calls[what % len(calls)])

    @rule(who=st.sampled_from(STRANGERS), amount=st.sampled_from([0, 10**18]))
    def approve(self, who: int, amount: int) -> None:
        self.call(who, "approve", amount)

    # --- time ---

    @rule(blocks=st.integers(1, 12))
    def blocks_pass(self, blocks: int) -> None:
        self.both.mine(blocks)
        self.both.compare()

    @rule(after=st.sampled_from([10, 20, 45]))
    def time_passes(self, after: int) -> None:
        self.both.mine(1, after)
        self.both.compare()

    @precondition(while_started)
    @rule(lazy=lazy, who=st.sampled_from(PARTIES), noise=st.lists(some, max_size=3), forged=st.booleans())
    def period_passes(self, lazy: int, who: int, noise: list[int], forged: bool) -> None:
        """Hosts prove, but for the lazy; the misses of the last period are marked by somebody."""
        size = CONFIG.period_blocks
        self.both.mine(size - self.both.head.number % size)
        odd = [self.odd(item) for item in noise]
        hosts = sorted({self.number(slot.host) for slot in self.slots.values() if slot.tenure is not None})
        for at, host in enumerate(hosts):
            batch = [*odd, *(slot_id(*key) for key, slot in self.slots.items() if slot.host == account(host))]
            valid = (True,) * len(batch)
            if lazy >> at & 1 or (self.both.would(host, "submit_proofs", batch, valid) and not noise):
                continue
            if forged:
                self._prove(host, batch, [*valid[1:], False])
            self._prove(host, batch, list(valid))
        everything, last = [*odd, *(slot_id(*key) for key in self.slots), *odd], self.period() - 1
        if noise or self.both.would(who, "mark_proofs_missing", everything, last) is None:
            self._mark(who, everything, last)

    @precondition(while_started)
    @rule(
        which=some, who=st.sampled_from([*CLIENTS, *STRANGERS]), stay=lazy, extra=st.sampled_from([110, 160]),
        wait=st.integers(0, 20), early=st.booleans(),
    )  # fmt: skip
    def some_stay(self, which: int, who: int, stay: int, extra: int, wait: int, early: bool) -> None:
        """A request goes on, and some of its hosts do not; what they leave is for sale."""
        request = self.request(which)
        self.extend(which, who, extra)
        hosted = [key for key, slot in self.slots.items() if key[0] == request.id and slot.tenure]
        for key in hosted:
            if stay >> key[1] & 1:
                until = self.both.reference.state.deals[request.id].ends_at
                self.call(self.holder(key, 0), "accept_extension", *key, until)
        for key in hosted:
            tenure = self.slots[key].tenure
            if stay >> key[1] & 1 or tenure is None:
                continue
            self.both.mine(1, max(1, tenure.agreed + CONFIG.settle_seconds - self.now - 1))
            self._settle(key, who)
            if early:
                self.both.mine(1, CONFIG.repair_window)
                if (buyer := self._buyer(*key, which)) is not None:
                    self.call(buyer, "reserve_slot", *key)
        self.both.mine(1, 1 + wait)
        self.sell(self.requests.index(request), which)

    @precondition(while_started)
    @rule(
        which=some, lazy=lazy, who=st.sampled_from([*CLIENTS, *STRANGERS]), late=st.booleans(), wait=st.integers(0, 20)
    )
    def some_fail(self, which: int, lazy: int, who: int, late: bool, wait: int) -> None:
        """Slots are lost: too late for a repair, until somebody adds time, or early enough."""
        request = self.request(which)
        deal = self.both.reference.state.deals[request.id]
        if late and deal.ends_at - 40 > self.now:
            # At a period's end: from here the slots are lost before half of the time is over, or before it all is.
            self.both.mine(
                (CONFIG.period_blocks - 2 - self.both.head.number) % CONFIG.period_blocks or CONFIG.period_blocks
            )
            self.both.mine(1, deal.ends_at - 27 - self.now)
        for _ in range(CONFIG.max_misses + 1):
            self.period_passes(lazy, VALIDATOR, [], False)
        if late:
            self.extend(which, who, 110)
        self.both.mine(1, 1 + wait)
        self.sell(self.requests.index(request), which)

    @rule(which=some, kind=st.integers(0, 3), off=st.sampled_from([-2, -1, 0]))
    def to_an_end(self, which: int, kind: int, off: int) -> None:
        """The next block is about when something ends: a reservation, a request, or a host's time."""
        deals, slots = list(self.both.reference.state.deals.values()), list(self.slots.values())
        ends = (
            [slot.reservation.deadline for slot in slots if slot.reservation],
            [deal.expires_at for deal in deals],
            [slot.tenure.agreed for slot in slots if slot.tenure],
            [deal.ends_at for deal in deals],
        )[kind]
        ends = [end + off for end in ends if end + off > self.now]
        if ends:
            self.both.mine(1, ends[which % len(ends)] - self.now)
            self.both.compare()

    @precondition(while_started)
    @rule(which=some, off=st.sampled_from([-1, 0, 0, 1]), what=st.integers(0, 3))
    def about_an_end(self, which: int, off: int, what: int) -> None:
        """Something is done, or a period is over, in the very second that a host's time ends."""
        key = self.chosen(which, SlotState.FILLED)
        tenure, size = self.slots[key].tenure, CONFIG.period_blocks
        if what == 0:
            self.extend(which, CLIENTS[0], CONFIG.min_extension)
        # The last block of a period, the one that ends then, or its third, when proofs are accepted, comes next.
        self.both.mine(((size - 2 if what == 3 else 1) - self.both.head.number) % size or size)
        if tenure is None or tenure.agreed + off - 1 <= self.now:
            return
        self.both.mine(1, tenure.agreed + off - self.now - (what < 3))
        deal, who = self.both.reference.state.deals[key[0]], self.holder(key, which)
        if what == 0:
            self.call(who, "accept_extension", *key, deal.ends_at)
        elif what < 3:
            self.call(who, *(("submit_proof", *key, self.period(), True), ("settle", *key))[what - 1])
        else:
            self.call(VALIDATOR, "mark_proof_missing", *key, self.period() - 1)
