"""A dataset until its repair is triggered, where slots fail in groups or are observed lost only after several misses.

Until then nothing ties one slot, or one group, to another: what the dataset looks like at time t after the start is a product,
and the time spent in each state an integral over t. Nothing is subtracted, and the trapezoidal rule in the logarithm of time
converges exponentially.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from math import comb, lgamma, log, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from agents.core.durability.fates import Groups, Struck
from agents.core.durability.hazards import MAX_SLOTS, Code, Hazards
from agents.core.durability.observing import Fate, Floats, erlang, fate, unobserved

STEP = 0.06
"""In the logarithm of time."""

INNER_STEP = 1 / 20
"""In the variable that the time of a strike is a doubly exponential function of."""

LOG_FACTORIALS = np.array([lgamma(count + 1) for count in range(MAX_SLOTS + 1)])

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Grid:
    """Times after the start, and what one slot looks like then unless its group was struck. Every code has the same."""

    hazards: Hazards
    misses: int
    finer: float
    """What the steps are divided by."""
    times: Floats
    weights: Floats
    """Seconds that each time stands for."""
    slot: Fate


@lru_cache(maxsize=32)
def grid(hazards: Hazards, misses: int, finer: float = 1.0) -> Grid:
    """The grid for these hazards; ``finer`` divides its steps, to see that they are fine enough."""
    failing, proving = hazards.failing, 1 / hazards.mtbp
    # The more misses it takes, the sharper the moment of the observation.
    finer *= max(1.0, sqrt(misses) / 2)
    step = STEP / finer
    start = 0.1 / (proving + MAX_SLOTS * (failing + hazards.striking))
    # After that hardly ever one slot of so many is left.
    end = (45 + log(MAX_SLOTS)) / failing
    # t = start exp(x - exp(-x)): powers of t vanish doubly exponentially to the left, exponentials of it to the right.
    points = np.arange(-4.2, log(end / start) + step, step)
    times = start * np.exp(points - np.exp(-points))
    weights = step * times * (1 + np.exp(-points))
    return Grid(hazards, misses, finer, times, weights, fate(times, failing, proving, misses))


def until_trigger(code: Code, groups: Groups, at: Grid) -> tuple[dict[Struck, Floats], dict[Struck, Floats]]:
    """(seconds in each state before the trigger, chance of the trigger in it); arrays by lost slots not struck."""
    if not groups.rate:
        few, last = _alone(at, code.repair_threshold, code.parity)
        lost = np.arange(code.parity + 1)[:, None]
        spread = _spread(at, lost, code.slots - lost)
        return {Struck(): (spread * few).sum(axis=1)}, {Struck(): (spread * last).sum(axis=1)}
    return _among_struck(code, groups, at)


def _spread(at: Grid, lost: Integers | int, alive: Integers) -> Floats:
    """(states, times): seconds that each time stands for, times the chance that so many slots are lost then."""
    ways = LOG_FACTORIALS[alive + lost] - LOG_FACTORIALS[alive] - LOG_FACTORIALS[lost]
    chances = np.exp(ways + lost * np.log(at.slot.lost) - alive * (at.hazards.failing * at.times))
    return np.asarray(chances * at.weights)


@lru_cache(maxsize=32)
def _alone(at: Grid, threshold: int, parity: int) -> tuple[Floats, Floats]:
    """(parity + 1, times), of j lost slots: chance that fewer than l0 are observed; density of the l0-th observation."""
    seen = islice(_observations(at, threshold), parity + 1)
    few, last = zip(*((chances.sum(axis=0), now[-1]) for chances, now in seen), strict=True)
    return np.stack(few), np.stack(last)


def _among_struck(code: Code, groups: Groups, at: Grid) -> tuple[dict[Struck, Floats], dict[Struck, Floats]]:
    """`until_trigger` where groups may be struck: for each number of lost slots all that may have been struck at once."""
    threshold = code.repair_threshold
    states = sorted(groups.survivable(), key=groups.spare, reverse=True)
    spare = np.array([groups.spare(struck) for struck in states])
    shown, showing = map(np.stack, zip(*(_struck(at, groups, struck, threshold) for struck in states), strict=True))
    waiting, triggered = np.zeros((2, len(states), code.parity + 1))
    for lost, (chances, now) in enumerate(islice(_observations(at, threshold), code.parity + 1)):
        living = slice(0, np.count_nonzero(spare >= lost))
        spread = _spread(at, lost, code.data + spare[living, None] - lost)
        # Where the struck show f observed slots, the others show l0 - 1 - f at most.
        few = np.cumsum(chances, axis=0)[::-1]
        waiting[living, lost] = np.einsum("st,sft,ft->s", spread, shown[living], few)
        triggered[living, lost] = np.einsum("st,sft,ft->s", spread, shown[living], now[::-1])
        triggered[living, lost] += np.einsum("st,sft,ft->s", spread, showing[living], chances[::-1])
    before, then = (
        {struck: row[: groups.spare(struck) + 1] for struck, row in zip(states, rows, strict=True)}
        for rows in (waiting, triggered)
    )
    return before, then


def _observations(at: Grid, threshold: int) -> Iterator[tuple[Floats, Floats]]:
    """For j = 0, 1, ... lost slots, (l0, times): chance that f of them are observed; density of one more observation."""
    hit, miss, seeing = (part / at.slot.lost for part in (at.slot.seen, at.slot.unseen, at.slot.seeing))
    before = np.zeros((threshold, len(at.times)))
    for lost, chances in enumerate(_binomials(hit, miss, threshold)):
        # Any one of j lost slots may be seen now, while the other j - 1 show f.
        yield chances, before * (lost * seeing)
        before = chances


def _binomials(hit: Floats, miss: Floats, below: int) -> Iterator[Floats]:
    """For 0, 1, ... trials, (below, *shape): probability of exactly f hits."""
    chances = np.zeros((below, *hit.shape))
    chances[0] = 1.0
    while True:
        yield chances
        hits = chances[:-1] * hit
        chances = chances * miss
        chances[1:] += hits


def _struck(at: Grid, groups: Groups, struck: Struck, threshold: int) -> tuple[Floats, Floats]:
    """(l0, times): chance that exactly these groups were struck and show f observed slots; density of one more."""
    untouched = groups.whole - struck.whole + bool(groups.rest) - struck.rest
    chance = float(comb(groups.whole, struck.whole)) * np.exp(-groups.rate * at.times * untouched)
    seen, seeing = _and(
        _all_struck(at, groups.size, struck.whole, threshold), _all_struck(at, groups.rest, struck.rest, threshold)
    )
    return chance * seen, chance * seeing


@lru_cache(maxsize=128)
def _all_struck(at: Grid, size: int, count: int, threshold: int) -> tuple[Floats, Floats]:
    """The same for ``count`` groups of ``size`` slots that were all struck."""
    if count == 0:
        seen, seeing = np.zeros((2, threshold, len(at.times)))
        seen[0] = 1.0
        return seen, seeing
    return _and(_all_struck(at, size, count - 1, threshold), _group(at, size, threshold))


def _and(left: tuple[Floats, Floats], right: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Of two sets of groups what both show together."""
    (seen, seeing), (more, more_seeing) = left, right
    return _product(seen, more), _product(seeing, more) + _product(seen, more_seeing)


