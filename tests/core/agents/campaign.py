"""Whole lives of requests among agents to whom things happen, and what must hold at every block of them."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from agents.core.agents.provider_duties import Policy, Prove
from agents.core.market import events as e
from agents.core.market.economics import minimal_term
from agents.core.market.ledger import ledger_of
from agents.core.market.types import (
    Ask,
    Content,
    MarketConfig,
    Request,
    RequestState,
    SlotState,
    StakeConfig,
    request_id_of,
    slot_index_of,
)
from agents.core.market.view import MarketView, RequestView, SlotKey
from tests.core.agents.actors import Agent, ProviderAgent, Trouble, ValidatorAgent, parts
from tests.core.agents.chain import Block, Chain, Sent

SINK, CLIENT, VALIDATOR = ("0x" + digit * 40 for digit in "abc")
PROVIDERS = ["0x" + digit * 40 for digit in "12345678"]
STAKES = StakeConfig(1_000, 1, 30, SINK)
CONFIG = MarketConfig(
    period_blocks=8, block_seconds=1, mark_blocks=12, settle_seconds=45, max_misses=2, slash_bps=2_100,
    validator_bps=1_500, bounty_bps=5_000, bond_bps=450, reserve_seconds=22, repair_window=16, min_term_periods=1,
    max_duration=10_000, min_extension=50,
)  # fmt: skip
WALLET, DURATION, SLOT_BYTES, PRICE = 10**9, 220, 101, 3

QUOTA = 6 * SLOT_BYTES

LONGEST_TROUBLE = CONFIG.period_blocks - 4
"""Blocks: what is left of a period is enough to prove in."""

SPARED = CONFIG.period_blocks
"""Between two troubles of one agent lies a period."""

DEEPEST_REORG = 5

PATIENCE = CONFIG.repair_window + CONFIG.reserve_seconds + 16
"""Blocks within which a lost slot is reserved, if somebody is there who can: the window, and a reserver who died."""

PATIENCE_AT_FIRST = LONGEST_TROUBLE + 5
"""Blocks within which a slot in its first sale is, once everybody may: buyers who are all down, and run for the same one."""

RACES = {
    "reserve_slot": {"ReservationHeld", "SlotNotFree", "NotEligible", "RequestEnded", "TermTooShort", "NotForSale"},
    "fill_slot": {"NotReserved", "NotReserver", "ReservationOver", "RequestEnded", "ChallengeUnknown", "InvalidProof"},
    "submit_proof": {"NotFilled", "WrongPeriod", "SlotEnded"},
    "submit_proofs": {"NothingApplies", "ChallengeUnknown", "InvalidProof"},
    "accept_extension": {"NotFilled", "RequestEnded", "SlotEnded", "EndsLater"},
    "extend_request": {"NotStarted"},
    "claim": {"NotFilled"},
    "close_reservation": {"NotReserved", "ReservationHeld"},
    "settle": {"NotFilled"},
    "mark_proof_missing": {"NotFilled", "NotMarkableNow", "SlotEnded", "AlreadyProven"},
    "mark_proofs_missing": {"NothingApplies", "NotMarkableNow"},
    "close_request": {"AlreadyClosed"},
}
"""Why a call may be refused that was right when it was sent: others, or time, came first."""


@dataclass(frozen=True)
class Reorg:
    """At block ``at``, ``depth`` blocks are replaced; a bit of ``omitted`` for each transaction that is left out."""

    at: int
    depth: int
    omitted: int


@dataclass(frozen=True)
class Plan:
    """What is asked for, and what happens to whom: so many blocks after the first request; troubles, at a block's number."""

    seed: int
    stakes: tuple[int, ...]
    """Of each provider."""
    asks: tuple[Ask, ...]
    expiry: int
    apart: int
    """Blocks between the requests."""
    same: bool
    """Whether they are for the same content."""
    upload: int
    """Blocks the client's uploads take."""
    troubles: tuple[Trouble, ...] = ()
    """``who`` is a provider, or one more than all: the validator."""
    losses: tuple[tuple[int, int], ...] = ()
    """Which provider loses its data, when."""
    reorgs: tuple[Reorg, ...] = ()
    extensions: tuple[tuple[int, int], ...] = ()
    """When the client extends all its requests that have started, and by how much."""
    dearer: tuple[tuple[int, int], ...] = ()
    """Which provider wants more than they pay, from when on."""


