"""Darwin in a live cache: requests go by the expert in force, and windows of them to the controller."""

from array import array
from collections.abc import Callable, Hashable
from dataclasses import replace

import numpy as np

from agents.core.admission.controller import Controller, State
from agents.core.admission.experts import Expert
from agents.core.admission.objectives import Tally
from agents.core.admission.policy import Counts, Decision, Found
from agents.core.admission.windows import window


class Darwin:
    """A policy that learns (agents/core/admission/policy.py). ``capacity``: bytes of the hot cache.

    The controller's steps take long: a window is handed out by `due`, and until it was gone through the expert stays in
    force. A window that is full before the one before it was asked for takes its place.
    """

    def __init__(self, controller: Controller, capacity: int) -> None:
        self._controller = controller
        self._capacity = capacity
        self._state = controller.begin()
        self._expert = controller.expert(self._state)
        self._counts = Counts()
        self._keys, self._sizes, self._ordinals = array("q"), array("q"), array("q")
        """Of the window's requests, and of those remembered before it."""
        self._requests = 0
        self._within = 0
        """Requests of the window so far."""
        self._tally = Tally()
        self._full: Callable[[], None] | None = None

    @property
    def state(self) -> State:
        """The controller's."""
        return self._state

    @property
    def expert(self) -> Expert:
        """The one in force."""
        return self._expert

    def request(self, key: Hashable, size: int, found: Found) -> Decision:
        """As Admission."""
        count = self._counts.add(key)
        self._keys.append(hash(key))
        self._sizes.append(size)
        self._ordinals.append(count)
        self._requests += 1
        self._within += 1
        length = self._controller.lengths.window
        if self._within > length // 2:
            self._tally += _became(found, size, count)
        if self._within == length:
            self._close()
        return Decision(hot=count >= self._expert.frequency and size < self._expert.size, disk=True)

    def due(self) -> Callable[[], None] | None:
        """As Learning."""
        work, self._full = self._full, None
        return work

    def _close(self) -> None:
        """The window is full: the next one begins, and remembers some of it."""
        keys, sizes, ordinals = (np.array(part) for part in (self._keys, self._sizes, self._ordinals))
        times = np.arange(self._requests - len(keys), self._requests)
        first, tally = len(keys) - self._within, self._tally

        def step() -> None:
            seen = window(keys, sizes, ordinals, times, first, self._capacity, tally)
            self._state = self._controller.step(self._state, seen)
            self._expert = self._controller.expert(self._state)

        self._full = step
        self._within, self._tally = 0, Tally()
        forgotten = max(0, len(keys) - self._controller.lengths.history)
        for part in (self._keys, self._sizes, self._ordinals):
            del part[:forgotten]


def _became(found: Found, size: int, count: int) -> Tally:
    """What became of one request: the second time it is fetched, an object is written to disk."""
    tally = Tally(requests=1, size=size)
    if found is Found.HOT:
        return replace(tally, hot=1, hot_bytes=size)
    if found is Found.ORIGIN:
        return replace(tally, origin_bytes=size, written_bytes=size if count > 1 else 0)
    return tally
