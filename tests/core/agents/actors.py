"""Agents that do what their duties say, and that crash, dawdle, lose their data and die as they are told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from agents.core.agents import provider, validator
from agents.core.agents.provider import Clock, Policy
from agents.core.agents.provider_duties import Rebuild
from agents.core.market.periods import first_block, period_of
from agents.core.market.types import RequestState, SlotState, slot_id
from agents.core.market.view import MarketView, RequestView, SlotKey
from tests.core.agents.chain import PROVEN, Chain, Sent

REBUILD_BLOCKS = 2
"""How long a rebuilding takes."""

REST_BLOCKS = 6
"""How long after a rebuilding that failed other slots come first."""

FORGET_BLOCKS = 10
"""How long data has been of no use before it is deleted: longer than any reorganisation."""


class Kind(Enum):
    """What goes wrong with the next effect of an agent."""

    CRASH_BEFORE = auto()
    """The agent is killed before it is sent."""
    CRASH_AFTER = auto()
    """The agent is killed when it is sent, before anything but the journal knows."""
    DELAY = auto()
    """It takes long."""
    DEATH = auto()
    """The agent sends it and is never seen again."""


@dataclass(frozen=True)
class Trouble:
    """Something goes wrong with agent ``who`` from block ``at`` on, for ``length`` blocks."""

    who: int
    at: int
    kind: Kind
    length: int


@dataclass(frozen=True)
class Together:
    """Duties of one period that one transaction does, as the roles have it."""

    duties: tuple[Any, ...]

    @property
    def key(self) -> str:
        """Of them all."""
        return " ".join(duty.key for duty in self.duties)

    @property
    def request(self) -> bytes:
        """Of one of them."""
        return bytes(self.duties[0].request)


def parts(duty: Any) -> tuple[Any, ...]:
    """The duties that ``duty`` is."""
    return duty.duties if isinstance(duty, Together) else (duty,)


def call_of(duty: Any) -> tuple[str, tuple[Any, ...]]:
    """The call that does a duty of either agent; every kind has one, or is done at home."""
    if isinstance(duty, Together):
        slots = tuple(slot_id(one.request, one.index) for one in duty.duties)
        if isinstance(duty.duties[0], provider.Prove):
            return "submit_proofs", (slots,)
        return "mark_proofs_missing", (slots, duty.duties[0].period)
    if isinstance(duty, provider.Reserve):
        return "reserve_slot", (duty.request, duty.index)
    if isinstance(duty, provider.Fill):
        return "fill_slot", (duty.request, duty.index)
    if isinstance(duty, provider.Prove):
        return "submit_proof", (duty.request, duty.index, duty.period)
    if isinstance(duty, provider.Accept):
        return "accept_extension", (duty.request, duty.index, duty.until)
    if isinstance(duty, provider.Claim):
        return "claim", (duty.request, duty.index)
    if isinstance(duty, provider.Release | validator.CloseReservation):
        return "close_reservation", (duty.request, duty.index)
    if isinstance(duty, provider.Settle | validator.SettleSlot):
        return "settle", (duty.request, duty.index)
    if isinstance(duty, validator.MarkMissing):
        return "mark_proof_missing", (duty.request, duty.index, duty.period)
    if isinstance(duty, validator.CloseRequest):
        return "close_request", (duty.request,)
    raise AssertionError(f"nobody knows how to do {duty}")


@dataclass
class Agent:
    """Anybody with an account, a journal on disk and a list of troubles to come."""

    name: str
    chain: Chain
    troubles: list[Trouble]
    spared: int
    """Blocks between the end of one trouble and the next."""
    check: Callable[["Agent", Any, Sent], None]
    """Asked before an effect is sent at once."""
    journal: dict[str, Sent] = field(default_factory=dict)
    """What was sent and not refused, by key: on disk."""
    waiting: dict[str, tuple[int, Any]] = field(default_factory=dict)
    """Effects that take long, and the block in which they are sent: in memory."""
    down_until: int = 0
    quiet_until: int = 0
    dead: bool = False

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return not self.dead and self.chain.head.number >= self.down_until

    def due(self) -> list[Any]:
        """Its duties."""
        raise AssertionError

    def step(self) -> None:
        """Do what is due after the head."""
        if not self.up:
            return
        head = self.chain.head.number
        for key, (until, duty) in list(self.waiting.items()):
            if head >= until:
                del self.waiting[key]
                self._send(duty, timely=False)
        due = []
        for duty in self.due():
            if self.at_home(duty):
                continue
            key = self._key(duty)
            sent = self.journal.get(key)
            assert sent is None or sent.outcome is None, f"{key} was done and is due again"
            if sent is None and key not in self._late():
                due.append(duty)
        for duty in self._together(due):
            if self._befalls(duty, self._key(duty)):
                return

    def _late(self) -> set[str]:
        """Keys of effects that take long."""
        return {self._key(part) for _, duty in self.waiting.values() for part in parts(duty)}

    @staticmethod
    def _together(due: list[Any]) -> list[Any]:
        """Proofs and misses of one period go in one transaction."""
        groups: dict[Any, list[Any]] = {}
        for at, duty in enumerate(due):
            batched = isinstance(duty, provider.Prove | validator.MarkMissing)
            groups.setdefault((type(duty), duty.period) if batched else at, []).append(duty)
        return [group[0] if len(group) == 1 else Together(tuple(group)) for group in groups.values()]

    def at_home(self, duty: Any) -> bool:
        """Whether ``duty`` needs no transaction; then it is seen to."""
        return False

    def crash(self, blocks: int) -> None:
        """All but the disk is gone for ``blocks`` blocks."""
        self.down_until = self.chain.head.number + blocks
        self.waiting.clear()

    def concluded(self, sent: Sent) -> None:
        """A transaction was mined: a refused one is forgotten, and may be tried anew."""
        if sent.outcome != "done":
            for key in [key for key, kept in self.journal.items() if kept is sent]:
                del self.journal[key]

    def _befalls(self, duty: Any, key: str) -> bool:
        """Do ``duty`` or suffer the next trouble; whether the agent is down now."""
        head = self.chain.head.number
        if not self.troubles or self.troubles[0].at > head or head < self.quiet_until:
            self._send(duty, timely=True)
            return False
        trouble = self.troubles.pop(0)
        self.quiet_until = head + trouble.length + self.spared
        if trouble.kind is Kind.DELAY:
            self.waiting[key] = (head + trouble.length, duty)
            return False
        if trouble.kind is not Kind.CRASH_BEFORE:
            self._send(duty, timely=True)
        self.dead = trouble.kind is Kind.DEATH
        self.crash(trouble.length)
        return True

    def _key(self, duty: Any) -> str:
        """As the roles have it: a proof that came too late for its period is made anew for the next."""
        if isinstance(duty, provider.Fill):
            return f"{duty.key}:{period_of(self.chain.head.number, self.chain.config)}"
        return str(duty.key)

    def _send(self, duty: Any, timely: bool) -> None:
        function, arguments = call_of(duty)
        seed, config, head = b"", self.chain.config, self.chain.head.number
        if function in PROVEN:
            period = period_of(head, config)
            if isinstance(parts(duty)[0], provider.Prove) and parts(duty)[0].period != period:
                return  # too late: there is nothing to send
            seed = self.chain.hashes[first_block(period, config)]
        keys = tuple(self._key(part) for part in parts(duty))
        sent = Sent(self.name, function, arguments, self._key(duty), seed, keys)
        if any(key in self.journal for key in keys):
            return
        if timely:
            self.check(self, duty, sent)
        self.journal |= dict.fromkeys(keys, sent)
        self.chain.pool.append(sent)


@dataclass
class ProviderAgent(Agent):
    """A provider, with a disk."""

    policy: Policy = field(default_factory=lambda: Policy(quota=1_000))
    patience: int = 0
    """Blocks until the client has uploaded what was reserved."""
    rebuildable: Callable[[SlotKey], bool] = lambda key: True
    disk: set[tuple[bytes, int]] = field(default_factory=set)
    """Slots it holds whole, by content and index."""
    lost: set[SlotKey] = field(default_factory=set)
    """What it held and lost: its own fault."""
    uploading: dict[SlotKey, int] = field(default_factory=dict)
    rebuilding: dict[SlotKey, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    """Until when, and which slots are made on the side."""
    resting: dict[SlotKey, int] = field(default_factory=dict)
    useless: dict[SlotKey, int] = field(default_factory=dict)

    @property
    def held(self) -> set[SlotKey]:
        """Slots of requests that it holds whole: two requests for the same content share the data."""
        requests = self.chain.head.view.requests.values()
        return {(one.id, index) for one in requests for index in range(one.ask.slots) if self._has(one, index)}

    def lose_data(self) -> None:
        """The disk breaks; an empty one replaces it."""
        self.lost |= self.held
        self.disk.clear()

    def _has(self, request: RequestView, index: int) -> bool:
        return (request.content.cid, index) in self.disk

    def crash(self, blocks: int) -> None:
        super().crash(blocks)
        self.rebuilding.clear()
        self.useless.clear()

    def due(self) -> list[Any]:
        head, view = self.chain.head, self.chain.head.view
        self._receive(view)
        self._rebuild()
        hashes = {n: self.chain.hashes[n] for n in provider.blocks_needed(view, self.name, head.number)}
        found = provider.duties(
            view, self.name, self.policy, self.held, Clock(head.number, head.now, hashes), self._begun()
        )
        useless = {(duty.request, duty.index) for duty in found if isinstance(duty, provider.Forget)}
        self.useless = {key: self.useless.get(key, head.number) for key in useless}
        return list(found)

    def _begun(self) -> provider.UnderWay:
        sent = [one for one in self.journal.values() if one.function == "reserve_slot" and one.outcome is None]
        late = [duty for _, duty in self.waiting.values() if isinstance(duty, provider.Reserve)]
        reserving = {(one.arguments[0], one.arguments[1]) for one in sent} | {(one.request, one.index) for one in late}
        resting = {key for key, until in self.resting.items() if self.chain.head.number < until}
        spares = {(key[0], spare) for key, (_, made) in self.rebuilding.items() for spare in made}
        return provider.UnderWay(reserving=reserving, rebuilding=set(self.rebuilding), resting=resting, spares=spares)

    def at_home(self, duty: Any) -> bool:
        head = self.chain.head.number
        if isinstance(duty, Rebuild):
            self.rebuilding.setdefault((duty.request, duty.index), (head + REBUILD_BLOCKS, duty.spares))
            return True
        if isinstance(duty, provider.Forget):
            key = (duty.request, duty.index)
            if head - self.useless[key] >= FORGET_BLOCKS:
                self.disk.discard((self.chain.head.view.requests[duty.request].content.cid, duty.index))
            return True
        return False

    def _receive(self, view: MarketView) -> None:
        """What the client uploads to the reservers of a first sale."""
        for request in view.requests.values():
            for index, slot in enumerate(request.slots):
                key, live = (request.id, index), request.state(self.chain.head.now) is RequestState.NEW
                reserved = live and slot.host == self.name and slot.state is SlotState.RESERVED
                if not reserved or self._has(request, index):
                    continue
                self.uploading[key] = self.uploading.get(key, 0) + 1
                if self.uploading[key] > self.patience:
                    self.disk.add((request.content.cid, index))

    def _rebuild(self) -> None:
        head = self.chain.head.number
        for key, (until, spares) in list(self.rebuilding.items()):
            if head < until:
                continue
            del self.rebuilding[key]
            if self.rebuildable(key):
                content = self.chain.head.view.requests[key[0]].content.cid
                self.disk |= {(content, index) for index in (key[1], *spares)}
            else:
                self.resting[key] = head + REST_BLOCKS


@dataclass
class ValidatorAgent(Agent):
    """A validator, which never dies."""

    def due(self) -> list[Any]:
        head = self.chain.head
        needed = validator.blocks_needed(head.view, head.number)
        hashes = {number: self.chain.hashes[number] for number in needed if number in self.chain.hashes}
        return list(validator.duties(head.view, head.number, head.now, hashes))
