"""Darwin in a live cache: requests go by the expert in force, and windows of them to the controller.

A request costs a count and a few appended numbers; what takes longer is done once a window, beside. Memory is bounded: so many
counted objects, and so many remembered requests. Where windows with what is remembered before them are longer than that, a
sample of objects stands for all: of an object either every request is remembered or none.
"""

from array import array
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from agents.core.admission.controller import Controller, State
from agents.core.admission.experts import Expert
from agents.core.admission.objectives import Tally
from agents.core.admission.policy import Counts, Decision, Found
from agents.core.admission.windows import window

MOST_REQUESTS = 1 << 17
"""Remembered at most, in the long run: at 30 bytes each less than 4 MiB."""

SPREAD = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio, odd: spreads hashes, of which those below a bound are then a fair sample."""
WORD = (1 << 64) - 1
MIDDLE = 1 << 63

HOT, DISK, ORIGIN, WRITTEN = range(4)
"""What became of a request."""
CODES = {Found.HOT: HOT, Found.DISK: DISK, Found.ORIGIN: ORIGIN}

HOT_TOO, DISK_ALONE = Decision(hot=True, disk=True), Decision(hot=False, disk=True)


class Darwin:
    """A policy that learns (agents/core/admission/policy.py). ``capacity``: bytes of the hot cache.

    The controller's steps take long: a window is handed out by `due`, and until it was gone through the expert stays in
    force. A window that is full before the one before it was asked for takes its place.
    """

    def __init__(self, controller: Controller, capacity: int, most_requests: int = MOST_REQUESTS) -> None:
        self._controller = controller
        self._capacity = capacity
        self._state = controller.begin()
        self._expert = controller.expert(self._state)
        self._counts = Counts()
        self._window, self._lead = controller.lengths.window, controller.lengths.lead
        self._rate = min(1.0, most_requests / (self._window + controller.lengths.history))
        """The share of objects whose requests are remembered."""
        self._bound = round(self._rate * (WORD + 1))
        self._keys, self._sizes, self._times = array("q"), array("q"), array("q")
        self._ordinals, self._outcomes, self._admitted = array("i"), array("B"), array("B")
        """Of the window's requests, and of those remembered before it."""
        self._requests = 0
        self._full: Callable[[], None] | None = None

    @property
    def state(self) -> State:
        """The controller's."""
        return self._state

    @property
    def expert(self) -> Expert:
        """The one in force."""
        return self._expert

    @property
    def remembered(self) -> int:
        """Requests."""
        return len(self._keys)

    def request(self, key: Hashable, size: int, found: Found) -> Decision:
        """As Admission."""
        count = self._counts.add(key)
        expert = self._expert
        hot = count >= expert.frequency and size < expert.size
        name = hash(key) * SPREAD & WORD
        if name < self._bound:
            self._keys.append(name - MIDDLE)
            self._sizes.append(size)
            self._times.append(self._requests)
            self._ordinals.append(count)
            # The second time that it is fetched, an object is written to disk.
            self._outcomes.append(WRITTEN if count > 1 and found is Found.ORIGIN else CODES[found])
            self._admitted.append(hot)
        self._requests += 1
        if self._requests % self._window == 0:
            self._close()
        return HOT_TOO if hot else DISK_ALONE

    def due(self) -> Callable[[], None] | None:
        """As Learning."""
        work, self._full = self._full, None
        return work

    def _close(self) -> None:
        """The window is full: the next one begins, and remembers some of it."""
        keys, sizes, times = np.array(self._keys), np.array(self._sizes), np.array(self._times)
        ordinals, outcomes, admitted = np.array(self._ordinals), np.array(self._outcomes), np.array(self._admitted)
        begun = self._requests - self._window
        bounds, half = (begun - self._lead, begun), int(np.searchsorted(times, begun + self._window // 2))

        def step() -> None:
            counted = _tally(outcomes[half:], sizes[half:])
            seen = window(keys, sizes, ordinals, times, admitted, bounds, self._capacity, counted, self._rate)
            self._state = self._controller.step(self._state, seen)
            self._expert = self._controller.expert(self._state)

        if len(times) and times[-1] >= begun:  # a sample may have nothing of a short window
            self._full = step
        forgotten = int(np.searchsorted(times, self._requests - self._controller.lengths.history))
        for part in (self._keys, self._sizes, self._times, self._ordinals, self._outcomes, self._admitted):
            del part[:forgotten]


def _tally(outcomes: Any, sizes: Any) -> Tally:
    """Of requests, one entry each in both."""
    counts = np.bincount(outcomes, minlength=len(CODES) + 1)
    size = np.bincount(outcomes, weights=sizes, minlength=len(CODES) + 1).astype(np.int64)
    fetched = int(size[ORIGIN] + size[WRITTEN])
    return Tally(len(outcomes), int(sizes.sum()), int(counts[HOT]), int(size[HOT]), fetched, int(size[WRITTEN]))
