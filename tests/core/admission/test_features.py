"""Features against a slow reference that follows their definition."""

import math

import numpy as np
import pytest

from agents.core.admission.features import FEATURES, INPUTS, LAGS, LEAST, LONGEST, Features, measure


def zipf(seed: int, count: int, things: int) -> tuple[np.ndarray, np.ndarray]:
    """Objects of requests, and the size of each request."""
    draws = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, things + 1) ** 0.8
    objects = draws.choice(things, count, p=weights / weights.sum())
    return objects, draws.lognormal(9, 2, things).astype(np.int64)[objects] + 1


def slow(objects: np.ndarray, sizes: np.ndarray, capacity: int, first: int) -> Features:
    """By lists of earlier requests and sets of objects between them."""
    count, size = len(objects), float(np.mean(sizes[first:]))
    filling = capacity / size
    intervals: list[list[float]] = [[] for _ in range(LAGS)]
    distances: list[list[float]] = [[] for _ in range(LAGS)]
    for at in range(first, count):
        earlier = [before for before in range(at) if objects[before] == objects[at]][::-1]
        if not earlier:
            continue
        for lag in range(LAGS):
            if lag >= len(earlier):
                intervals[lag].append(LONGEST)
                distances[lag].append(LONGEST)
                continue
            since = range(earlier[lag], at)
            between = sum({int(objects[other]): int(sizes[other]) for other in since}.values())
            intervals[lag].append(min((at - earlier[lag]) / filling, LONGEST))
            distances[lag].append(min(between / capacity, LONGEST))
    bounds = [10_000, 20_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000]
    classes = [0.0] * 8
    for one in sizes[first:]:
        classes[sum(one >= bound for bound in bounds)] += 1 / (count - first)
    mean = tuple(float(np.mean(lag)) if lag else LONGEST for lag in intervals)
    return Features(mean, tuple(float(np.mean(lag)) if lag else LONGEST for lag in distances), size, tuple(classes))


@pytest.mark.parametrize(("seed", "capacity"), [(1, 10_000), (2, 300_000), (3, 3_000_000), (4, 10**12)])
def test_features_are_those_of_the_definition(seed: int, capacity: int) -> None:
    objects, sizes = zipf(seed, 600, 90)
    fast, reference = measure(objects, sizes, np.arange(600), capacity, 200), slow(objects, sizes, capacity, 200)
    assert fast.inputs == pytest.approx(reference.inputs, rel=1e-9)
    assert fast.vector.shape == (FEATURES,) and fast.inputs.shape == (INPUTS,) == (23,)


def test_a_window_without_repeats_is_as_far_apart_as_can_be() -> None:
    features = measure(np.arange(50), np.full(50, 2_000), np.arange(50), 10_000)
    assert set(features.intervals) | set(features.distances) == {LONGEST}
    assert features.classes == (1.0, 0, 0, 0, 0, 0, 0, 0)


def test_one_object_alone_is_next_to_itself() -> None:
    features = measure(np.zeros(300, int), np.full(300, 10), np.arange(300), 10_000_000, LAGS)
    assert features.distances == pytest.approx([1e-6] * LAGS)
    assert features.vector[0] == math.log(LEAST)


def test_the_same_traffic_in_larger_objects_and_a_larger_cache_looks_the_same() -> None:
    objects, sizes = zipf(5, 3_000, 200)
    small = measure(objects, sizes, np.arange(3_000), 500_000)
    large = measure(objects, sizes * 16, np.arange(3_000), 500_000 * 16)
    assert large.intervals == pytest.approx(small.intervals) and large.distances == pytest.approx(small.distances)


def test_a_sample_of_objects_gives_nearly_the_same_features() -> None:
    objects, sizes = zipf(6, 60_000, 20_000)
    sizes[:] = 10_000
    kept = np.random.default_rng(7).random(20_000)[objects] < 0.25
    whole = measure(objects, sizes, np.arange(60_000), 20_000_000, 20_000)
    numbers = np.unique(objects[kept], return_inverse=True)[1]
    sample = measure(numbers, sizes[kept], np.flatnonzero(kept), 20_000_000, int(kept[:20_000].sum()), 0.25)
    assert sample.distances == pytest.approx(whole.distances, rel=0.1)
    assert sample.intervals == pytest.approx(whole.intervals, rel=0.1)
