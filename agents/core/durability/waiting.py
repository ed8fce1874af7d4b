"""A dataset until its repair is triggered, where slots fail in groups or are observed lost only after several misses.

Until then nothing ties one slot, or one group, to another: what the dataset looks like at time t after the start is a product,
and the time spent in each state an integral over t. Nothing is subtracted, and the trapezoidal rule in the logarithm of time
converges exponentially.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from math import comb, lgamma, log, pi, sqrt

import numpy as np

from agents.core.durability.fates import Groups, Struck
from agents.core.durability.hazards import Code, Hazards
from agents.core.durability.observing import Fate, Floats, erlang, fate, unobserved

STEP = 0.06
"""In the logarithm of time."""

INNER_STEP = 1 / 20
"""In the variable that the time of a strike is a doubly exponential function of."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Times after the start, and what one slot looks like then unless its group was struck."""

    hazards: Hazards
    misses: int
    parity: int
    """The most parity slots of the codes it serves."""
    finer: float
    """What the steps are divided by."""
    times: Floats
    weights: Floats
    """Seconds that each time stands for."""
    slot: Fate


def grid(codes: Sequence[Code], hazards: Hazards, finer: float = 1.0) -> Grid:
    """Times that serve all these codes; ``finer`` divides the steps, to see that they are fine enough."""
    failing, proving = hazards.failing, 1 / hazards.mtbp
    slots, misses = max(code.slots for code in codes), codes[0].misses
    # The more misses it takes, the sharper the moment of the observation.
    finer *= max(1.0, sqrt(misses) / 2)
    step = STEP / finer
    start = 0.1 / (proving + slots * (failing + hazards.striking))
    # After that so many slots are hardly ever left that the dataset needs.
    end = max((45 + _log_comb(code.slots, code.data)) / code.data for code in codes) / failing
    # t = start exp(x - exp(-x)): powers of t vanish doubly exponentially to the left, exponentials of it to the right.
    points = np.arange(-4.2, log(end / start) + step, step)
    times = start * np.exp(points - np.exp(-points))
    weights = step * times * (1 + np.exp(-points))
    parity = max(code.parity for code in codes)
    return Grid(hazards, misses, parity, finer, times, weights, fate(times, failing, proving, misses))


def until_trigger(code: Code, groups: Groups, at: Grid) -> tuple[dict[Struck, Floats], dict[Struck, Floats]]:
    """(seconds in each state before the trigger, chance of the trigger in it); arrays by lost slots not struck."""
    waiting, triggered = {}, {}
    log_lost, log_alive = np.log(at.slot.lost), -at.hazards.failing * at.times
    for struck in groups.survivable():
        others = groups.slots - groups.lost(struck)
        lost = np.arange(groups.spare(struck) + 1)
        ways = np.array([_log_comb(others, count) for count in lost])
        spread = np.exp(ways + np.outer(log_lost, lost) + np.outer(log_alive, others - lost)) * at.weights[:, None]
        few, last = _among_struck(at, groups, struck, code) if groups.rate else _alone(at, code.repair_threshold)
        waiting[struck] = (spread * few[:, : len(lost)]).sum(axis=0)
        triggered[struck] = (spread * last[:, : len(lost)]).sum(axis=0)
    return waiting, triggered


@lru_cache(maxsize=4)
def _alone(at: Grid, threshold: int) -> tuple[Floats, Floats]:
    """(times, parity + 1), of j lost slots: chance that fewer than l0 are observed; density of the l0-th observation."""
    few, last = np.zeros((2, len(at.times), at.parity + 1))
    for lost, (chances, now) in enumerate(_observations(at, threshold)):
        few[:, lost], last[:, lost] = chances.sum(axis=0), now[-1]
    return few, last


def _among_struck(at: Grid, groups: Groups, struck: Struck, code: Code) -> tuple[Floats, Floats]:
    """The same where groups may be struck, times the probability that exactly these were."""
    spare = groups.spare(struck)
    few, last = np.zeros((2, len(at.times), spare + 1))
    seen, seeing = _struck(at, groups, struck, code.repair_threshold)
    for lost, (chances, now) in enumerate(islice(_observations(at, code.repair_threshold), spare + 1)):
        few[:, lost] = (seen * np.cumsum(chances, axis=0)[::-1]).sum(axis=0)
        last[:, lost] = (seen * now[::-1]).sum(axis=0) + (seeing * chances[::-1]).sum(axis=0)
    return few, last


def _observations(at: Grid, threshold: int) -> Iterator[tuple[Floats, Floats]]:
    """For j = 0, 1, ... lost slots, (l0, times): chance that f of them are observed; density of one more observation."""
    hit, miss, seeing = (part / at.slot.lost for part in (at.slot.seen, at.slot.unseen, at.slot.seeing))
    before = np.zeros((threshold, len(at.times)))
    for lost, chances in enumerate(islice(_binomials(hit, miss, threshold), at.parity + 1)):
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
    """(l0, times): chance that these groups were struck and show f observed slots; density of one more observation."""
    untouched = groups.whole - struck.whole + bool(groups.rest) - struck.rest
    seen = np.zeros((threshold, len(at.times)))
    seen[0] = comb(groups.whole, struck.whole) * np.exp(-groups.rate * at.times * untouched)
    seeing = np.zeros_like(seen)
    for size in [groups.size] * struck.whole + [groups.rest] * struck.rest:
        one, onward = _group(at, size, threshold)
        seen, seeing = _product(seen, one), _product(seeing, one) + _product(seen, onward)
    return seen, seeing


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


@lru_cache(maxsize=1)
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


def _log_comb(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
