"""The caches a reader knows: their summaries as long as these are good, and what came of asking them."""

import asyncio
import base64
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field

from agents.core.discovery.reputation import Candidate, Reputation, ranked
from agents.core.discovery.summary import Summary, unsealed
from agents.core.errors import BadData, PeerError
from agents.net.caches import CacheClient
from agents.net.endpoint import Peer
from agents.net.errors import PeerLied
from agents.store.state import StateStore

log = logging.getLogger(__name__)

KIND = "cache"
AT_ONCE = 16
"""Summaries fetched at the same time."""
PATIENCE = 3.0
"""Seconds for all of them: a read does not wait for the slowest cache."""


@dataclass(frozen=True)
class Known:
    """A cache as its reader remembers it."""

    endpoint: str
    reputation: Reputation = field(default_factory=Reputation)
    sealed: bytes = b""
    """Its newest summary, signed; empty before the first."""

    def summary(self, now: float) -> Summary | None:
        """What it says of itself, while that is good."""
        if not self.sealed:
            return None
        try:
            summary, _ = unsealed(self.sealed)
            summary.check(now)
        except BadData:
            return None
        return summary


class Caches:
    """Kept in the reader's state; ``clock`` gives unix seconds."""

    def __init__(self, client: CacheClient, state: StateStore, clock: Callable[[], float]) -> None:
        self._client = client
        self._state = state
        self._clock = clock
        self._known = {address: _read(record) for address, record in state.load(KIND).items()}

    async def refresh(self, announced: Iterable[Peer]) -> None:
        """Forget caches that are not announced any more; have the summaries of the others that are due."""
        listed = {peer.address: peer for peer in announced}
        for address in self._known.keys() - listed.keys():
            del self._known[address]
            self._state.remove(KIND, address)
        for address, peer in listed.items():
            known = self._known.get(address)
            if known is None or known.endpoint != peer.endpoint:
                # Another endpoint is another machine, but a liar's account stays a liar's.
                self._keep(address, Known(peer.endpoint, known.reputation if known else Reputation()))
        now = self._clock()
        due = [
            listed[address]
            for address, known in self._known.items()
            if known.reputation.welcome(now) and known.summary(now) is None
        ]
        limit = asyncio.Semaphore(AT_ONCE)
        meeting = [asyncio.create_task(self._meet(peer, limit)) for peer in due]
        if meeting:
            _, late = await asyncio.wait(meeting, timeout=PATIENCE)
            for task in late:
                task.cancel()
            await asyncio.gather(*meeting, return_exceptions=True)

    def candidates(self, keys: Sequence[bytes]) -> list[Candidate]:
        """Every cache whose summary is good, and how many of the segments with these ``keys`` it says it has."""
        now, found = self._clock(), []
        for address, known in self._known.items():
            summary = known.summary(now)
            if summary is not None:
                held = summary.holdings.share(list(keys))
                found.append(Candidate(address, summary.price, held, known.reputation))
        return found

    def ranked(self, keys: Sequence[bytes], size: int, worth: float, most: int) -> list[Peer]:
        """Whom to ask for ``size`` bytes, best first, as `agents.core.discovery.reputation.ranked` says."""
        order = ranked(self.candidates(keys), size, worth, most, self._clock())
        return [Peer(self._known[each.cache].endpoint, each.cache) for each in order]

    def served(self, cache: str, latency: float, size: int, seconds: float) -> None:
        """It answered after ``latency`` seconds, ``size`` bytes in ``seconds`` more."""
        self._change(cache, lambda seen: seen.served(latency, size, seconds))

    def failed(self, cache: str, fault: Exception) -> None:
        """It sent bad bytes, or broke the protocol: left alone for long; or it was down, slow or refused: for a while."""
        now, why = self._clock(), str(fault)
        log.info("%s is left alone: %s", cache, why)
        if isinstance(fault, PeerLied):
            self._change(cache, lambda seen: seen.lied(now, why))
        else:
            self._change(cache, lambda seen: seen.stalled(now, why))

    async def _meet(self, peer: Peer, limit: asyncio.Semaphore) -> None:
        async with limit:  # who waits here was not asked yet
            try:
                met = await self._client.summary(peer, self._clock())
            except asyncio.CancelledError:
                self.failed(peer.address, TimeoutError(f"no summary came in {PATIENCE:.0f} s"))
                raise
            except PeerError as fault:
                self.failed(peer.address, fault)
                return
        known = self._known[peer.address]
        reputation = known.reputation.answered(met.latency)
        self._keep(peer.address, Known(peer.endpoint, reputation, met.sealed))

    def _change(self, cache: str, change: Callable[[Reputation], Reputation]) -> None:
        known = self._known.get(cache)
        if known is not None:
            self._keep(cache, Known(known.endpoint, change(known.reputation), known.sealed))

    def _keep(self, address: str, known: Known) -> None:
        self._known[address] = known
        record = {
            "endpoint": known.endpoint,
            "reputation": asdict(known.reputation),
            "sealed": base64.b64encode(known.sealed).decode(),
        }
        self._state.save(KIND, address, json.dumps(record).encode())


def _read(record: bytes) -> Known:
    fields = json.loads(record)
    return Known(fields["endpoint"], Reputation(**fields["reputation"]), base64.b64decode(fields["sealed"]))
