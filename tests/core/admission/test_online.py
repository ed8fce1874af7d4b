"""Darwin as a live cache asks it: request by request, with windows that are gone through beside."""

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agents.core.admission.controller import Controller, Lengths, Rules, Stage
from agents.core.admission.eviction import Lru
from agents.core.admission.experts import EXPERTS, Expert
from agents.core.admission.online import Darwin
from agents.core.admission.policy import Found, Learning
from agents.core.admission.windows import Window
from tests.core.admission.models import features, knowing

KB = 1_000
LENGTHS = Lengths(epoch=2_000, window=100, warm_up=100, history=250, lead=250)


@dataclass
class Written:
    """A controller that writes down what it is shown, and puts the next expert in force."""

    lengths: Lengths = LENGTHS
    seen: list[Window] = field(default_factory=list)

    def begin(self) -> Any:
        return 0

    def expert(self, state: Any) -> Expert:
        return EXPERTS[state]

    def step(self, state: Any, seen: Window) -> Any:
        self.seen.append(seen)
        return state + 1


def traffic(count: int, seed: int = 1) -> list[tuple[str, int]]:
    """Requests for some small objects again and again, and for large ones once."""
    source = random.Random(seed)
    small = [(f"small {number}", 5 * KB + number) for number in range(20)]
    return [source.choice(small) if source.random() < 0.5 else (f"large {at}", 800 * KB) for at in range(count)]


def test_windows_have_the_requests_and_those_before_them() -> None:
    written = Written()
    policy: Any = Darwin(written, 1 << 20)  # type: ignore[arg-type]
    assert isinstance(policy, Learning)
    requests = traffic(700)
    for key, size in requests:
        found = Found.HOT if key == "small 3" else Found.ORIGIN
        policy.request(key, size, found)
        work = policy.due()
        if work:
            work()
    assert [len(seen.sizes) for seen in written.seen] == [100, 200, 300, 350, 350, 350, 350]
    for number, seen in enumerate(written.seen, start=1):
        first = 100 * number - len(seen.sizes)
        part = requests[first : 100 * number]
        assert seen.sizes.tolist() == [size for _, size in part] and seen.first == len(part) - 100
        assert seen.times.tolist() == list(range(first, 100 * number))
        names = [key for key, _ in part]
        assert all((names[a] == names[b]) == (seen.objects[a] == seen.objects[b]) for a, b in _pairs(len(part)))
        assert seen.ordinals.tolist() == [
            [key for key, _ in requests[: first + at + 1]].count(name) for at, name in enumerate(names)
        ]
        half = requests[100 * number - 50 : 100 * number]
        assert seen.counted.requests == 50 and seen.counted.size == sum(size for _, size in half)
        assert seen.counted.hot == sum(key == "small 3" for key, _ in half)
        assert seen.counted.origin_bytes == sum(size for key, size in half if key != "small 3")


def _pairs(count: int) -> list[tuple[int, int]]:
    source = random.Random(count)
    return [(source.randrange(count), source.randrange(count)) for _ in range(200)]


def test_the_expert_in_force_decides_until_a_window_was_gone_through() -> None:
    written = Written()
    policy = Darwin(written, 1 << 20)  # type: ignore[arg-type]
    first, second = EXPERTS[0], EXPERTS[1]
    for _ in range(2 * LENGTHS.window):
        policy.request("one", 1, Found.ORIGIN)
    assert policy.expert == first
    work = policy.due()
    assert work is not None and policy.due() is None
    work()
    assert policy.expert == second and len(written.seen) == 1, "the first of the two was late"
    decided = [policy.request("new", first.size, Found.ORIGIN).hot for _ in range(second.frequency)]
    assert decided == [False] * (second.frequency - 1) + [first.size < second.size]


def test_it_settles_on_an_expert_for_the_traffic_and_promotes_by_it() -> None:
    capacity = 100 * KB
    best = next(number for number, expert in enumerate(EXPERTS) if (expert.frequency, expert.size) == (2, 50 * KB))
    model = knowing([features(0.5), features(9.0)], [[best], [best]])
    policy = Darwin(Controller(model, LENGTHS, Rules(miniatures=False, drift=1e9)), capacity)
    hot, order, hits = set[str](), Lru(), 0
    for key, size in traffic(2_000):
        found = Found.HOT if key in hot else Found.ORIGIN
        hits += found is Found.HOT
        if policy.request(key, size, found).hot and key not in hot:
            hot.add(key)
            order.added(key, size)
        while len(hot) * 5 * KB > capacity:
            hot.discard(str(order.evict()))
        work = policy.due()
        if work:
            work()
    assert policy.state.stage is Stage.DEPLOYED and policy.expert == EXPERTS[best]
    assert hits > 500 and all(key.startswith("small") for key in hot)
    assert np.isfinite(policy.state.left)


def test_memory_is_bounded_and_a_sample_is_of_whole_objects() -> None:
    most = 600
    written = Written(Lengths(epoch=20_000, window=1_000, warm_up=0, history=4_000, lead=4_000))
    policy = Darwin(written, 1 << 20, most_requests=most)  # type: ignore[arg-type]
    requests = [(f"object {number % 1_000 if number % 2 else number}", 10 * KB) for number in range(30_000)]
    for key, size in requests:
        policy.request(key, size, Found.DISK)
        assert policy.remembered < 2 * most
        work = policy.due()
        if work:
            work()
    assert written.seen[-1].rate == most / 5_000
    shares = [len(seen.sizes) / 5_000 for seen in written.seen[4:]]
    assert 0.08 < sum(shares) / len(shares) < 0.16
    for seen in written.seen:
        assert (np.diff(seen.times) > 0).all()
        for thing in range(seen.objects.max() + 1):
            assert set(np.diff(seen.ordinals[seen.objects == thing])) <= {1}


def test_a_sample_without_requests_of_a_window_is_no_window() -> None:
    written = Written(Lengths(epoch=20_000, window=10, warm_up=0, history=10_000, lead=10_000))
    policy = Darwin(written, 1 << 20, most_requests=2)  # type: ignore[arg-type]
    for number in range(1_000):
        policy.request(f"object {number}", 10 * KB, Found.ORIGIN)
        work = policy.due()
        if work:
            work()
    assert len(written.seen) < 20 and all(len(seen.sizes) > seen.first for seen in written.seen)
