"""What a cache asks for its bytes, and how far it goes ahead of payment."""

from dataclasses import dataclass, replace
from math import isqrt

from agents.core.channels.lanes import MAX_AMOUNT, MAX_TIME, invalid

MIB = 1 << 20

MIN_INTERVAL = 128 * 1024
"""Two blocks: a reader signs for whole blocks, so with less both sides could wait for one another."""
MAX_INTERVAL = 1 << 40

DEFAULT_INTERVAL = MIB
DEFAULT_GROWTH = MIB
DEFAULT_MAX_INTERVAL = 16 * MIB

DEFAULT_MARGIN = 300
"""Seconds a redemption is given to reach the chain."""


@dataclass(frozen=True)
class Terms:
    """The price of a byte, and the interval: how many bytes are served before they are paid.

    It grows with each interval paid, so that strangers risk little and long reads sign seldom (Myel's pay-as-you-go).
    """

    price: int
    """Base units for one byte of block content; whatever frames it is free."""
    interval: int = DEFAULT_INTERVAL
    """Bytes, in a lane that has paid nothing yet."""
    growth: int = DEFAULT_GROWTH
    """Bytes by which each interval paid lengthens the next."""
    max_interval: int = DEFAULT_MAX_INTERVAL
    """Bytes, at most."""
    minimal_deposit: int = 0
    """Base units a payer must have free on chain to be served a first interval before its lane is open."""
    margin: int = DEFAULT_MARGIN
    """Seconds before a lane's end from which it is served no more."""

    def __post_init__(self) -> None:
        if not 0 <= self.price <= MAX_AMOUNT:
            raise invalid(f"the price is {self.price} a byte")
        if not MIN_INTERVAL <= self.interval <= self.max_interval <= MAX_INTERVAL:
            raise invalid(f"the interval is {self.interval} .. {self.max_interval} bytes, not at least {MIN_INTERVAL}")
        if not 0 <= self.growth <= MAX_INTERVAL:
            raise invalid(f"the interval grows by {self.growth} bytes")
        if not 0 <= self.minimal_deposit <= MAX_AMOUNT or not 0 <= self.margin <= MAX_TIME:
            raise invalid("the minimal deposit or the margin is out of range")

    def window(self, paid: int) -> int:
        """Bytes a lane that paid ``paid`` is served ahead: both sides reckon it alike, and nobody loses more.

        After n intervals of I, I + G, I + 2 G ... bytes it is I + n G: the largest n whose sum, n I + G n (n - 1) / 2,
        is paid.
        """
        if self.growth == 0 or self.price == 0:
            return self.interval
        linear = 2 * self.interval - self.growth
        root = isqrt(linear * linear + 8 * self.growth * (paid // self.price))
        intervals = (root - linear) // (2 * self.growth)
        return min(self.interval + self.growth * intervals, self.max_interval)

    def usual(self) -> "Terms":
        """The same with intervals no longer than the usual: a reader may concede one, and a cache names how long it is."""
        return replace(
            self,
            interval=min(self.interval, DEFAULT_INTERVAL),
            growth=min(self.growth, DEFAULT_GROWTH),
            max_interval=min(self.max_interval, DEFAULT_MAX_INTERVAL),
        )

    @property
    def opening(self) -> int:
        """Base units signed for which a cache has a lane opened: half of a first interval."""
        return self.cost(self.interval) // 2

    def cost(self, size: int) -> int:
        """Base units for ``size`` bytes."""
        return size * self.price
