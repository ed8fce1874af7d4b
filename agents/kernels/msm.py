"""Sums of multiples of points of BN254's groups (Pippenger's method), by batched affine additions on all cores.

A scalar is cut into windows of signed digits; each window's points are sorted into buckets by digit. All that follows is
one operation, many independent sums of points, done by adding two and two of each sum in affine coordinates with one
inversion for a batch: the buckets; then sum of d B_d, by the rows and columns of a grid of the buckets and the bits of
their numbers. What is left is a point a bit of the scalars. No addition depends on another of its batch, so that lanes
are always full, and equal, opposite and missing points cost little and need no care of the caller.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.kernels import buckets
from agents.kernels.group import Group
from agents.kernels.memory import Words
from agents.kernels.sums import Sums, desk
from agents.kernels.threads import pool, share

SCALAR_BITS = 254
CHUNK = 1 << 17
"""Points of G1 that are worked at together, half as many of G2: more would not stay in the cache, nor in little memory."""
TASK = 1 << 16
"""Entries that a task sorts at least, if there are as many: small windows go together."""


def width_for(count: int) -> int:
    """Bits of a window for so many points: what makes the fewest additions."""
    return min(range(2, 15), key=lambda c: -(-(SCALAR_BITS + 1) // c) * (count + 2.2 * (1 << (c - 1))))


@dataclass(frozen=True)
class Placed:
    """(n,) bits and (n, 8 or 16) words of a .zkey: each point is to be doubled so many times."""

    bits: NDArray[np.int64]
    points: Words


@dataclass(frozen=True)
class Part:
    """Some windows of one sum of multiples."""

    work: Callable[[], Placed]
    weight: int
    """About how long it takes, compared with others."""


class Scalars:
    """(n, 4) canonical scalars, below 2^254, and their digits, cut once for all sums they are in."""

    def __init__(self, words: Words) -> None:
        # Whatever numba would compile anew for: read-only arrays and such as are not on a word.
        self.words = np.require(words, np.uint64, ["C", "A", "W"])
        if (self.words[:, 3] >> np.uint64(62)).any():  # its digits would be of buckets that there are not
            raise ValueError("a scalar is not below 2^254")
        self.used = self.words.any(axis=1)
        self.width = width_for(min(int(self.used.sum()), CHUNK))
        self.windows = -(-(SCALAR_BITS + 1) // self.width)
        self.digits = np.empty((self.windows, len(words)), dtype=np.int16)
        share(len(words), self._cut, least=4096)

    def _cut(self, first: int, count: int) -> None:
        buckets.cut(self.words, self.width, self.digits, first, count)


class Chunk:
    """Some points of a sum of multiples. Their rows are there from the first window's work to the last one's."""

    def __init__(
        self, group: Group, points: Words, digits: NDArray[np.int16], some: NDArray[np.bool_], width: int
    ) -> None:
        self.group, self.points, self.digits, self.width = group, points, digits, width
        self.used: NDArray[np.int64] = np.flatnonzero(points.any(axis=1) & some)
        self._lock = threading.Lock()
        self._rows: Words | None = None

    def rows(self) -> Words:
        """As the additions read them."""
        with self._lock:
            if self._rows is None:
                self._rows = self.group.rows(self.points)
            return self._rows

    def parts(self) -> list[Part]:
        """The work there is."""
        if not len(self.used):
            return []
        windows = len(self.digits)
        together = max(1, TASK // len(self.used))
        weight = len(self.used) * (3 if self.group.extension else 1)
        spans = [range(first, min(first + together, windows)) for first in range(0, windows, together)]
        return [Part(partial(self._span, span), weight * len(span)) for span in spans]

    def _span(self, windows: range) -> Placed:
        group, rows = self.group, self.rows()
        many, low = 1 << (self.width - 1), self.width // 2
        high = many >> low
        entries = desk.words("entries", len(self.used) * len(windows))
        starts = np.empty(len(windows) * many + 1, dtype=np.int64)
        starts[0] = at = 0
        bounds = np.empty(many + 1, dtype=np.int64)
        for nth, window in enumerate(windows):
            at = buckets.fill(self.digits[window], self.used, many, rows.ctypes.data, group.stride, entries, bounds, at)
            starts[nth * many + 1 : (nth + 1) * many + 1] = bounds[1:]
        sums = Sums(group, at + 3 * len(windows) * many + 4096)
        sums.reduce(entries, starts)

        gridded = desk.words("gridded", 2 * len(windows) * many)
        parts = np.empty(len(windows) * (high + (1 << low) - 1) + 1, dtype=np.int64)
        buckets.grid(entries, starts, len(windows), many, low, gridded, parts)
        sums.reduce(gridded, parts)

        high_bits = high.bit_length()
        bits = desk.words("bits", len(windows) * (high * high_bits + (1 << low) * low))
        ends = np.empty(len(windows) * (low + high_bits) + 1, dtype=np.int64)
        buckets.binary(gridded, parts, len(windows), high, low, high_bits, bits, ends)
        sums.reduce(bits, ends)
        full = ends[1:] > ends[:-1]
        which, bit = np.divmod(np.flatnonzero(full), low + high_bits)
        return Placed((windows.start + which) * self.width + bit, self._signed(bits[ends[:-1][full]]))

    def _signed(self, addresses: Words) -> Words:
        """The points that ``addresses`` name: where a sum is of one point only, it may still be an opposite."""
        points = self.group.words(addresses & ~np.uint64(1))
        return self.group.negated(points, (addresses & np.uint64(1)).astype(np.bool_))


class Multiples:
    """One sum of multiples, as parts that any threads work at."""

    def __init__(self, group: Group, points: Words, scalars: Scalars, first: int = 0) -> None:
        """(n, 8 or 16) points of a .zkey, infinity all zero, for the scalars from ``first`` on."""
        if len(points) != len(scalars.words) - first:
            raise ValueError(f"{len(points)} points and {len(scalars.words) - first} scalars do not make pairs")
        self.group = group
        self._chunks = []
        size = CHUNK // 2 if group.extension else CHUNK
        for at in range(0, len(points), size):
            span, spanned = slice(at, at + size), slice(first + at, min(first + at + size, len(scalars.words)))
            self._chunks.append(
                Chunk(group, points[span], scalars.digits[:, spanned], scalars.used[spanned], scalars.width)
            )

    def parts(self) -> list[Part]:
        """The work there is; what it needs is given back as it is done."""
        chunks, self._chunks = self._chunks, []
        return [part for chunk in chunks for part in chunk.parts()]


def begin(sums: Sequence[Multiples]) -> list[Callable[[], Any]]:
    """Work at many sums on all cores, the longest parts first; calling what stands for a sum waits for it.

    It gives a PointG1 or a PointG2, as the group is, or None at infinity.
    """
    parts = [(each, part) for each in sums for part in each.parts()]
    futures: dict[int, list[Future[Placed]]] = {id(each): [] for each in sums}
    for each, part in sorted(parts, key=lambda both: -both[1].weight):
        futures[id(each)].append(pool().submit(part.work))

    def awaited(each: Multiples) -> Any:
        placed = [future.result() for future in futures[id(each)]]
        if not placed:
            return None
        return each.group.weighted(
            np.concatenate([part.bits for part in placed]), np.concatenate([part.points for part in placed])
        )

    return [partial(awaited, each) for each in sums]


def multiply_and_add(group: Group, points: Words, scalars: Words) -> Any:
    """The sum of scalar times point: (n, 8 or 16) words of a .zkey, (n, 4) canonical scalars; None is infinity."""
    return begin([Multiples(group, points, Scalars(scalars))])[0]()


def small_sum(group: Group, points: Sequence[Words], scalars: Sequence[int]) -> Any:
    """The same of a few points, bit by bit."""
    listed = [(bit, i) for i, scalar in enumerate(scalars) for bit in range(scalar.bit_length()) if (scalar >> bit) & 1]
    chosen = [(bit, i) for bit, i in listed if points[i].any()]
    if not chosen:
        return None
    bits, which = (np.array(column, dtype=np.int64) for column in zip(*chosen, strict=True))
    return group.weighted(bits, np.stack(points)[which])
