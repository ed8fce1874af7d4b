"""S3-FIFO as a live cache uses it, against the kernel that simulates it."""

import pytest

from agents.core.admission.s3fifo import S3Fifo
from agents.core.errors import Misuse
from agents.kernels.caches import HIT, level
from tests.kernels.slow_caches import mix
from tests.kernels.test_caches import everything


def live(objects: list[int], sizes: list[int], capacity: int) -> list[bool]:
    """Hits of a cache that is never above ``capacity``, and evicts what the order says."""
    order, kept, hits = S3Fifo(capacity), dict[int, int](), []
    for thing in objects:
        hits.append(thing in kept)
        if thing in kept:
            order.used(thing)
            continue
        if sizes[thing] > capacity // 10:
            continue
        while sum(kept.values()) + sizes[thing] > capacity:
            gone = order.evict()
            assert isinstance(gone, int)
            del kept[gone]
        kept[thing] = sizes[thing]
        order.added(thing, sizes[thing])
    return hits


@pytest.mark.parametrize("largest", [1, 40])
def test_it_hits_what_the_simulation_hits(largest: int) -> None:
    objects, sizes = mix(3, 8000, 800, largest)
    capacity = int(sizes.sum()) // 10
    simulated = level("s3fifo", 800, capacity).replay(objects, sizes, everything(objects)) == HIT
    ours = live(objects.tolist(), sizes.tolist(), capacity)
    # The kernel knows a ghost before it makes room for it, a live cache after it.
    assert sum(one != other for one, other in zip(ours, simulated.tolist(), strict=True)) < 0.01 * len(ours)
    assert abs(sum(ours) - int(simulated.sum())) < 0.002 * len(ours)


def filled() -> S3Fifo:
    """A small queue of one, a main one of nine, and ``old`` a ghost."""
    order = S3Fifo(10)
    for key in ("old", *"abcdefghi"):
        order.added(key, 1)
    assert order.evict() == "old"
    return order


def test_what_is_asked_for_once_goes_first_and_comes_back_to_the_main_queue() -> None:
    order = filled()
    order.added("new", 1)
    assert order.evict() == "new"
    order.added("old", 1)  # a ghost: the main queue has ten now, one too many
    assert order.evict() == "a"


def test_what_is_wanted_moves_on_and_what_is_removed_is_gone() -> None:
    order = filled()
    order.added("new", 1)
    for _ in range(2):
        order.used("new")
    order.used("a")
    order.removed("b")
    order.removed("new")
    order.added("new", 1)
    for _ in range(2):
        order.used("new")
    assert [order.evict() for _ in range(9)] == [*"cdefghi", "new", "a"]
    with pytest.raises(KeyError):
        order.evict()


def test_ghosts_are_forgotten() -> None:
    order = S3Fifo(10)
    for key in range(100):
        order.added(key, 1)
        if key >= 10:
            order.evict()
    assert len(order._ghosts) == 9


def test_no_room_is_refused() -> None:
    with pytest.raises(Misuse):
        S3Fifo(0)
