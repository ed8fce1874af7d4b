"""Hot objects, single flights and the index of blocks, each by itself."""

import asyncio
import random
from typing import Any

import pytest

from agents.core.admission.eviction import Lru
from agents.core.admission.experts import EXPERTS
from agents.core.admission.model import Model
from agents.core.admission.online import Darwin
from agents.core.admission.policy import Static
from agents.core.admission.s3fifo import S3Fifo
from agents.core.dataset.segments import Digests
from agents.core.errors import Misuse
from agents.roles.caching.athand import AtHand, Listing
from agents.roles.caching.flight import SingleFlight
from agents.roles.caching.hot import OVERHEAD, HotCache
from agents.roles.caching.places import BlockIndex
from agents.roles.caching.policies import Policy, Wanted, policy_of
from tests.core.admission.models import features, knowing


def test_hot_objects_stay_within_their_budget_and_what_is_lent_stays_as_it_is() -> None:
    cache = HotCache(3 * (1000 + OVERHEAD))
    for number in range(5):
        assert cache.put(("a", number), memoryview(bytes([number]) * 1000))
        lent = cache.get(("a", 0))
        assert cache.used <= cache.budget
    assert lent is not None and bytes(lent) == bytes(1000)
    assert sorted(cache.keys) == [("a", 0), ("a", 3), ("a", 4)] and cache.evicted == 2
    assert not cache.put("too large", memoryview(bytes(cache.budget)))
    assert len(cache) == 3


def test_a_flight_is_shared_its_error_too_and_ends_when_nobody_waits() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    begun = ended = 0

    async def work() -> int:
        nonlocal begun, ended
        begun += 1
        try:
            await asyncio.sleep(3600 if begun == 2 else 0)
        finally:
            ended += 1
        raise LookupError(str(begun))

    async def story() -> None:
        results = await asyncio.gather(*(flights.run("a", work) for _ in range(5)), return_exceptions=True)
        assert begun == 1 and [str(error) for error in results] == ["1"] * 5
        waiting = [asyncio.create_task(flights.run("a", work)) for _ in range(3)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.sleep(0)
        assert (begun, ended, len(flights)) == (2, 2, 0)
        with pytest.raises(LookupError, match="3"):
            await flights.run("a", work)

    asyncio.run(story())


def test_blocks_are_found_where_they_stand_until_their_list_is_forgotten() -> None:
    source, index = random.Random(5), BlockIndex()
    lists = [[source.randbytes(32) for _ in range(source.randrange(1, 90))] for _ in range(60)]
    for name, digests in enumerate(lists):
        index.add(name, Digests.of(digests))
    both = source.randbytes(32)
    index.add("x", Digests.of([both]))
    index.add("y", Digests.of([bytes(32), both]))
    for name, digests in enumerate(lists):
        assert all(index.find(digest) == [(name, place)] for place, digest in enumerate(digests))
    assert sorted(index.find(both)) == [("x", 0), ("y", 1)]
    assert index.find(b"\1" * 32) == []
    index.forget("x")
    index.forget(0)
    assert index.find(both) == [("y", 1)] and index.find(lists[0][0]) == []
    assert all(index.find(digests[-1]) for digests in lists[1:])


def test_lists_at_hand_are_of_bounded_number() -> None:
    source, at_hand = random.Random(6), AtHand(limit=100)
    lists = [Digests(source.randbytes(32 * 30)) for _ in range(6)]
    for slot, listed in enumerate(lists):
        at_hand.put_list(Listing(b"d", slot), listed, 20)
        assert at_hand.listed(Listing(b"d", 0)) is not None, "it is in use"
        assert at_hand.room >= 0
    assert [slot for slot in range(6) if at_hand.listed(Listing(b"d", slot)) is not None] == [0, 4, 5]
    assert at_hand.listings(lists[4][19]) == [(Listing(b"d", 4), 19)]
    assert at_hand.listings(lists[4][20]) == [], "that is not a block of the file"
    assert at_hand.listings(lists[3][0]) == []


def model() -> Model:
    return knowing([features(0.5)], [[3]])


def named(text: str, **more: Any) -> Policy:
    return policy_of(Wanted(text, **more), model)


def test_policies_are_known_by_name() -> None:
    expert = named("static:3,500KiB").admission(1)
    assert isinstance(expert, Static) and (expert.frequency, expert.size) == (3, 500 * 1024)
    assert isinstance(named("s3fifo").order(1 << 20), S3Fifo) and isinstance(named("lru").order(1 << 20), Lru)
    darwin = named("darwin", objective="bytes", epoch=500).admission(1 << 20)
    assert isinstance(darwin, Darwin) and darwin.expert == EXPERTS[3]
    for text in ("", "lru:1", "static", "static:1", "static:1,2,3", "static:x,1KiB", "static:1,much", "darwin:1"):
        with pytest.raises(Misuse, match=r"static:3,500KiB"):
            named(text)
    for wrong in ({"objective": "joy"}, {"epoch": 1}):
        with pytest.raises(Misuse):
            named("darwin", **wrong)
