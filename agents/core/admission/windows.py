"""A window of requests with those before it, as far as a cache remembers them, and what can be told from it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from agents.core.admission.experts import EXPERTS
from agents.core.admission.features import Features, measure
from agents.core.admission.objectives import Tally
from agents.kernels.repeats import miniatures, number


@dataclass(frozen=True, eq=False)
class Window:
    """Requests (n,), of which the window are those from the ``first`` on."""

    objects: Any
    """Numbered from 0 in any order, int64."""
    sizes: Any
    """Bytes, int64."""
    ordinals: Any
    """Which of its object's requests each is, from 1, int64."""
    times: Any
    """Requests of all objects before each, int64."""
    admitted: Any
    """Which of them memory was told to keep, uint8."""
    branch: int
    """From this one on miniatures admit by themselves; before it their memory is the real one's."""
    first: int
    capacity: int
    """Bytes of the hot cache."""
    counted: Tally
    """What became of the window's second half, in which the expert's own choices fill the cache."""
    rate: float = 1.0
    """The share of objects whose requests these are."""

    @cached_property
    def features(self) -> Features:
        """Of the window."""
        return measure(self.objects, self.sizes, self.times, self.capacity, self.first, self.rate)

    def miniature(self, experts: Any) -> Any:
        """Shares of requests and of bytes that each of ``experts`` (k,) would have served from memory, (k, 2).

        The requests are gone through again, in a cache as much smaller as the sample is: what no network has to guess. Each
        starts from what memory really held, and what it holds when the window begins it chose itself only in part: that
        is what putting the expert in force now would be like. An expert that admits little lives long on what others
        admitted.
        """
        frequencies = np.array([EXPERTS[expert].frequency for expert in experts], np.int64)
        bounds = np.array([EXPERTS[expert].size for expert in experts], np.int64)
        hits, size = np.zeros(len(bounds), np.int64), np.zeros(len(bounds), np.int64)
        small = max(1, round(self.capacity * self.rate))
        miniatures()(
            self.objects,
            self.sizes,
            self.ordinals,
            self.admitted,
            self.branch,
            self.first,
            frequencies,
            bounds,
            small,
            hits,
            size,
        )
        total = self.sizes[self.first :].sum()
        return np.stack([hits / (len(self.sizes) - self.first), size / total], axis=1)


def window(
    keys: Any, sizes: Any, ordinals: Any, times: Any, admitted: Any, bounds: tuple[int, int], capacity: int, counted: Tally,
    rate: float = 1.0,
) -> Window:  # fmt: skip
    """Of requests for objects with any whole numbers for ``keys``; arrays of any types.

    ``bounds``: the time from which on miniatures admit by themselves, and that at which the window begins.
    """
    keys, sizes, ordinals, times = (np.ascontiguousarray(part, np.int64) for part in (keys, sizes, ordinals, times))
    objects = np.empty_like(keys)
    number()(keys, objects)
    branch, first = (int(at) for at in np.searchsorted(times, bounds))
    return Window(
        objects,
        sizes,
        ordinals,
        times,
        np.ascontiguousarray(admitted, np.uint8),
        branch,
        first,
        capacity,
        counted,
        rate,
    )
