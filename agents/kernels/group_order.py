"""Departures and evictions in the chain of a rotating chunk group (`agents.core.durability.rotation`).

``chances`` is float64 (byzantine, gone): the probability that so many of the window's fragments are on Byzantine nodes and so
many on nodes that left. The window is every fragment made since the one that is due, members + gone of them, by position from
the due one on. ``moments`` is float64 (byzantine, gone, 6, position), each times the probability of its state: the chance that
the fragment there is Byzantine (0) or gone (1); the means of either with the sum of the Byzantine positions (2, 3) and with
that of the gone ones (4, 5).
"""

from typing import Any

import numpy as np
from numba import config, njit, types

from agents.kernels.cache import numba_folder

# Numba reads this when it meets each function below.
config.CACHE_DIR = str(numba_folder())

CHANCES = types.Array(types.float64, 2, "C")
MOMENTS = types.Array(types.float64, 4, "C")
VECTOR = types.Array(types.float64, 1, "C")
SOME = 1e-12
"""Chance below which a fragment is not of a kind."""


@njit(cache=True, nogil=True, fastmath=True)
def _add(into: Any, values: Any, times: Any, first: Any, made: Any) -> None:
    """Add ``values`` of the positions ``first`` to ``made``, which become the first ones, to ``into``, so many times."""
    for kind in range(6):
        for at in range(made - first):
            into[kind, at] += times * values[kind, at + first]


@njit(cache=True, nogil=True, fastmath=True)
def _add_one(values: Any, place: Any, first: Any, made: Any) -> None:
    """Turn the moments ``values`` of the positions ``first`` to ``made`` into those with a Byzantine one more, at ``place``."""
    for at in range(first, made):
        values[2, at] += place * values[0, at]
        values[3, at] += place * values[1, at]


@njit(
    types.float64(
        CHANCES, MOMENTS, CHANCES, MOMENTS,
        types.int64, types.int64, types.int64, types.int64, types.float64, VECTOR,
    ),
    cache=True, nogil=True, fastmath=True,
)  # fmt: skip
def depart(
    chances: Any, moments: Any, into: Any, moved: Any,
    least: Any, low: Any, high: Any, members: Any, share: Any, replaced: Any,
) -> Any:  # fmt: skip
    """Set ``into`` and ``moved`` to what departures change, ``share`` of an honest node's being due. Returns what is lost.

    States below ``least`` Byzantine or outside of ``low`` to ``high`` gone are left out. ``replaced``: by Byzantine members,
    the chance that a successor is one. Whoever leaves is any of the honest members alike, so all of this is exact.
    """
    rows = chances.shape[0]
    into[:] = 0.0
    moved[:, low : high + 2] = 0.0
    lost = 0.0
    after = np.zeros((6, moments.shape[3]))
    for byzantine in range(least, rows):
        honest = members - byzantine
        rate, part = honest * share, 1.0 / honest
        worse = rate * replaced[byzantine]
        same = rate - worse
        for gone in range(low, high + 1):
            chance = chances[byzantine, gone]
            if chance == 0.0:
                continue
            made = members + gone
            old, here = moments[byzantine, gone], moved[byzantine, gone]
            into[byzantine, gone] -= chance * rate
            _add(here, old, -rate, 0, made)
            if byzantine == rows - 1:
                lost += chance * rate
                continue
            into[byzantine, gone + 1] += chance * same
            into[byzantine + 1, gone + 1] += chance * worse
            alike, other = moved[byzantine, gone + 1], moved[byzantine + 1, gone + 1]
            first, second, places = 0.0, 0.0, 0.5 * made * (made - 1)
            for at in range(made):
                first += at * old[0, at]
                second += at * old[1, at]
            for at in range(made):
                bad, left = old[0, at], old[1, at]
                leaves = (chance - bad - left) * part
                bad_first, bad_second = old[2, at], old[4, at] + (places * bad - old[2, at] - old[4, at]) * part
                left_first = old[3, at] + (first - old[2, at] - old[3, at]) * part
                left_second = old[5, at] + at * leaves
                left_second += (places * left - old[3, at] - old[5, at] + second - old[4, at] - old[5, at]) * part
                after[0, at], after[1, at] = bad, left + leaves
                after[2, at], after[3, at] = bad_first, left_first
                after[4, at], after[5, at] = bad_second, left_second
            _add(alike, after, same, 0, made)
            _add_one(after, float(made), 0, made)
            _add(other, after, worse, 0, made)
            other[0, made] += worse * chance
            other[2, made] += worse * (first + made * chance)
            other[4, made] += worse * (second + (places * chance - first - second) * part)
    return lost


