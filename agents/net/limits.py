"""How much a server gives to whom, and how long it waits."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of one server. Times are in seconds."""

    connections: int = 256
    connections_per_host: int = 64
    header_seconds: float = 10.0
    """From accepting a connection to the end of its request's headers."""
    idle_seconds: float = 30.0
    """From an answer to the end of the next request's headers, on a connection that is kept."""
    document_seconds: float = 60.0
    """For a whole manifest or block list."""
    block_seconds: float = 30.0
    """For one block, in either direction."""
    linger_seconds: float = 5.0
    """How long the rest of a refused body is swallowed, so that its sender reads the refusal."""
    requests_per_second: float = 200.0
    requests_burst: int = 1000
    bytes_per_second: float = float(512 << 20)
    """What one reader (its signer, else its IP address) is served."""


class Buckets:
    """A token bucket for each key, of bounded number: the longest unused are forgotten."""

    def __init__(
        self, rate: float, burst: float, keys: int = 4096, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._keys = keys
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, tokens: float) -> float:
        """Takes ``tokens``; returns the seconds until the level is back at zero (0: there were enough)."""
        now = self._clock()
        level, seen = self._levels.pop(key, (self._burst, now))
        level = min(self._burst, level + (now - seen) * self._rate) - tokens
        self._levels[key] = (level, now)
        if len(self._levels) > self._keys:
            self._levels.popitem(last=False)
        return max(0.0, -level / self._rate)

    def try_take(self, key: str, tokens: float = 1.0) -> float:
        """As :meth:`take`, but takes nothing when there are too few: then the seconds to wait."""
        wait = self.take(key, tokens)
        if wait > 0:
            level, seen = self._levels[key]
            self._levels[key] = (level + tokens, seen)
        return wait

    async def paced(self, key: str, tokens: float) -> None:
        """Takes ``tokens`` and sleeps off the debt."""
        if (wait := self.take(key, tokens)) > 0:
            await asyncio.sleep(wait)
