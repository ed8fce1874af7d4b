"""What a reader remembers of a cache, and which cache it asks first.

Everything is a small pure function of what was seen: how long a first byte took, how fast the rest came, what went wrong.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

FIRST_GUESS = 0.2
"""Seconds to the first byte expected of a cache never met."""
RATE_GUESS = float(4 << 20)
"""Bytes a second expected of it."""
MISS = 1.0
"""Seconds more for what a cache must first fetch itself."""
WEIGHT = 0.3
"""Of the newest measurement in the running mean."""
STALL_PAUSE = 60.0
"""Seconds a cache that stalled or is down is not asked, doubled with every time in a row."""
LONGEST_PAUSE = 86_400.0
LIE_PAUSE = 30 * 86_400.0
"""Seconds for one that sent bad bytes or took a payment and stopped: it may have changed hands in a month."""


@dataclass(frozen=True)
class Reputation:
    """One cache, as its reader knows it. Times are unix seconds."""

    latency: float = FIRST_GUESS
    rate: float = RATE_GUESS
    stalls: int = 0
    """In a row, whatever it said of itself in between."""
    reads: int = 0
    """That were good."""
    resting_until: float = 0.0
    """After it stalled."""
    banned_until: float = 0.0
    """After it lied."""
    why: str = ""

    def served(self, latency: float, size: int, seconds: float) -> "Reputation":
        """After an answer: its first byte after ``latency`` seconds, its ``size`` bytes in ``seconds`` more."""
        rate = size / max(seconds, 1e-6)
        rate = self.rate + WEIGHT * (rate - self.rate)
        return replace(self.answered(latency), rate=rate, stalls=0, resting_until=0.0, reads=self.reads + 1)

    def answered(self, latency: float) -> "Reputation":
        """After an answer so short that it says nothing of the rate, nor of reads."""
        return replace(self, latency=self.latency + WEIGHT * (latency - self.latency))

    def stalled(self, now: float, why: str) -> "Reputation":
        """After silence, a cut, or a refusal. What many who asked at once met is one fault."""
        if not self.welcome(now):
            return self
        pause = min(STALL_PAUSE * 2.0**self.stalls, LONGEST_PAUSE)
        return replace(self, stalls=min(self.stalls + 1, 32), resting_until=now + pause, why=why)

    def lied(self, now: float, why: str) -> "Reputation":
        """After bytes that do not match their CID, or a payment that bought nothing."""
        return replace(self, banned_until=now + LIE_PAUSE, why=why)

    def welcome(self, now: float) -> bool:
        """Whether it is asked again."""
        return now >= self.resting_until and not self.banned(now)

    def banned(self, now: float) -> bool:
        """Whether it is not asked even where nobody else is left."""
        return now < self.banned_until


@dataclass(frozen=True)
class Candidate:
    """A cache that may be asked for some segments."""

    cache: str
    price: int
    """Base units per byte."""
    held: float
    """Share of the segments that its summary says it has."""
    reputation: Reputation

    def seconds(self, size: int) -> float:
        """How long ``size`` bytes should take."""
        return self.reputation.latency + (1 - self.held) * MISS + size / self.reputation.rate


def ranked(candidates: Iterable[Candidate], size: int, worth: float, most: int, now: float) -> list[Candidate]:
    """The welcome candidates whose price is ``most`` per byte or less, best first.

    A second of waiting is as bad as ``worth`` base units: price and time in one sum, so that neither the cheapest nor the
    fastest wins whatever the other costs. Ties are in order of address.
    """
    asked = [each for each in candidates if each.price <= most and each.reputation.welcome(now)]
    return sorted(asked, key=lambda each: (each.price * size + worth * each.seconds(size), each.cache))