@njit(cache=True, nogil=True, fastmath=True)
def _solve(matrix: Any, sides: Any) -> None:
    """``sides`` (4, 2) becomes the solution of the positive ``matrix`` (4, 4), which is used up."""
    for row in range(4):
        for below in range(row + 1, 4):
            times = matrix[below, row] / matrix[row, row]
            for column in range(row, 4):
                matrix[below, column] -= times * matrix[row, column]
            for side in range(2):
                sides[below, side] -= times * sides[row, side]
    for row in range(3, -1, -1):
        for side in range(2):
            rest = sides[row, side]
            for column in range(row + 1, 4):
                rest -= matrix[row, column] * sides[column, side]
            sides[row, side] = rest / matrix[row, row]


@njit(cache=True, nogil=True, fastmath=True)
def _respond(bad: Any, left: Any, mixed: Any, made: Any, sides: Any) -> None:
    """``sides`` (4, 2): by how much the other fragments answer to a Byzantine due fragment, or to one that is gone.

    Each kind's chances move by their covariances times a line over the positions, such that their sums are what remains, and
    the sums of their positions what ``mixed`` says.
    """
    matrix = np.zeros((4, 4))
    middle = 0.5 * made
    for at in range(1, made):
        place = (at - middle) / middle
        for row, column, value in (
            (0, 0, bad[at] * (1 - bad[at])),
            (0, 2, -bad[at] * left[at]),
            (2, 2, left[at] * (1 - left[at])),
        ):
            matrix[row, column] += value
            matrix[row, column + 1] += value * place
            matrix[row + 1, column + 1] += value * place * place
    matrix[1, 2] = matrix[0, 3]
    for row in range(4):
        for column in range(row):
            matrix[row, column] = matrix[column, row]
    for row in range(4):
        # Where nobody is of a kind there is nothing to move.
        matrix[row, row] += 1e-9 * matrix[row, row] + SOME
    sides[:] = 0.0
    for side, chance in enumerate((bad[0], left[0])):
        if chance > SOME:
            for kind, value in enumerate((bad[0], left[0])):
                short = value - (1.0 if kind == side else 0.0)
                sides[2 * kind, side] = short
                sides[2 * kind + 1, side] = (mixed[2 * kind + side, 0] / chance - middle * short) / middle
    _solve(matrix, sides)


