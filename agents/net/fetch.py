"""Striped fetch: read from k of n slots in parallel, and code around whoever is slow, down or lying.

A stripe is the blocks of one index in k different slots; any k slots rebuild the rest. Stripes are fetched a window at
a time, one window ahead of the consumer, so memory is two windows whatever the size of the file.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agents.core.errors import PeerError
from agents.net.client import PeerClient
from agents.net.endpoint import Peer
from agents.net.errors import PeerBusy, PeerDown, PeerLied, PeerRefused, PeerSlow, TooFewPeers
from agents.net.messages import MAX_BLOCKS_PER_READ

MEMORY = 32 << 20
"""Bytes the two windows may hold."""

Stripe = list[tuple[int, bytes]]
"""k pairs (slot index, block), sorted by slot index."""


class SlotSource(Protocol):
    """Somewhere the verified blocks of one slot can be read."""

    @property
    def slot_index(self) -> int:
        """Which slot."""

    def blocks(self, start: int, count: int) -> AsyncIterator[bytes]:
        """Verified blocks; raises PeerError."""


@dataclass(frozen=True)
class PeerSlot:
    """A slot at one peer."""

    client: PeerClient
    peer: Peer
    manifest_digest: bytes
    slot_index: int
    digests: Sequence[bytes]
    block_bytes: int

    def blocks(self, start: int, count: int) -> AsyncIterator[bytes]:
        """Verified blocks; raises PeerError."""
        return self.client.fetch_blocks(
            self.peer, self.manifest_digest, self.slot_index, self.digests, self.block_bytes, start, count
        )


class ReplicatedSlot:
    """A slot that several peers hold: when one fails, or is given up for its slowness, the next goes on in its stead."""

    def __init__(self, sources: Sequence[SlotSource]) -> None:
        self.slot_index = sources[0].slot_index
        if any(source.slot_index != self.slot_index for source in sources):
            raise ValueError("sources of several slots")
        self._sources = list(sources)

    @property
    def sources(self) -> Sequence[SlotSource]:
        """The peers, whoever is asked next first."""
        return tuple(self._sources)

    async def blocks(self, start: int, count: int) -> AsyncGenerator[bytes, None]:
        """Verified blocks; raises PeerError once every peer has failed: one that may recover, if there is any."""
        faults: list[PeerError] = []
        done = 0
        for source in list(self._sources):
            try:
                async for block in source.blocks(start + done, count - done):
                    done += 1
                    yield block
                return
            except PeerError as fault:
                faults.append(fault)
                self._demote(source)
            except asyncio.CancelledError:
                self._demote(source)
                raise
        raise next((fault for fault in faults if _may_recover(fault)), faults[0])

    def _demote(self, source: SlotSource) -> None:
        self._sources.remove(source)
        self._sources.append(source)


@dataclass(frozen=True)
class FetchPolicy:
    """When to give up on a source."""

    patience: float = 5.0
    """Seconds a window may take before spares are asked as well; the quickest k win."""
    rounds: int = 3
    """How often, for one window, sources that were down or slow are tried again once no fresh one is left."""
    pause: float = 1.0
    """Seconds before such a round."""
    memory: int = MEMORY


@dataclass
class _Pool:
    """The sources in order of preference, and what became of those that failed."""

    ready: list[SlotSource]
    failed: dict[int, tuple[SlotSource, PeerError]] = field(default_factory=dict)
    rounds: int = 0

    def fail(self, source: SlotSource, fault: PeerError) -> None:
        self.ready.remove(source)
        self.failed[source.slot_index] = (source, fault)

    def demote(self, source: SlotSource) -> None:
        if source in self.ready:
            self.ready.remove(source)
            self.ready.append(source)

    def revive(self) -> bool:
        """Gives sources that may recover another chance; False if there are none."""
        again = [index for index, (_, fault) in self.failed.items() if _may_recover(fault)]
        self.ready += [self.failed.pop(index)[0] for index in again]
        return bool(again)

    def faults(self) -> dict[int, PeerError]:
        return {index: fault for index, (_, fault) in self.failed.items()}


def _may_recover(fault: PeerError) -> bool:
    if isinstance(fault, PeerRefused):
        return isinstance(fault, PeerBusy)
    return isinstance(fault, PeerDown | PeerSlow) and not isinstance(fault, PeerLied)


async def fetch_any_k(
    sources: Sequence[SlotSource],
    k: int,
    block_count: int,
    block_bytes: int,
    *,
    start: int = 0,
    policy: FetchPolicy | None = None,
    on_fault: Callable[[int, PeerError], None] = lambda slot_index, fault: None,
) -> AsyncGenerator[Stripe, None]:
    """Stripes ``start`` to ``block_count - 1``, in order, each of k (slot index, verified block).

    ``sources``: at most one a slot, the preferred ones (the systematic slots) first; which k answer may change from
    window to window. ``on_fault`` hears of every source that fails. Close the iterator (contextlib.aclosing) to stop
    early. Raises TooFewPeers.
    """
    if len({source.slot_index for source in sources}) != len(sources):
        raise ValueError("two sources of one slot")
    policy = policy or FetchPolicy()
    pool = _Pool(list(sources))
    window = min(max(1, policy.memory // (3 * k * block_bytes)), MAX_BLOCKS_PER_READ)  # k spares may be under way too
    firsts = range(start, block_count, window)

    async def fetched(first: int) -> list[Stripe]:
        return await _window(pool, k, first, min(window, block_count - first), policy, on_fault)

    ahead = asyncio.create_task(fetched(firsts[0])) if firsts else None
    try:
        for position in range(len(firsts)):
            assert ahead is not None
            stripes = await ahead
            ahead = asyncio.create_task(fetched(firsts[position + 1])) if position + 1 < len(firsts) else None
            stripes.reverse()
            while stripes:
                yield stripes.pop()
    finally:
        if ahead is not None:
            ahead.cancel()
            with contextlib.suppress(asyncio.CancelledError, PeerError):
                await ahead


async def _window(
    pool: _Pool,
    k: int,
    first: int,
    count: int,
    policy: FetchPolicy,
    on_fault: Callable[[int, PeerError], None],
) -> list[Stripe]:
    """Stripes ``first`` to ``first + count - 1`` from whichever k sources are quickest."""
    begun = time.monotonic()
    done: dict[int, list[bytes]] = {}
    running: dict[asyncio.Task[list[bytes]], SlotSource] = {}

    def launch(wanted: int) -> None:
        """Starts sources until ``wanted`` more windows are under way, as far as there are any."""
        busy = {source.slot_index for source in running.values()} | set(done)
        for source in [source for source in pool.ready if source.slot_index not in busy]:
            if len(running) >= wanted:
                return
            running[asyncio.create_task(_collected(source, first, count))] = source

    launch(k)
    late = False
    try:
        while len(done) < k:
            if not running:
                await _another_round(pool, k, policy)
                launch(k - len(done))
            left = None if late else max(0.0, begun + policy.patience - time.monotonic())
            ended, _ = await asyncio.wait(running, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                source = running.pop(task)
                try:
                    done[source.slot_index] = task.result()
                except PeerError as fault:
                    pool.fail(source, fault)
                    on_fault(source.slot_index, fault)
            missing = k - len(done)
            if not ended and not late:
                late = True
                launch(len(running) + missing)
            else:
                launch(missing)
        pool.rounds = 0
        for source in running.values():
            pool.demote(source)
    finally:
        await _dismissed(list(running))
    slots = sorted(done)[:k]
    return [[(slot_index, done[slot_index][row]) for slot_index in slots] for row in range(count)]


async def _another_round(pool: _Pool, k: int, policy: FetchPolicy) -> None:
    if pool.rounds >= policy.rounds or len(pool.ready) + len(pool.failed) < k:
        raise TooFewPeers(k, pool.faults())
    pool.rounds += 1
    await asyncio.sleep(policy.pause * pool.rounds)
    if not pool.revive():
        raise TooFewPeers(k, pool.faults())


async def _collected(source: SlotSource, first: int, count: int) -> list[bytes]:
    return [block async for block in source.blocks(first, count)]


async def _dismissed(tasks: list[asyncio.Task[list[bytes]]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)
