"""The caches a reader knows: their summaries as long as these are good, and what came of asking them.

Anybody can be listed for a little gas, a thousand times: what is asked, waited for and kept is bounded.
"""

import asyncio
import json
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TypeVar

from agents.core.discovery.reputation import Candidate, Reputation, ranked
from agents.core.discovery.summary import Summary, unsealed
from agents.core.errors import BadData, PeerError, StorageTrouble
from agents.net.caches import CacheClient, Met
from agents.net.endpoint import Peer
from agents.net.errors import PeerDown, PeerLied
from agents.store.state import StateStore

log = logging.getLogger(__name__)

Value = TypeVar("Value")

KIND, SUMMARY_KIND = "cache", "summary"
MOST_ASKED = 32
"""Summaries fetched before a read: of caches that were good, and of others as chance has it."""
AT_ONCE = 16
PATIENCE = 3.0
"""Seconds for all of them: a read does not wait for the slowest cache."""
MOST_BYTES = 16 << 20
"""Of summaries kept in all: the largest have a quarter of a MiB."""


@dataclass(frozen=True)
class Known:
    """A cache as its reader remembers it."""

    endpoint: str
    reputation: Reputation = field(default_factory=Reputation)


class Caches:
    """Kept in the reader's state; ``clock`` gives unix seconds."""

    def __init__(self, client: CacheClient, state: StateStore, clock: Callable[[], float]) -> None:
        self._client = client
        self._state = state
        self._clock = clock
        self._known = _loaded(state, KIND, _known_of)
        self._summaries: dict[str, Summary] = {}

    async def refresh(self, announced: Iterable[Peer]) -> None:
        """Forget caches that are not announced any more; have the summaries of some that are due."""
        listed = {peer.address: peer for peer in announced}
        self._summaries = _loaded(self._state, SUMMARY_KIND, _summary_of)
        for address in self._known.keys() - listed.keys():
            del self._known[address]
            self._forget(KIND, address)
        for address, peer in listed.items():
            known = self._known.setdefault(address, Known(peer.endpoint))
            if known.endpoint != peer.endpoint:
                # Another endpoint is another machine, but a liar's account stays a liar's.
                self._keep(peer, Known(peer.endpoint, known.reputation))
                self._drop(address)
        for address in [each for each in self._summaries if each not in listed or not self._good(each)]:
            self._drop(address)
        limit = asyncio.Semaphore(AT_ONCE)
        meeting = [asyncio.create_task(self._meet(listed[address], limit)) for address in self._due()]
        if meeting:
            _, late = await asyncio.wait(meeting, timeout=PATIENCE)
            for task in late:
                task.cancel()
            await asyncio.gather(*meeting, return_exceptions=True)

    def candidates(self, keys: Sequence[bytes]) -> list[Candidate]:
        """Every cache whose summary is good, and how many of the segments with these ``keys`` it says it has."""
        return [
            Candidate(address, summary.price, summary.holdings.share(list(keys)), self._known[address].reputation)
            for address, summary in self._summaries.items()
            if self._good(address)
        ]

    def ranked(self, keys: Sequence[bytes], size: int, worth: float, most: int) -> list[Peer]:
        """Whom to ask for ``size`` bytes, best first, as `agents.core.discovery.reputation.ranked` says."""
        order = ranked(self.candidates(keys), size, worth, most, self._clock())
        return [Peer(self._known[each.cache].endpoint, each.cache) for each in order]

    def price(self, cache: Peer) -> int | None:
        """Base units per byte, as its newest summary says."""
        summary = self._summaries.get(cache.address)
        return summary.price if summary is not None else None

    async def ask_again(self, cache: Peer, price: int) -> None:
        """It asks for ``price``, more than its summary says: have a new one. Raises PeerError; PeerLied if that says less."""
        met = await self._client.summary(cache, self._clock())
        self._have(cache, met)
        if met.summary.price < price:
            why = f"{price} base units a byte, where it signed {met.summary.price} a moment ago"
            raise PeerLied(cache.endpoint, "asks for more than it says", why)

    def check(self, cache: Peer, last: bool) -> None:
        """Raises PeerDown while it is left alone: what one slot met is not met by the next.

        ``last``: nobody else is left, so it is asked all the same, unless it lied.
        """
        known, now = self._known.get(_name(cache)), self._clock()
        if known is not None and (known.reputation.banned(now) if last else not known.reputation.welcome(now)):
            raise PeerDown(cache.endpoint, "is left alone", known.reputation.why)

    def served(self, cache: Peer, latency: float, size: int, seconds: float) -> None:
        """It answered after ``latency`` seconds, ``size`` bytes in ``seconds`` more."""
        self._change(cache, lambda seen: seen.served(latency, size, seconds))

    def failed(self, cache: Peer, fault: Exception) -> None:
        """It sent bad bytes, or broke the protocol: left alone for long; or it was down, slow or refused: for a while."""
        now, why = self._clock(), str(fault)
        log.info("%s fails: %s", cache.endpoint, why)
        if isinstance(fault, PeerLied):
            self._change(cache, lambda seen: seen.lied(now, why))
        else:
            self._change(cache, lambda seen: seen.stalled(now, why))

    # ---- summaries

    def _due(self) -> list[str]:
        """Who is asked for a summary now: those that served reads well first, strangers as chance has it."""
        now = self._clock()
        due = [
            address
            for address, known in self._known.items()
            if address not in self._summaries and known.reputation.welcome(now)
        ]
        random.shuffle(due)
        return sorted(due, key=lambda address: -self._known[address].reputation.reads)[:MOST_ASKED]

    async def _meet(self, peer: Peer, limit: asyncio.Semaphore) -> None:
        async with limit:  # who waits here was not asked yet
            try:
                met = await self._client.summary(peer, self._clock())
            except asyncio.CancelledError:
                self.failed(peer, TimeoutError(f"no summary came in {PATIENCE:.0f} s"))
                raise
            except PeerError as fault:
                self.failed(peer, fault)
                return
        self._change(peer, lambda seen: seen.answered(met.latency))
        self._have(peer, met)

    def _good(self, address: str) -> bool:
        try:
            self._summaries[address].check(self._clock())
        except BadData:
            return False
        return True

    def _have(self, cache: Peer, met: Met) -> None:
        """Keep a summary; the least useful ones make room: of strangers before others, the largest first."""
        self._summaries[cache.address] = met.summary
        self._save(SUMMARY_KIND, cache.address, met.sealed)
        while sum(len(each.holdings.bits) for each in self._summaries.values()) > MOST_BYTES:
            self._drop(min(self._summaries, key=self._use))

    def _use(self, address: str) -> tuple[int, int]:
        return self._known[address].reputation.reads, -len(self._summaries[address].holdings.bits)

    def _drop(self, address: str) -> None:
        if self._summaries.pop(address, None) is not None:
            self._forget(SUMMARY_KIND, address)

    # ---- what is remembered

    def _change(self, cache: Peer, change: Callable[[Reputation], Reputation]) -> None:
        known = self._known.get(_name(cache), Known(cache.endpoint))
        self._keep(cache, Known(known.endpoint, change(known.reputation)))

    def _keep(self, cache: Peer, known: Known) -> None:
        """Beyond this process, if it is one that was announced: the user who names another may have mended it."""
        self._known[_name(cache)] = known
        if cache.address:
            record = {"endpoint": known.endpoint, "reputation": asdict(known.reputation)}
            self._save(KIND, cache.address, json.dumps(record).encode())

    def _save(self, kind: str, key: str, record: bytes) -> None:
        try:
            self._state.save(kind, key, record)
        except StorageTrouble as trouble:  # a full disk, or another reader's lock: no read ends for that
            log.warning("what became of %s is not remembered: %s", key, trouble)

    def _forget(self, kind: str, key: str) -> None:
        with suppress(StorageTrouble):
            self._state.remove(kind, key)


def _name(cache: Peer) -> str:
    return cache.address or cache.endpoint


def _known_of(record: bytes) -> Known:
    fields = json.loads(record)
    return Known(fields["endpoint"], Reputation(**fields["reputation"]))


def _summary_of(record: bytes) -> Summary:
    return unsealed(record)[0]


def _loaded(state: StateStore, kind: str, read: Callable[[bytes], Value]) -> dict[str, Value]:
    """What can be read of the records of a kind: none is worth more than asking again."""
    found = {}
    for key, record in state.load(kind).items():
        try:
            found[key] = read(record)
        except (BadData, KeyError, TypeError, ValueError):
            state.remove(kind, key)
    return found
