"""Levels of a cache: each kernel against a slow one, and against other people's where those are installed."""

from typing import Any

import libcachesim
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.core.errors import Misuse
from agents.kernels import caches
from agents.kernels.caches import HIT, KEPT, MISSED, OFFERED, ORDERS, level, memory
from tests.kernels import slow_caches as slow

EXPECTED = 1024


def slow_level(order: str, capacity: int) -> slow.Slow:
    if order == "wtinylfu":
        return slow.SlowTinyLfu(capacity, EXPECTED)
    return {"lru": slow.SlowLru, "sieve": slow.SlowSieve, "s3fifo": slow.SlowS3Fifo}[order](capacity)


def everything(objects: Any) -> Any:
    return np.full(len(objects), OFFERED, dtype=np.uint8)


@pytest.mark.parametrize("order", ORDERS)
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    things=st.integers(1, 400),
    capacity=st.integers(1, 4000),
    largest=st.sampled_from([1, 20, 300]),
)
@example(seed=1, things=300, capacity=100, largest=1)
def test_a_level_is_the_slow_one(order: str, seed: int, things: int, capacity: int, largest: int) -> None:
    objects, sizes = slow.mix(seed, 600, things, largest)
    asked = np.random.default_rng(seed).choice(np.array([0, 1, 2, 2, 2, 2], dtype=np.uint8), len(objects))
    fast, reference = level(order, things, capacity, EXPECTED), slow_level(order, capacity)
    for part in np.split(np.arange(len(objects)), [100, 101, 350]):  # the state goes from call to call
        found = fast.replay(objects[part], sizes, asked[part])
        assert found.tolist() == reference.replay(objects[part].tolist(), sizes.tolist(), asked[part].tolist())
        assert fast.used == reference.used <= capacity


def theirs(order: str, objects: Any, sizes: Any, capacity: int) -> Any:
    """Hits by libcachesim."""
    kinds = {"lru": "LRU", "sieve": "Sieve", "s3fifo": "S3FIFO", "wtinylfu": "WTinyLFU"}
    cache = getattr(libcachesim, kinds[order])(capacity, hashpower=16)
    requests = (libcachesim.Request(obj_id=thing + 1, obj_size=int(sizes[thing])) for thing in objects.tolist())
    return np.array([cache.get(request) for request in requests])


@pytest.mark.parametrize("largest", [1, 50])
@pytest.mark.parametrize("order", ORDERS)
def test_a_level_is_libcachesims(order: str, largest: int) -> None:
    objects, sizes = slow.mix(2, 20_000, 3000, largest)
    capacity = int(sizes.sum()) // 10
    hits = level(order, 3000, capacity, 400).replay(objects, sizes, everything(objects)) == HIT
    oracle = theirs(order, objects, sizes, capacity)
    if order == "wtinylfu":  # another sketch, and other rules where sizes differ
        assert abs(hits.mean() - oracle.mean()) < 0.02
    else:
        assert hits.tolist() == oracle.tolist()


def test_a_sketch_is_halved_in_time() -> None:
    objects, sizes = slow.mix(5, 12_000, 300, 9)
    fast, reference = level("wtinylfu", 300, 150, EXPECTED), slow_level("wtinylfu", 150)
    found = fast.replay(objects, sizes, everything(objects))
    assert len(objects) > caches.SAMPLES * EXPECTED
    assert found.tolist() == reference.replay(objects.tolist(), sizes.tolist(), [OFFERED] * len(objects))


@pytest.mark.parametrize("order", ORDERS)
def test_a_copy_goes_its_own_way(order: str) -> None:
    objects, sizes = slow.mix(1, 2000, 300, 50)
    first = level(order, 300, 1000, EXPECTED)
    first.replay(objects[:1000], sizes, everything(objects[:1000]))
    second = first.copy()
    one, other = (each.replay(objects[1000:], sizes, everything(objects[1000:])) for each in (first, second))
    assert one.tolist() == other.tolist() and HIT in one and KEPT in one


def test_what_is_larger_than_a_level_is_not_kept() -> None:
    objects, sizes = np.zeros(3, dtype=np.int32), np.array([11], dtype=np.int64)
    for order in ORDERS:
        assert level(order, 1, 10).replay(objects, sizes, everything(objects)).tolist() == [MISSED] * 3
    assert level("lru", 1, 11).replay(objects, sizes, everything(objects)).tolist() == [KEPT, HIT, HIT]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), things=st.integers(1, 400), limit=st.integers(1, 300), room=st.integers(1, 300))
def test_what_is_remembered_is_what_the_slow_one_does(seed: int, things: int, limit: int, room: int) -> None:
    objects, _ = slow.mix(seed, 800, things, 9)
    fast = memory(things, limit, room)
    parts = [fast.recall(part) for part in np.split(objects, [1, 300])]
    ordinals, known = (np.concatenate(each) for each in zip(*parts, strict=True))
    assert ordinals.tolist() == slow.counted(objects.tolist(), limit)
    truth = np.array(slow.recognised(objects.tolist(), room))
    if room >= 100:  # a smaller filter rounds up to a line of the CPU's cache, and its mistakes move the generations
        assert (known != truth).mean() < 0.02
    assert known[0] == 0


def test_a_known_object_is_never_taken_for_a_new_one() -> None:
    rng = np.random.default_rng(3)
    new = rng.permutation(60_000).astype(np.int32)
    fast = memory(60_000, 10, 60_001)
    _, first = fast.recall(new)
    _, again = fast.recall(rng.permutation(new))
    assert first.mean() < 0.002
    assert again.all()


def test_nonsense_is_refused() -> None:
    with pytest.raises(Misuse, match="no order of eviction named 'mru'"):
        level("mru", 1, 1)
    with pytest.raises(Misuse, match="0 bytes"):
        level("lru", 1, 0)
    with pytest.raises(Misuse, match="remembers nothing"):
        memory(1, 0, 1)
