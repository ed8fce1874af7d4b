"""Miniatures against caches that really ran."""

from collections import OrderedDict

import numpy as np
import pytest

from agents.core.admission.experts import EXPERTS, Expert
from agents.core.admission.objectives import Tally
from agents.core.admission.policy import Found, Static
from agents.core.admission.windows import Window, window
from agents.kernels.repeats import number

CAPACITY = 400_000
WINDOW = 2_000


def traffic(seed: int, count: int = 12_000, things: int = 3_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Objects, sizes and ordinals of requests."""
    draws = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, things + 1)
    objects = draws.choice(things, count, p=weights / weights.sum())
    sizes = np.minimum(draws.lognormal(9, 1.2, things).astype(np.int64) + 1, 1 << 20)[objects]
    counts: dict[int, int] = {}
    ordinals = []
    for thing in objects.tolist():
        counts[thing] = counts.get(thing, 0) + 1
        ordinals.append(counts[thing])
    return objects, sizes, np.array(ordinals)


def real(expert: Expert, objects: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Which requests a hot cache with ``expert`` answers from the first on: ordered dictionaries, one request at a time."""
    policy, held, used, hits = Static(expert.frequency, expert.size), OrderedDict[int, int](), 0, []
    for thing, size in zip(objects.tolist(), sizes.tolist(), strict=True):
        hits.append(thing in held)
        keep = policy.request(thing, size, Found.HOT if thing in held else Found.ORIGIN).hot
        if thing in held:
            held.move_to_end(thing)
        elif keep and size <= CAPACITY:
            held[thing] = size
            used += size
            while used > CAPACITY:
                used -= held.popitem(last=False)[1]
    return np.array(hits)


def seen(objects: np.ndarray, sizes: np.ndarray, ordinals: np.ndarray, history: int, keys: int = 1) -> Window:
    """The last WINDOW requests with so many before them."""
    part = slice(len(objects) - WINDOW - history, None)
    times = np.arange(len(objects))[part]
    kept = np.zeros(len(times), np.uint8)
    return window(
        objects[part] * keys, sizes[part], ordinals[part], times, kept, (0, len(objects) - WINDOW), CAPACITY, Tally()
    )


@pytest.mark.parametrize("at", [2, 3, 9, 35])
def test_a_miniature_that_was_full_is_exact(at: int) -> None:
    objects, sizes, ordinals = traffic(1)
    expert = EXPERTS[at]
    hits = real(expert, objects, sizes)[-WINDOW:]
    found = seen(objects, sizes, ordinals, 10_000).miniature([at])
    assert found[0] == pytest.approx([hits.mean(), (hits * sizes[-WINDOW:]).sum() / sizes[-WINDOW:].sum()])


def test_short_memory_still_comes_close() -> None:
    objects, sizes, ordinals = traffic(2)
    miniature = seen(objects, sizes, ordinals, 3_000).miniature(range(len(EXPERTS)))
    true = np.array([real(expert, objects, sizes)[-WINDOW:].mean() for expert in EXPERTS])
    assert np.abs(miniature[:, 0] - true).max() < 0.03
    assert true[miniature[:, 0].argmax()] >= 0.99 * true.max()


def test_keys_are_any_numbers() -> None:
    objects, sizes, ordinals = traffic(3)
    plain, others = (seen(objects, sizes, ordinals, 3_000, keys) for keys in (1, -(2**40) + 1))
    assert (plain.miniature([1, 8]) == others.miniature([1, 8])).all()
    assert plain.features == others.features


@pytest.mark.parametrize("keys", [[], [5], [0, -1, 0, 2**63 - 1, -(2**63), -1], [at * 2**40 for at in range(500)] * 2])
def test_objects_are_numbered_in_the_order_in_which_they_first_come(keys: list[int]) -> None:
    numbers = np.empty(len(keys), np.int64)
    assert number()(np.array(keys, np.int64), numbers) == len(set(keys))
    assert numbers.tolist() == [list(dict.fromkeys(keys)).index(key) for key in keys]


def test_a_miniature_starts_from_what_memory_really_held() -> None:
    objects, sizes, ordinals = traffic(4)
    lead = 1_000
    before, after = EXPERTS[3], EXPERTS[0]  # the second one admits next to nothing, and lives on what is there
    start = len(objects) - WINDOW - lead
    early = np.arange(len(objects)) < start
    admits = [(ordinals >= expert.frequency) & (sizes < expert.size) for expert in (before, after)]
    held, used, hits = OrderedDict[int, int](), 0, []
    for thing, size, keep in zip(objects.tolist(), sizes.tolist(), np.where(early, *admits).tolist(), strict=True):
        hits.append(thing in held)
        if thing in held:
            held.move_to_end(thing)
        elif keep:
            held[thing] = size
            used += size
            while used > CAPACITY:
                used -= held.popitem(last=False)[1]
    part = slice(len(objects) - WINDOW - 9_000, None)
    seen_so = window(
        objects[part], sizes[part], ordinals[part], np.arange(len(objects))[part], admits[0][part],
        (start, len(objects) - WINDOW), CAPACITY, Tally(),
    )  # fmt: skip
    alone = seen(objects, sizes, ordinals, 9_000).miniature([0])
    assert seen_so.miniature([0])[0, 0] == pytest.approx(np.mean(hits[-WINDOW:])) != alone[0, 0]
