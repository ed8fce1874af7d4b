"""Sums of multiples of points of BN254's groups (Pippenger's method), by batched affine additions on all cores.

A scalar is cut into windows of signed digits; each window's points are sorted into buckets by digit. All that follows is
one operation, many independent sums of points, done by adding two and two of each sum in affine coordinates with one
inversion for a batch: the buckets; then sum of d B_d, by the rows and columns of a grid of the buckets and the bits of
their numbers. What is left is a point a bit of the scalars. No addition depends on another of its batch, so that lanes
are always full, and equal, opposite and missing points cost little and need no care of the caller.
"""

import ctypes
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from agents.core.proofs.curve import G1, G2, PointG1, PointG2, add_g1, add_g2, quotient_g1, quotient_g2
from agents.core.proofs.field import BASE_ORDER
from agents.kernels import buckets
from agents.kernels.compiled import compiled_once
from agents.kernels.curve import AHEAD, CHAINS, LINE, AddPairs, Fold, leave, widen
from agents.kernels.forms import FORMS
from agents.kernels.memory import Words, aligned
from agents.kernels.threads import pool, share

SCALAR_BITS = 254
BATCH = 1 << 12
"""Additions that share an inversion."""
CHUNK = 1 << 17
"""Points of a sum that are worked at together: more would not stay in the cache, nor in little memory."""
TASK = 1 << 16
"""Entries that a task sorts at least, if there are as many: small windows go together."""