@dataclass
class Campaign:
    """A plan, carried out."""

    plan: Plan
    counted: Counter[str] = field(default_factory=Counter)
    """Kinds of events, and names of refusals."""
    replaced: list[range] = field(default_factory=list)
    """Blocks that were replaced."""
    waited: Counter[SlotKey] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        plan = self.plan
        names = PROVIDERS[: len(plan.stakes)]
        self.chain = Chain(CONFIG, STAKES, dict.fromkeys((*names, CLIENT, VALIDATOR), WALLET), plan.seed)
        self.requests = [
            Request(CLIENT, ask, Content(bytes([0 if plan.same else at]) * 32, 1), plan.expiry, bytes([at]) * 32)
            for at, ask in enumerate(plan.asks)
        ]
        mine = [sorted((t for t in plan.troubles if t.who == n), key=lambda t: t.at) for n in range(len(names) + 1)]
        self.providers = [
            ProviderAgent(
                name, self.chain, mine[at], SPARED, self.check, policy=Policy(QUOTA), patience=plan.upload,
                rebuildable=self.rebuildable,
            )
            for at, name in enumerate(names)
        ]  # fmt: skip
        self.validator = ValidatorAgent(VALIDATOR, self.chain, mine[-1], SPARED, self.check)
        self.agents: list[Agent] = [*self.providers, self.validator]

    def run(self) -> None:
        """From the first registration to the last withdrawal."""
        self.prepare()
        added = sum(extra for _, extra in self.plan.extensions)
        for block in range(DURATION + added + self.plan.apart + CONFIG.settle_seconds + 20):
            self.befall(block)
            for reorg in self.plan.reorgs:
                if reorg.at == block:
                    self.reorganise(reorg)
            # Who is first in a block is nobody's right.
            turn = self.chain.head.hash[0] % len(self.agents)
            for agent in self.agents[turn:] + self.agents[:turn]:
                agent.step()
            self.conclude(self.chain.mine())
            self.be_patient()
            if block % 32 == 0:
                self.compare()
        self.wind_up()

    def befall(self, block: int) -> None:
        """What the client does, and what happens to providers, after so many blocks."""
        head, plan = self.chain.head, self.plan
        if block == plan.apart:
            for request in self.requests[1:]:
                self.pay(CLIENT, "request_storage", request)
        for at, extra in plan.extensions:
            for id, request in head.view.requests.items() if at == block else ():
                if request.state(head.now + CONFIG.block_seconds) is RequestState.STARTED:
                    self.pay(CLIENT, "extend_request", id, extra)
        for who, at in plan.losses:
            if at == block:
                self.providers[who].lose_data()
        for who, at in plan.dearer:
            if at == block:
                self.providers[who].policy = Policy(QUOTA, min_price=PRICE + 1)

    # --- beginning and end ---

    def pay(self, who: str, function: str, *arguments: Any) -> None:
        """A call nobody has a duty to make."""
        self.chain.pool.append(Sent(who, function, arguments))

    def prepare(self) -> None:
        """Everybody joins; the request is posted."""
        for agent, stake in zip(self.providers, self.plan.stakes, strict=True):
            self.pay(agent.name, "register", f"http://{agent.name}")
            self.pay(agent.name, "approve", WALLET)
            self.chain.mine()
            self.pay(agent.name, "deposit", stake)
        self.pay(CLIENT, "approve", WALLET)
        self.chain.mine()
        self.pay(CLIENT, "request_storage", self.requests[0])
        assert all(sent.outcome == "done" for sent in self.chain.mine().sent)

    def wind_up(self) -> None:
        """Everything is over, nobody's money is stuck, and the books say why it is where it is."""
        view, now = self.chain.head.view, self.chain.head.now
        assert len(view.requests) == len(self.requests)
        sent = [sent for block in self.chain.blocks for sent in block.sent if sent.outcome == "done"]
        assert all(times == 1 for times in Counter((one.who, key) for one in sent for key in one.covers).values())
        self.counted.update(one.function for one in sent)
        for request in view.requests.values():
            self.counted[request.state(now).name] += 1
            assert request.closed
            assert {slot.state for slot in request.slots} <= {
                SlotState.SETTLED, SlotState.FREE, SlotState.LOST, SlotState.DEPARTED
            }  # fmt: skip
            assert request.state(now) is not RequestState.FINISHED or request.vacant <= request.ask.max_slot_loss
        assert not any(agent.disk for agent in self.providers if agent.up)  # nothing is kept for nobody
        assert not any(known.locked for known in self.chain.head.view.providers.values())
        for agent in self.providers:
            self.pay(agent.name, "unstake", self.chain.head.view.providers[agent.name].free)
        for _ in range(STAKES.unbonding_seconds):
            self.chain.mine()
        for agent in self.agents:
            self.pay(agent.name, "collect_unbonded")
            self.pay(agent.name, "withdraw", agent.name)
        self.pay(CLIENT, "withdraw", CLIENT)
        self.chain.mine()
        self.compare()
        state = self.chain.head.state
        assert state.pool == 0
        assert state.balance == state.liabilities == state.credits.get(SINK, 0)
        books = ledger_of(self.chain.events(), CONFIG, STAKES)
        books.check({account: held - WALLET for account, held in state.wallets.items()})
        self.counted.update(type(event).__name__ for event in self.chain.events())
        left = Counter(trouble.kind.name for agent in self.agents for trouble in agent.troubles)
        self.counted += Counter(trouble.kind.name for trouble in self.plan.troubles) - left

    # --- what must hold ---

    def check(self, agent: Agent, duty: Any, sent: Sent) -> None:
        """What an agent sends would be accepted by the next block, or the block's number and time say why not."""
        name = self.chain.trial(sent).removeprefix("Marketplace_")
        if name == "done":
            return
        head, now = self.chain.head, self.chain.head.now + CONFIG.block_seconds
        request = head.view.requests[duty.request]
        begins = (head.number + 1) % CONFIG.period_blocks == 0
        over = request.state(now).terminal
        proofs = [part for part in parts(duty) if isinstance(part, Prove)]
        ended = all(now >= head.view.requests[one.request].slot_end(one.index, now) for one in proofs)
        explained = {
            "reserve_slot": {"RequestEnded"} if over else set(),
            "submit_proof": {"WrongPeriod"} if begins else {"SlotEnded"} if ended else set(),
            "submit_proofs": {"ChallengeUnknown" if begins else "", "NothingApplies" if ended else ""},
            "fill_slot": {"ChallengeUnknown" if begins else "", "RequestEnded" if over else "", "ReservationOver"},
        }.get(sent.function, set())
        if name == "ReservationOver":
            explained &= {name} if now >= duty.deadline else set()
        assert name in explained, f"{agent.name} tries {duty} in vain: {name}"

    def conclude(self, block: Block) -> None:
        """A block is there: who sent what is told, and whoever was slashed had it coming."""
        assert all(len(agent.disk) * SLOT_BYTES <= agent.policy.quota for agent in self.providers)
        for sent in block.sent:
            for agent in self.agents:
                agent.concluded(sent)
            name = (sent.outcome or "").removeprefix("Marketplace_")
            assert name == "done" or sent.who != CLIENT or sent.function == "extend_request"
            if name != "done":
                self.counted[f"{sent.function}: {name}"] += 1
                assert self.replaced or name in RACES[sent.function], f"{sent.function} was refused: {name}"
        before = self.chain.blocks[block.number - 1].view
        for event in block.events:
            if isinstance(event, e.ProofMissed):
                key = (request_id_of(event.slot_id), slot_index_of(event.slot_id))
                first = event.period * CONFIG.period_blocks
                self.deserved(before.slot(key).host, key, range(first, first + CONFIG.period_blocks), event)
            elif isinstance(event, e.ReservationForfeited):
                since = block.number - 2 * CONFIG.reserve_seconds
                self.deserved(event.provider, (event.request_id, event.slot_index), range(since, block.number), event)

    def deserved(self, name: str | None, key: SlotKey, blocks: range, event: e.Event) -> None:
        """Only the dead, those without the data, and victims of a reorganisation are slashed."""
        (host,) = [agent for agent in self.providers if agent.name == name]
        reorganised = any(past.start < blocks.stop and blocks.start < past.stop for past in self.replaced)
        assert host.dead or key in host.lost or reorganised, f"{name} is slashed for nothing: {event}"

    def reorganise(self, reorg: Reorg) -> None:
        """The chain goes back; what was done is undone, and every lane looks after its own."""
        head = self.chain.head.number
        first = head - reorg.depth + 1
        if first <= self.request_block + 1:
            return
        self.replaced.append(range(first, head + 1))
        self.waited.clear()
        self.counted["omitted"] += len(self.chain.reorganise(reorg.depth, reorg.omitted))
        for block in self.chain.blocks[first:]:
            for sent in block.sent:
                for agent in self.agents:
                    agent.concluded(sent)
        assert self.chain.head.view == MarketView(CONFIG, STAKES).after_all(self.chain.events())
        self.compare()

    @property
    def request_block(self) -> int:
        """In which the request was posted."""
        return self.chain.head.view.requests[self.requests[0].id].created_block

    def rebuildable(self, key: SlotKey) -> bool:
        """Whether enough living hosts hold their slots whole."""
        view = self.chain.head.view
        wanted = view.requests[key[0]]
        disks = {agent.name: agent.disk for agent in self.providers if not agent.dead}
        whole = {
            index
            for request in view.requests.values()
            for index, slot in enumerate(request.slots)
            if slot.state is SlotState.FILLED and (wanted.content.cid, index) in disks.get(slot.host or "", ())
            if request.content.cid == wanted.content.cid
        }
        return len(whole) >= wanted.ask.slots - wanted.ask.max_slot_loss

    def be_patient(self) -> None:
        """What is for sale to everybody finds a reserver, as long as there is one, and what it can be rebuilt from."""
        for request in self.chain.head.view.requests.values():
            for index, slot in enumerate(request.slots):
                key = (request.id, index)
                if slot.state in (SlotState.LOST, SlotState.DEPARTED):
                    patience, possible = PATIENCE, self.repairable(key)
                else:
                    patience, possible = PATIENCE_AT_FIRST, self.sellable(key)
                self.waited[key] = self.waited[key] + 1 if possible else 0
                assert self.waited[key] <= patience, f"nobody takes slot {index}"

    def repairable(self, key: SlotKey) -> bool:
        """Whether its repair is open, with time left, repairers for all that is vacant, and slots to rebuild it from."""
        now, request = self.chain.head.now, self.chain.head.view.requests[key[0]]
        term = minimal_term(request.ask.proof_probability, CONFIG) + CONFIG.reserve_seconds
        open_ = request.repair_opened_at and not request.failed_at and request.ends_at - now > term
        return bool(open_) and self.buyers_for_all(request, request.repair_opened_block) and self.rebuildable(key)

    def sellable(self, key: SlotKey) -> bool:
        """Whether it is in a first sale that is open to everybody and not about to expire, with buyers for all there is."""
        now, request = self.chain.head.now, self.chain.head.view.requests[key[0]]
        expiry = request.expires_at - request.created_at
        free = request.slots[key[1]].state is SlotState.FREE and request.state(now) is RequestState.NEW
        late = now < request.created_at + expiry // 2 or now + expiry // 4 >= request.expires_at
        return free and not late and self.buyers_for_all(request, request.created_block)

    def buyers_for_all(self, request: RequestView, seed_block: int) -> bool:
        """Whether as many living providers can take a slot of ``request`` as slots are vacant anywhere."""
        view = self.chain.head.view
        known = {slot.host for slot in request.slots} | {who for slot in request.slots for who in slot.former_hosts}
        buyers = 0
        for agent in self.providers:
            stake = view.providers[agent.name]
            staked = 0 < stake.staked_since < seed_block and stake.free >= request.ask.collateral
            willing = agent.policy.min_price <= request.ask.price_per_byte_per_second
            buyers += staked and willing and not agent.dead and agent.name not in known
        states = [slot.state for other in view.requests.values() if not other.closed for slot in other.slots]
        return buyers >= sum(states.count(state) for state in (SlotState.LOST, SlotState.DEPARTED, SlotState.FREE))

    def compare(self) -> None:
        """The agents' view is the contracts' state."""
        head, reference = self.chain.head, self.chain.reference
        state, view = head.state, head.view
        for id, deal in state.deals.items():
            seen = view.requests[id]
            assert seen.state(head.now) is reference.request_state(deal, head.now)
            assert (seen.closed, seen.ends_at, seen.expires_at) == (deal.closed, deal.ends_at, deal.expires_at)
            assert (seen.repair_opened_at, seen.repair_opened_block) == (deal.repair or (0, 0))
            assert deal.closed or seen.unspent == deal.unspent
            idle = [(one.funder, amount) for one, amount in reference.extensions_of(id)]
            assert idle == [(one.funder, one.idle) for one in seen.extensions]
            for index, known in enumerate(seen.slots):
                slot = state.slots[id, index]
                assert known.state is reference.slot_state(slot)
                assert (known.vacated_at, known.vacated_block) == (slot.vacated or (0, 0))
                assert known.host == slot.host
                assert deal.closed or known.pot == slot.pot
                if slot.tenure is not None:
                    assert (known.filled_at, known.fill_period) == (slot.tenure.filled_at, slot.tenure.period)
                    assert (known.missed, known.held_until) == (slot.tenure.missed, slot.tenure.agreed)
                    assert seen.claimable(index, head.now, CONFIG) == reference.running_pay(deal, slot, head.now)
        for name, stake in state.stakes.items():
            provided = view.providers[name]
            assert (provided.free, provided.locked, provided.unbonding) == (stake.free, stake.locked, stake.unbonding)
            assert (provided.id, provided.staked_since) == (stake.id, stake.since)
        assert {who: sum_ for who, sum_ in view.credits.items() if sum_} == {
            who: sum_ for who, sum_ in state.credits.items() if sum_
        }
        stakes = sum(one.free + one.locked + one.unbonding for one in state.stakes.values())
        assert state.balance == state.liabilities == stakes + sum(state.credits.values()) + state.pool
        assert all(one.number + 1 == next_.number for one, next_ in pairwise(self.chain.blocks))
