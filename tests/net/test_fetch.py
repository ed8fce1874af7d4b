"""Striped fetch: any k of n, around peers that are down, slow, lying or gone half-way; bounded memory."""

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import pytest

from agents.core.errors import PeerError
from agents.net.client import PeerClient
from agents.net.errors import PeerCorrupt, PeerDown, TooFewPeers
from agents.net.fetch import FetchPolicy, PeerSlot, ReplicatedSlot, SlotSource, Stripe, fetch_any_k

from .peers import BLOCK, MARKET, MemoryHost, Slot, all_of, serving

COUNT = 24
QUICK = FetchPolicy(patience=1.0, pause=0.01, memory=3 * 3 * BLOCK * 4)  # windows of four stripes


@dataclass(frozen=True)
class LocalSlot:
    """A slot at hand: ``read(start, count)`` gives its verified blocks."""

    slot_index: int
    read: Callable[[int, int], AsyncIterator[bytes]]

    def blocks(self, start: int, count: int) -> AsyncIterator[bytes]:
        return self.read(start, count)


def _held(index: int, log: list[tuple[int, int]] | None = None) -> LocalSlot:
    slot = Slot(index, COUNT)

    async def read(start: int, count: int) -> AsyncIterator[bytes]:
        if log is not None:
            log.append((index, start))
        for block in slot.blocks[start : start + count]:
            yield block

    return LocalSlot(index, read)


def _failing(index: int, fault: PeerError, after: int = 0, times: int = 10**9) -> LocalSlot:
    slot, left = Slot(index, COUNT), [times]

    async def read(start: int, count: int) -> AsyncIterator[bytes]:
        for number, block in enumerate(slot.blocks[start : start + count], start):
            if number >= after and left[0] > 0:
                left[0] -= 1
                raise fault
            yield block

    return LocalSlot(index, read)


def _hanging(index: int) -> LocalSlot:
    async def read(start: int, count: int) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    return LocalSlot(index, read)


async def _all(sources: Sequence[SlotSource], k: int = 3, start: int = 0) -> list[Stripe]:
    return [stripe async for stripe in fetch_any_k(sources, k, COUNT, BLOCK, start=start, policy=QUICK)]


def _good(stripes: list[Stripe], k: int = 3, start: int = 0) -> bool:
    slots = {index: Slot(index, COUNT).blocks for index in range(6)}
    return len(stripes) == COUNT - start and all(
        len({index for index, _ in stripe}) == k and all(slots[index][row] == block for index, block in stripe)
        for row, stripe in enumerate(stripes, start)
    )


def test_the_preferred_slots_suffice() -> None:
    log: list[tuple[int, int]] = []
    stripes = asyncio.run(_all([_held(index, log) for index in range(5)]))
    assert _good(stripes)
    assert {index for index, _ in log} == {0, 1, 2}


def test_a_fetch_starts_where_an_earlier_one_stopped() -> None:
    assert _good(asyncio.run(_all([_held(index) for index in range(5)], start=10)), start=10)


@pytest.mark.parametrize(
    "bad",
    [
        _failing(1, PeerDown("http://b", "cannot be reached")),
        _failing(1, PeerCorrupt("http://b", "sends corrupt data")),
        _failing(1, PeerDown("http://b", "stopped in the middle"), after=9),
        _hanging(1),
    ],
    ids=["down", "corrupt", "gone half-way", "hanging"],
)
def test_one_bad_source_is_coded_around(bad: LocalSlot) -> None:
    assert _good(asyncio.run(_all([_held(0), bad, _held(2), _held(3)])))


def test_a_source_that_was_down_for_a_moment_is_tried_again() -> None:
    flaky = _failing(1, PeerDown("http://b", "cut the connection"), after=9, times=2)
    assert _good(asyncio.run(_all([_held(0), flaky, _held(2)])))


def test_another_host_of_the_same_slot_goes_on() -> None:
    two = ReplicatedSlot([_failing(1, PeerCorrupt("http://b", "sends corrupt data"), after=9), _held(1)])
    assert _good(asyncio.run(_all([_held(0), two, _held(2)])))


def test_a_host_given_up_for_its_slowness_is_not_asked_first_again() -> None:
    two = ReplicatedSlot([_hanging(1), _held(1)])

    async def story() -> list[bytes]:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await all_of(two.blocks(0, COUNT))
        async with asyncio.timeout(30):
            return await all_of(two.blocks(0, COUNT))

    assert asyncio.run(story()) == Slot(1, COUNT).blocks


def test_a_slot_whose_hosts_all_fail_may_recover_if_one_may() -> None:
    lies = _failing(1, PeerCorrupt("http://b", "sends corrupt data"))
    down = _failing(1, PeerDown("http://c", "cannot be reached"), times=2)
    assert _good(asyncio.run(_all([_held(0), ReplicatedSlot([lies, down]), _held(2)])))


def test_too_few_sources_name_every_fault() -> None:
    lies = _failing(1, PeerCorrupt("http://b", "sends corrupt data"))
    with pytest.raises(TooFewPeers, match="Fewer than 3 slots can be read: slot 1: http://b sends corrupt data"):
        asyncio.run(_all([_held(0), lies, _held(2)]))
    with pytest.raises(TooFewPeers, match="Fewer than 3 slots"):
        asyncio.run(_all([_held(0), _held(2)]))


def test_memory_is_bounded_whatever_the_size() -> None:
    block_bytes, count = 1 << 16, 4096
    policy = FetchPolicy(memory=4 << 20)

    async def read(start: int, wanted: int) -> AsyncIterator[bytes]:
        for _ in range(wanted):
            yield bytes(block_bytes)

    async def story() -> int:
        sources = [LocalSlot(index, read) for index in range(4)]
        tracemalloc.start()
        try:
            seen = 0
            async for stripe in fetch_any_k(sources, 2, count, block_bytes, policy=policy):
                seen += len(stripe)
            assert seen == 2 * count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert asyncio.run(story()) < 8 << 20  # of 512 MiB that went through


def test_three_of_four_hosts_over_sockets_one_stopped_half_way() -> None:
    async def story() -> None:
        hosts = [MemoryHost(Slot(index, COUNT), holds=True) for index in range(4)]
        async with contextlib.AsyncExitStack() as stack:
            ends = [contextlib.AsyncExitStack() for _ in hosts]
            peers = [await end.enter_async_context(serving(host)) for end, host in zip(ends, hosts, strict=True)]
            for end in ends:
                await stack.enter_async_context(end)
            client = await stack.enter_async_context(PeerClient(MARKET))
            sources = [
                PeerSlot(client, peer, host.digest, host.slot.index, host.slot.digests, BLOCK)
                for peer, host in zip(peers, hosts, strict=True)
            ]
            faults: list[int] = []
            stripes: list[Stripe] = []
            fetched = fetch_any_k(
                sources, 3, COUNT, BLOCK, policy=QUICK, on_fault=lambda index, fault: faults.append(index)
            )
            async with contextlib.aclosing(fetched):
                async for stripe in fetched:
                    stripes.append(stripe)
                    if len(stripes) == 4:
                        await ends[1].aclose()
        assert _good(stripes)
        assert set(faults) == {1}

    asyncio.run(story())