class Group:
    """G1 or G2 in one form: its compiled additions."""

    def __init__(self, form: str, extension: bool) -> None:
        self.name, self.extension = form, extension
        kind = FORMS[form]

        def write() -> str:
            module = ir.Module("group")
            AddPairs(kind, extension, module, "add_pairs")
            widen(kind, module)
            leave(kind, extension, module)
            return str(module)

        def write_fold() -> str:
            module = ir.Module("fold")
            Fold(extension, module)
            return str(module)

        self._code = compiled_once(f"group {form} {extension}", write)
        self._fold_code = compiled_once(f"fold {extension}", write_fold)
        word = ctypes.c_int64
        self.add_pairs: Callable[..., int] = ctypes.CFUNCTYPE(word, *[word] * 6)(self._code.address("add_pairs"))
        self._widen: Callable[..., int] = ctypes.CFUNCTYPE(word, *[word] * 3)(self._code.address("widen"))
        self._leave: Callable[..., int] = ctypes.CFUNCTYPE(word, *[word] * 3)(self._code.address("leave"))
        self._fold: Callable[..., int] = ctypes.CFUNCTYPE(word, *[word] * 4)(self._fold_code.address("fold"))
        self.lanes, self.stride = kind.lanes, LINE * (2 if extension else 1)
        self.together = CHAINS * self.lanes
        self.kept = kind.limbs * kind.lanes * (2 if extension else 1)
        # Two points that may be added, for the lanes that are left over.
        self._padding = self.rows(words_g2([G2, add_g2(G2, G2)]) if extension else words_g1([G1, add_g1(G1, G1)]))
        self.pad = (self._padding.ctypes.data, self._padding.ctypes.data + self.stride)

    def rows(self, points: Words) -> Words:
        """(n, 8 or 16) words of a .zkey as the additions read them."""
        if self.lanes == 1:
            return points if points.ctypes.data % 2 == 0 and points.flags.c_contiguous else points.copy()
        batch = 2 * self.lanes * 4
        rows = aligned(-(-points.size // batch) * batch)
        whole = points.size // batch
        self._widen(points.ctypes.data, rows.ctypes.data, whole)
        if whole * batch < points.size:
            rest = np.zeros(batch, dtype=np.uint64)
            rest[: points.size - whole * batch] = points.reshape(-1)[whole * batch :]
            self._widen(rest.ctypes.data, rows[whole * batch :].ctypes.data, 1)
        return rows

    def words(self, addresses: Words) -> Words:
        """(n, 8 or 16) words of a .zkey of the points at ``addresses``, none of them an opposite."""
        count = len(addresses)
        padded = np.full(-(-count // self.lanes) * self.lanes, self.pad[0], dtype=np.uint64)
        padded[:count] = addresses
        out = aligned(len(padded) * self.stride // 8).reshape(len(padded), self.stride // 8)
        self._leave(padded.ctypes.data, out.ctypes.data, len(padded) // self.lanes)
        return out[:count]

    @staticmethod
    def negated(points: Words, where: NDArray[np.bool_]) -> Words:
        """(n, 8 or 16) ``points`` of a .zkey, those of ``where`` with the opposite sign; changed in place."""
        for row in np.flatnonzero(where):
            half = points.shape[1] // 2
            for at in range(half, points.shape[1], 4):
                value = int.from_bytes(points[row, at : at + 4].tobytes(), "little")
                points[row, at : at + 4] = np.frombuffer((-value % BASE_ORDER).to_bytes(32, "little"), dtype=np.uint64)
        return points

    def weighted(self, bits: NDArray[np.int64], points: Words) -> Any:
        """The sum of 2^bit times each of (n, 8 or 16) ``points`` of a .zkey: a PointG1 or a PointG2; None is infinity."""
        order = np.argsort(-bits, kind="stable")
        ordered = np.ascontiguousarray(points[order])
        counts = np.bincount(bits, minlength=1)[::-1].astype(np.int64)
        out = np.empty((4, self.stride // 64, 4), dtype=np.uint64)
        self._fold(ordered.ctypes.data, counts.ctypes.data, out.ctypes.data, len(counts))
        leave = pow(2**256, -1, BASE_ORDER)
        rows = [[int.from_bytes(part.tobytes(), "little") * leave % BASE_ORDER for part in row] for row in out]
        if self.extension:
            return quotient_g2(*((row[0], row[1]) for row in rows))
        return quotient_g1(*(row[0] for row in rows))


def _montgomery(values: Iterable[int], width: int) -> Words:
    data = b"".join((value * 2**256 % BASE_ORDER).to_bytes(32, "little") for value in values)
    return np.frombuffer(data, dtype=np.uint64).reshape(-1, width).copy()


def words_g1(points: Iterable[PointG1 | None]) -> Words:
    """(n, 8): points as a .zkey holds them."""
    return _montgomery((value for point in points for value in point or (0, 0)), 8)


def words_g2(points: Iterable[PointG2 | None]) -> Words:
    """(n, 16): points as a .zkey holds them."""
    return _montgomery((value for point in points for pair in point or ((0, 0), (0, 0)) for value in pair), 16)


@cache
def group(form: str, extension: bool) -> Group:
    """The group in a form, compiled once."""
    return Group(form, extension)


class Desk(threading.local):
    """A thread's own working memory, which grows and is used again."""

    def __init__(self) -> None:
        self._held: dict[str, Words] = {}

    def words(self, name: str, count: int) -> Words:
        """At least ``count`` words on a 64-byte boundary, with whatever they hold."""
        found = self._held.get(name)
        if found is None or len(found) < count:
            found = self._held[name] = aligned(count)
        return found

    def clear(self) -> None:
        """Give it back."""
        self._held.clear()


_desk = Desk()


class Sums:
    """Many sums of points, being worked out on this thread."""

    def __init__(self, group: Group, room: int) -> None:
        """``room``: additions that there will be at most."""
        self._group = group
        # Every round leaves less than a vector of its place unused.
        self._arena = _desk.words("arena", (room + 64 * group.together) * group.stride // 8)
        self._used = 0

    def reduce(self, entries: Words, starts: NDArray[np.int64]) -> None:
        """Leave one entry of every sum, or none where it is nothing or infinity."""
        group, together = self._group, self._group.together
        while True:
            most = len(entries) // 2 + together + AHEAD * group.lanes
            left, right = _desk.words("left", most), _desk.words("right", most)
            out = self._arena.ctypes.data + self._used * group.stride
            pairs = buckets.pair(entries, starts, left, right, out, group.stride)
            if not pairs:
                return
            padded = -(-pairs // together) * together
            left[pairs:padded], right[pairs:padded] = group.pad
            self._used += padded
            flags = _desk.words("flags", padded)[:padded]
            flags[:] = 0
            if self._add(left, right, out, flags):
                buckets.drop(entries, starts, flags[:pairs], out, group.stride)

    def _add(self, left: Words, right: Words, out: int, flags: Words) -> bool:
        group, some = self._group, 0
        scratch = _desk.words("scratch", min(BATCH, len(flags)) // group.lanes * group.kept)
        for first in range(0, len(flags), BATCH):
            some |= group.add_pairs(
                left.ctypes.data + 8 * first, right.ctypes.data + 8 * first, out + first * group.stride,
                flags.ctypes.data + 8 * first, scratch.ctypes.data, min(BATCH, len(flags) - first) // group.together,
            )  # fmt: skip
        return bool(some)


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
        self.words = np.ascontiguousarray(words)
        if (self.words[:, 3] >> np.uint64(62)).any():  # its digits would be of buckets that there are not
            raise ValueError("a scalar is not below 2^254")
        self.used = self.words.any(axis=1)
        self.width = width_for(min(int(self.used.sum()), CHUNK))
        self.windows = -(-(SCALAR_BITS + 1) // self.width)
        self.digits = np.empty((self.windows, len(words)), dtype=np.int16)
        share(len(words), self._cut, least=4096)

    def _cut(self, first: int, count: int) -> None:
        span = slice(first, first + count)
        buckets.cut(self.words[span], self.width, self.digits[:, span])


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
        entries = _desk.words("entries", len(self.used) * len(windows))
        starts = np.empty(len(windows) * many + 1, dtype=np.int64)
        starts[0] = at = 0
        bounds = np.empty(many + 1, dtype=np.int64)
        for nth, window in enumerate(windows):
            at = buckets.fill(self.digits[window], self.used, many, rows.ctypes.data, group.stride, entries, bounds, at)
            starts[nth * many + 1 : (nth + 1) * many + 1] = bounds[1:]
        sums = Sums(group, at + 4 * len(windows) * many + 4096)
        sums.reduce(entries, starts)

        gridded = _desk.words("gridded", 2 * len(windows) * many)
        parts = np.empty(len(windows) * (high + (1 << low) - 1) + 1, dtype=np.int64)
        buckets.grid(entries, starts, len(windows), many, low, gridded, parts)
        sums.reduce(gridded, parts)

        high_bits = high.bit_length()
        bits = _desk.words("bits", len(windows) * (high * high_bits + (1 << low) * low))
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
        for at in range(0, len(points), CHUNK):
            span, spanned = slice(at, at + CHUNK), slice(first + at, min(first + at + CHUNK, len(scalars.words)))
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
