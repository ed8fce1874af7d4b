"""Many independent sums of points at once, by rounds that add two and two of each."""

import threading

import numpy as np
from numpy.typing import NDArray

from agents.kernels import buckets
from agents.kernels.curve import AHEAD
from agents.kernels.group import Group
from agents.kernels.memory import Words, aligned

BATCH = 1 << 12
"""Additions that share an inversion."""


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


desk = Desk()
"""This thread's."""


class Sums:
    """Many sums of points, being worked out on this thread."""

    def __init__(self, group: Group, room: int) -> None:
        """``room``: additions that there will be at most."""
        self._group = group
        # Every round leaves less than a vector of its place unused.
        self._arena = desk.words("arena", (room + 64 * group.together) * group.stride // 8)
        self._used = 0

    def reduce(self, entries: Words, starts: NDArray[np.int64]) -> None:
        """Leave one entry of every sum, or none where it is nothing or infinity."""
        group, together = self._group, self._group.together
        while True:
            most = len(entries) // 2 + together + AHEAD * group.lanes
            left, right = desk.words("left", most), desk.words("right", most)
            out = self._arena.ctypes.data + self._used * group.stride
            pairs = buckets.pair(entries, starts, left, right, out, group.stride)
            if not pairs:
                return
            padded = -(-pairs // together) * together
            left[pairs:padded], right[pairs:padded] = group.pad
            self._used += padded
            flags = desk.words("flags", padded)[:padded]
            flags[:] = 0
            if self._add(left, right, out, flags):
                buckets.drop(entries, starts, flags[:pairs], out, group.stride)

    def _add(self, left: Words, right: Words, out: int, flags: Words) -> bool:
        group, some = self._group, 0
        scratch = desk.words("scratch", min(BATCH, len(flags)) // group.lanes * group.kept)
        for first in range(0, len(flags), BATCH):
            some |= group.add_pairs(
                left.ctypes.data + 8 * first, right.ctypes.data + 8 * first, out + first * group.stride,
                flags.ctypes.data + 8 * first, scratch.ctypes.data, min(BATCH, len(flags) - first) // group.together,
            )  # fmt: skip
        return bool(some)