@njit(
    types.void(
        CHANCES, MOMENTS, CHANCES, MOMENTS,
        types.int64, types.int64, types.int64, types.int64, VECTOR, VECTOR, VECTOR,
    ),
    cache=True, nogil=True, fastmath=True,
)  # fmt: skip
def evict(
    chances: Any, moments: Any, into: Any, moved: Any,
    least: Any, low: Any, high: Any, members: Any, replaced: Any, restored: Any, counted: Any,
) -> None:  # fmt: skip
    """Add to ``into`` and ``moved`` what the due fragment's turn makes of all states; ``counted`` gets what is (lost, evicted).

    What its kind says about the others is taken from the moments, as for normal distributions.
    ``restored``: as ``replaced``, of who replaces a Byzantine member.
    """
    rows, width = chances.shape[0], moments.shape[3]
    bad, left, mixed = np.zeros(width), np.zeros(width), np.zeros((4, width))
    kinds, after = np.zeros(3), np.zeros((6, width))
    to_bad, to_left = np.zeros((3, width)), np.zeros((3, width))
    shift, scale, sides = np.zeros((2, 3)), np.zeros((3, 3)), np.zeros((4, 2))
    for byzantine in range(least, rows):
        for gone in range(low, high + 1):
            chance = chances[byzantine, gone]
            if chance <= 0.0:
                continue
            made = members + gone
            old = moments[byzantine, gone]
            first, second = 0.0, 0.0
            for at in range(made):
                bad[at] = min(1.0, max(0.0, old[0, at] / chance)) if byzantine else 0.0
                left[at] = min(1.0 - bad[at], max(0.0, old[1, at] / chance)) if gone else 0.0
                first += at * bad[at]
                second += at * left[at]
            for at in range(made):
                mixed[0, at] = old[2, at] / chance - bad[at] * first
                mixed[1, at] = old[3, at] / chance - left[at] * first
                mixed[2, at] = old[4, at] / chance - bad[at] * second
                mixed[3, at] = old[5, at] / chance - left[at] * second
            # The due fragment is Byzantine, there, or gone.
            kinds[0], kinds[1], kinds[2] = bad[0], max(0.0, 1.0 - bad[0] - left[0]), left[0]
            _respond(bad, left, mixed, made, sides)
            shift[:] = 0.0
            middle = 0.5 * made
            for at in range(1, made):
                place = (at - middle) / middle
                both = -bad[at] * left[at]
                for side, kind in enumerate((0, 2)):
                    by_bad = sides[0, side] + sides[1, side] * place
                    by_left = sides[2, side] + sides[3, side] * place
                    to_bad[kind, at] = bad[at] * (1 - bad[at]) * by_bad + both * by_left
                    to_left[kind, at] = both * by_bad + left[at] * (1 - left[at]) * by_left
                if kinds[1] > SOME:
                    to_bad[1, at] = -(kinds[0] * to_bad[0, at] + kinds[2] * to_bad[2, at]) / kinds[1]
                    to_left[1, at] = -(kinds[0] * to_left[0, at] + kinds[2] * to_left[2, at]) / kinds[1]
                else:
                    to_bad[1, at] = 0.0
                    to_left[1, at] = 0.0
                for kind in range(3):
                    shift[0, kind] += at * to_bad[kind, at]
                    shift[1, kind] += at * to_left[kind, at]
            for at in range(1, made):
                for kind in range(3):
                    mixed[0, at] -= kinds[kind] * to_bad[kind, at] * shift[0, kind]
                    mixed[1, at] -= kinds[kind] * to_left[kind, at] * shift[0, kind]
                    mixed[2, at] -= kinds[kind] * to_bad[kind, at] * shift[1, kind]
                    mixed[3, at] -= kinds[kind] * to_left[kind, at] * shift[1, kind]
            # What covariances remain is shared out as it would be if the order said nothing.
            for kind in range(3):
                rest_bad, rest_left = byzantine - (kind == 0), gone - (kind == 2)
                scale[kind, 0] = rest_bad * (made - 1.0 - rest_bad)
                scale[kind, 1] = rest_bad * rest_left
                scale[kind, 2] = rest_left * (made - 1.0 - rest_left)
            for pair in range(3):
                mean = kinds[0] * scale[0, pair] + kinds[1] * scale[1, pair] + kinds[2] * scale[2, pair]
                for kind in range(3):
                    scale[kind, pair] = scale[kind, pair] / mean if mean > 1e-9 else 0.0
            for kind in range(3):
                part = chance * kinds[kind]
                if part <= 0.0:
                    continue
                if kind < 2:
                    counted[1] += part
                if kind == 1 and byzantine == rows - 1:
                    counted[0] += part
                    continue
                row, column = byzantine - (kind == 0), gone - (kind == 2)
                worse = 0.0
                if kind == 0:
                    worse = part * restored[byzantine]
                elif kind == 1:
                    worse = part * replaced[byzantine]
                same = part - worse
                above = min(row + 1, rows - 1)
                alike, other = moved[row, column], moved[above, column]
                into[row, column] += same
                into[above, column] += worse
                first, second = 0.0, 0.0
                for at in range(1, made):
                    now = max(0.0, min(1.0, bad[at] + to_bad[kind, at]))
                    to_bad[kind, at] = now
                    first += (at - 1) * now
                    now = max(0.0, min(1.0 - now, left[at] + to_left[kind, at]))
                    to_left[kind, at] = now
                    second += (at - 1) * now
                for at in range(1, made):
                    is_bad, is_left = to_bad[kind, at], to_left[kind, at]
                    after[0, at], after[1, at] = is_bad, is_left
                    after[2, at] = mixed[0, at] * scale[kind, 0] + is_bad * first
                    after[3, at] = mixed[1, at] * scale[kind, 1] + is_left * first
                    after[4, at] = mixed[2, at] * scale[kind, 1] + is_bad * second
                    after[5, at] = mixed[3, at] * scale[kind, 2] + is_left * second
                _add(alike, after, same, 1, made)
                if worse > 0.0:
                    _add_one(after, made - 1.0, 1, made)
                    _add(other, after, worse, 1, made)
                if worse > 0.0:
                    other[0, made - 1] += worse
                    other[2, made - 1] += worse * (first + made - 1)
                    other[4, made - 1] += worse * second