def _product(left: Floats, right: Floats) -> Floats:
    """Of two polynomials (degree, times), but for the degrees from l0 on."""
    found = np.zeros_like(left)
    for degree, row in enumerate(left):
        found[degree:] += row * right[: len(left) - degree]
    return found


@lru_cache(maxsize=64)
def _group(at: Grid, size: int, threshold: int) -> tuple[Floats, Floats]:
    """(l0, times), of one group of ``size`` slots: chance that it was struck and shows f; density of one more."""
    hit, miss, now, weights = _struck_slot(at)
    others, all_of_it = islice(_binomials(hit, miss, threshold), size - 1, size + 1)
    return (all_of_it * weights).sum(axis=-1), (others * (weights * now * size)).sum(axis=-1)


@lru_cache(maxsize=4)
def _struck_slot(at: Grid) -> tuple[Floats, Floats, Floats, Floats]:
    """(times, strikes): a slot of a group struck at some time before: chance that it is observed lost, that it is not,
    density of its observation, and the weight of the strike's time.

    It was lost on its own before the strike, or at the strike.
    """
    failing, proving, striking = at.hazards.failing, 1 / at.hazards.mtbp, at.hazards.striking
    step = INNER_STEP / at.finer
    points = np.arange(-3.2, 3.2 + step / 2, step)
    ago, before = (1 / (1 + np.exp(sign * pi * np.sinh(points))) for sign in (-1, 1))
    since, strike = at.times[:, None] * ago, at.times[:, None] * before
    weights = striking * np.exp(-striking * strike) * at.times[:, None] * (step * pi * np.cosh(points) * ago * before)
    later_unseen, later_seeing = unobserved(since, failing, proving, at.misses)
    pending, density = erlang(since, proving, at.misses)
    survived = np.exp(-failing * strike)
    unseen = np.maximum(at.slot.unseen[:, None] + survived * (pending - later_unseen), 0.0)
    seen = at.slot.seen[:, None] + survived * later_seeing / failing
    seeing = np.maximum(at.slot.seeing[:, None] + survived * (density - later_seeing), 0.0)
    return seen, unseen, seeing, weights
