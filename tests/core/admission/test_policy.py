"""What is admitted, what is remembered, and what is evicted."""

import pytest

from agents.core.admission.eviction import Lru
from agents.core.admission.policy import Counts, Decision, Everything, Found, Static
from agents.core.admission.seen import FALSE, Seen


def test_lru_admits_everything() -> None:
    assert Everything().request("a", 1, Found.ORIGIN) == Decision(hot=True, disk=True)


def test_an_expert_promotes_on_the_fth_request_of_objects_smaller_than_s() -> None:
    policy = Static(3, 100)
    assert [policy.request("small", 99, Found.ORIGIN).hot for _ in range(4)] == [False, False, True, True]
    assert [policy.request("large", 100, Found.DISK).hot for _ in range(4)] == [False] * 4


def test_counts_are_of_bounded_number() -> None:
    counts = Counts(limit=2)
    assert [counts.add(key) for key in "aabcab"] == [1, 2, 1, 1, 1, 1]


def test_the_least_recently_used_is_evicted() -> None:
    order = Lru()
    for key in "abc":
        order.added(key, 1)
    order.used("a")
    order.removed("c")
    assert [order.evict(), order.evict()] == ["b", "a"]
    with pytest.raises(KeyError):
        order.evict()


def test_what_was_requested_is_known_and_what_was_not_hardly_ever_is() -> None:
    seen = Seen(10_000)
    names = [number.to_bytes(4, "big") for number in range(40_000)]
    assert sum(seen.add(name) for name in names[:10_000]) <= 10_000 * FALSE * 2
    assert all(seen.add(name) for name in names[:10_000])
    for name in names[10_000:]:
        seen.add(name)
    assert all(seen.add(name) for name in names[-10_000:])
    assert sum(seen.add(name) for name in names[:1_000]) < 50, "what was long ago is forgotten"
