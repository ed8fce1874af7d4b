"""The event cursor: every event of a market once and in order, across restarts and reorganisations.

It follows (number, hash, parent) itself and never trusts a node to announce removed logs. What it hands out carries
the position after it: a consumer that stores its own state and that position together misses nothing and sees nothing
twice.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from agents.chain.blocks import BlockRef, Header, header_of, headers_of
from agents.chain.codec import checksummed
from agents.chain.logs import Decoder, MarketEvent
from agents.chain.rpc import Rpc, RpcError, longer, quantity, unhex
from agents.core.errors import ChainError, ChainLies, ChainUnavailable

log = logging.getLogger(__name__)

MEMORY = 256
"""Blocks remembered by hash, so the depth of reorg that is rolled back exactly; deeper ones start over."""

SPAN = 2048
"""Blocks asked for at once to begin with; adapts to what the endpoint allows."""

WIDEST = 16_384
"""Blocks asked for at once at most."""

NEAR = 256
"""Ranges up to this long are checked header by header; longer ones, deep in the past, only where there are logs."""


@dataclass(frozen=True)
class Position:
    """How far the cursor is: the blocks it remembers, oldest first."""

    refs: tuple[BlockRef, ...]

    @property
    def head(self) -> BlockRef:
        """The newest block whose events were handed out."""
        return self.refs[-1]


@dataclass(frozen=True)
class Batch:
    """Events of consecutive blocks up to ``head``, in order; none where nothing happened, as a tick of the clock."""

    events: tuple[MarketEvent, ...]
    head: BlockRef
    timestamp: int
    """Of ``head``."""
    position: Position
    caught_up: bool
    """Whether ``head`` was the newest block to hand out: otherwise this is the past, and more of it is to come."""


@dataclass(frozen=True)
class Reorged:
    """Every event after block ``to_block`` handed out so far is void."""

    to_block: int
    position: Position | None
    """None if nothing is left: the cursor starts over at its first block."""


Step = Batch | Reorged


class _Moved(Exception):
    """The chain changed between two answers: look again."""


class EventCursor:
    """Follows the logs of ``addresses`` from ``first_block``, staying ``confirmations`` blocks behind the newest."""

    def __init__(
        self,
        rpc: Rpc,
        addresses: Sequence[str],
        decoder: Decoder,
        first_block: int,
        *,
        position: Position | None = None,
        confirmations: int = 0,
        poll: float = 0.5,
    ) -> None:
        self.position = position
        self._rpc = rpc
        self._addresses = [checksummed(address) for address in addresses]
        self._decoder = decoder
        self._first = first_block
        self._confirmations = confirmations
        self._poll = poll
        self._span = SPAN

    async def follow(self) -> AsyncIterator[Step]:
        """Steps for ever, waiting for blocks; an endpoint that is down, errs or contradicts itself is waited for too.

        What it contradicts itself in is never handed out, and a node that lags behind its siblings looks just so.
        """
        pause = self._poll
        while True:
            try:
                step = await self.advance()
                pause = self._poll
            except ChainError as error:
                log.warning("waiting for the chain: %s", error)
                step = None
                pause = longer(pause)
            if step is None:
                await asyncio.sleep(pause)
            else:
                yield step

    async def catch_up(self) -> AsyncIterator[Step]:
        """Steps until nothing is new. Raises ChainUnavailable, ChainLies, RpcError."""
        while (step := await self.advance()) is not None:
            yield step

    async def advance(self) -> Step | None:
        """The next step, or None if nothing is new. Raises ChainUnavailable, ChainLies, RpcError."""
        for _ in range(10):
            try:
                return await self._advance()
            except _Moved:
                await asyncio.sleep(self._poll / 5)
        raise ChainLies("The RPC's blocks and logs contradict one another", "ten times in a row", "Use another RPC.")

    async def _advance(self) -> Step | None:
        tip = await self._rpc.block_number()
        if self.position is not None:
            reorged = await self._reorged(tip)
            if reorged is not None:
                return reorged
        start = self._first if self.position is None else self.position.head.number + 1
        stop = min(tip - self._confirmations, start + self._span - 1)
        if stop < start:
            return None
        try:
            return await self._batch(start, stop, stop == tip - self._confirmations)
        except (RpcError, ChainUnavailable) as error:
            if self._span == 1 or stop == start:
                raise
            # Endpoints limit the blocks or the logs of one answer, each with words of its own: halve whatever it says.
            self._span = max(1, (stop - start + 1) // 2)
            log.info("asking for %d blocks at a time: %s", self._span, error)
            raise _Moved from None

    async def _reorged(self, tip: int) -> Reorged | None:
        """The roll-back to the newest block remembered that is still in the chain; None if that is the newest one."""
        assert self.position is not None
        refs = self.position.refs
        below = [ref for ref in refs if ref.number <= tip]
        if below:
            header = await header_of(self._rpc, below[-1].number)
            if header is None:
                raise _Moved
            if header.hash == below[-1].hash:
                # Where the node is merely behind what it said before, nothing is void: wait for it.
                return None
        kept = await self._canonical(below)
        to_block = kept[-1].number if kept else self._first - 1
        log.warning("reorg: rolled back from block %d to %d", refs[-1].number, to_block)
        self.position = Position(tuple(kept)) if kept else None
        return Reorged(to_block, self.position)

    async def _canonical(self, refs: Sequence[BlockRef]) -> list[BlockRef]:
        headers = await headers_of(self._rpc, [ref.number for ref in refs])
        good = [header is not None and header.hash == ref.hash for ref, header in zip(refs, headers, strict=True)]
        newest = max((at for at, same in enumerate(good) if same), default=-1)
        return list(refs[: newest + 1])

    async def _batch(self, start: int, stop: int, caught_up: bool) -> Batch:
        # The last header first: if it still stands after the logs, they are of the history it closes.
        last = await self._header(stop)
        logs = await self._logs(start, stop)
        numbers = {quantity(entry.get("blockNumber")) for entry in logs}
        if any(number < start or number > stop for number in numbers):
            raise ChainLies("The RPC sent logs of blocks that were not asked for", "", "Use another RPC.")
        near = stop - start < NEAR
        wanted = range(start, stop + 1) if near else sorted({*numbers, start, *range(stop - MEMORY // 4, stop + 1)})
        headers = await self._headers(list(wanted))
        again = headers[stop]
        if again.hash != last.hash:
            raise _Moved
        self._check_links(headers)
        await self._check_blooms(headers, numbers)
        events = self._decode(logs, headers)
        remembered = self.position.refs if self.position else ()
        refs = (*remembered, *(headers[number].ref for number in sorted(headers)))[-MEMORY:]
        self.position = Position(refs)
        if stop - start + 1 == self._span:
            self._span = min(self._span * 2, WIDEST)
        return Batch(events, last.ref, last.timestamp, self.position, caught_up)

    async def _header(self, number: int) -> Header:
        header = await header_of(self._rpc, number)
        if header is None:
            raise _Moved
        return header

    async def _headers(self, numbers: list[int]) -> dict[int, Header]:
        found = await headers_of(self._rpc, numbers)
        headers = {}
        for number, header in zip(numbers, found, strict=True):
            if header is None:
                raise _Moved
            headers[number] = header
        return headers

    async def _logs(self, start: int, stop: int) -> list[dict[str, Any]]:
        asked = {"address": self._addresses, "fromBlock": hex(start), "toBlock": hex(stop)}
        found = await self._rpc.call("eth_getLogs", asked)
        return _as_logs(found)

    def _check_links(self, headers: dict[int, Header]) -> None:
        if self.position is not None:
            head = self.position.head
            child = headers.get(head.number + 1)
            if child is not None and child.parent != head.hash:
                raise _Moved
        for number, header in headers.items():
            parent = headers.get(number - 1)
            if parent is not None and header.parent != parent.hash:
                raise _Moved

    async def _check_blooms(self, headers: dict[int, Header], with_logs: set[int]) -> None:
        """Ask for the receipts of blocks whose bloom filter promises logs that eth_getLogs did not give."""
        for number, header in headers.items():
            if not any(header.may_log(address) for address in self._addresses):
                if number in with_logs:
                    raise ChainLies(f"The RPC invents logs of block {number}", "its bloom has none", "Use another RPC.")
            elif number not in with_logs:
                await self._check_receipts(header)

    async def _check_receipts(self, header: Header) -> None:
        try:
            receipts = await self._rpc.call("eth_getBlockReceipts", hex(header.number))
        except RpcError:
            return  # An endpoint without this method cannot be asked.
        ours = [
            entry
            for receipt in receipts or ()
            for entry in _as_logs(receipt.get("logs"))
            if checksummed(entry["address"]) in self._addresses
        ]
        if any(unhex(entry.get("blockHash")) != header.hash for entry in ours):
            raise _Moved
        if ours:
            raise ChainLies(
                f"The RPC withholds logs of block {header.number}",
                "the block's receipts hold events of this market that eth_getLogs left out",
                "Use another RPC.",
            )

    def _decode(self, logs: list[dict[str, Any]], headers: dict[int, Header]) -> tuple[MarketEvent, ...]:
        ordered = sorted(logs, key=lambda entry: (quantity(entry["blockNumber"]), quantity(entry.get("logIndex"))))
        events = []
        seen = set()
        for entry in ordered:
            header = headers[quantity(entry["blockNumber"])]
            if unhex(entry.get("blockHash"), 32) != header.hash:
                raise _Moved
            place = (header.number, quantity(entry.get("logIndex")))
            if place in seen or checksummed(entry["address"]) not in self._addresses:
                raise ChainLies(f"The RPC sent stray logs of block {header.number}", "", "Use another RPC.")
            seen.add(place)
            event = self._decoder(entry, header)
            if event is not None:
                events.append(event)
        return tuple(events)


def _as_logs(found: Any) -> list[dict[str, Any]]:
    shaped = isinstance(found, list) and all(isinstance(entry, dict) and "address" in entry for entry in found)
    if not shaped:
        raise ChainLies("The RPC sent malformed logs", repr(found)[:80], "Use another RPC.")
    return list(found)
