"""One fetch for all who wait for the same, and the first of many for one."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass
class _Flight(Generic[Value]):
    task: "asyncio.Task[Value]"
    waiting: int = 0


class SingleFlight(Generic[Key, Value]):
    """Work under way, one task a key."""

    def __init__(self) -> None:
        self._flights: dict[Key, _Flight[Value]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def run(self, key: Key, work: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """What ``work`` gives or raises, done once for all who ask while it is under way.

        It goes on as long as anybody waits for it, and is cancelled when the last one gives up.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(work()))
            flight.task.add_done_callback(lambda _: self._ended(key, flight))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._ended(key, flight)
                flight.task.cancel()

    def _ended(self, key: Key, flight: _Flight[Value]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


async def first_good(tasks: Iterable["asyncio.Task[Value]"]) -> "asyncio.Task[Value]":
    """The first task that succeeds; the others are cancelled. Raises the last one's error where all fail."""
    pending = set(tasks)
    try:
        while True:
            ended, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                fault = task.exception()
                if fault is None:
                    return task
            if not pending:
                assert fault is not None
                raise fault
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
