"""The proofs of this process that wait: who is next, who has a place on the machine, who comes too late."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from agents.core.errors import TooLate
from agents.core.proofs.pace import Tally
from agents.core.proofs.queue import Agenda, Entry
from agents.proving.executor import Executor
from agents.proving.turns import Places, Turns

POLL_SECONDS = 0.02
"""Between two looks at what other processes do. What this one does is acted on at once."""

Clock = Callable[[], float]
"""UNIX seconds."""


class ProofQueue:
    """Lets as many proofs run as the executor takes and the machine has places for, earliest deadline first."""

    def __init__(self, executor: Executor, turns: Turns, tally: Tally, clock: Clock = time.time) -> None:
        self._executor = executor
        self._turns = turns
        self._tally = tally
        self._clock = clock
        self._agenda = Agenda()
        self._waiting: dict[Entry, asyncio.Future[Places]] = {}
        self._running: list[float] = []
        self._changed = asyncio.Event()
        self._usher: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Proofs that wait."""
        return len(self._agenda)

    @property
    def running(self) -> int:
        """Proofs whose turn it is."""
        return len(self._running)

    @property
    def due(self) -> float | None:
        """The nearest deadline of those that wait or run."""
        first = self._agenda.first
        return min([*self._running, *([first.deadline] if first else [])], default=None)

    @asynccontextmanager
    async def turn(self, deadline: float) -> AsyncIterator[None]:
        """Run the block when it is its turn; ``deadline`` (UNIX seconds) says whose is first.

        Raises TooLate instead, as soon as that deadline cannot be met any more; ProverUnavailable where the machine's queue
        cannot be used. A waiter that is cancelled leaves the queue.
        """
        places = await self._place(deadline)
        try:
            yield
        finally:
            self._end(deadline, places)

    async def _place(self, deadline: float) -> Places:
        entry = self._agenda.add(deadline)
        granted = self._waiting[entry] = asyncio.get_running_loop().create_future()
        self._changed.set()
        if self._usher is None or self._usher.done():
            self._usher = asyncio.create_task(self._attend())
        try:
            places: Places = await granted
        except asyncio.CancelledError:
            # It may have been granted in the same moment.
            if granted.done() and not granted.cancelled() and granted.exception() is None:
                self._end(deadline, granted.result())
            raise
        finally:
            self._waiting.pop(entry, None)
            self._agenda.drop(entry)
            self._changed.set()
        return places

    async def _attend(self) -> None:
        """Give places to those who wait, as long as somebody does."""
        try:
            while self._refuse_late():
                self._changed.clear()
                if not self._admit():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), POLL_SECONDS)
        except Exception as error:  # whatever it is, nobody must wait for ever
            for granted in self._waiting.values():
                if not granted.done():
                    granted.set_exception(error)
        finally:
            self._turns.leave()

    def _refuse_late(self) -> bool:
        """Turn away who comes too late; whether anybody still waits."""
        now, seconds = self._clock(), self._tally.known
        for entry in self._agenda.take_hopeless(now, seconds):
            self._tally.turned_away(now, guessed=entry.deadline > now)
            granted = self._waiting[entry]
            if not granted.done():
                granted.set_exception(_too_late(entry.deadline - now, seconds))
        return self._agenda.first is not None

    def _admit(self) -> bool:
        """Whether the first of those who wait has got a place."""
        first = self._agenda.first
        if first is None or len(self._running) >= self._executor.capacity:
            self._turns.leave()  # who cannot use a place must not stand in the way
            return False
        places = Places([]) if self._executor.cores == 0 else self._turns.take(first.deadline, self._executor.cores)
        if places is None:
            return False
        self._agenda.drop(first)
        granted = self._waiting[first]
        if granted.done():  # cancelled in this moment
            places.release()
        else:
            self._running.append(first.deadline)
            granted.set_result(places)
        return True

    def _end(self, deadline: float, places: Places) -> None:
        """Take back what was granted."""
        self._running.remove(deadline)
        places.release()
        self._changed.set()


def _too_late(left: float, seconds: float) -> TooLate:
    if left <= 0:
        why = f"its deadline passed {-left:.1f} s ago"
    else:
        why = f"it is due in {left:.1f} s and the last ones took {seconds:.1f} s each"
    return TooLate(
        "a proof was not begun, it would come too late",
        why,
        "If this happens again and again, hold fewer slots (a smaller --quota) or prove on more cores.",
    )
