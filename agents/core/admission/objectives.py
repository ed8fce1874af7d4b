"""What a cache is to be good at, as a weighted sum of four shares of what it is asked for (Darwin, section 3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from agents.core.errors import Misuse

EVENTS = ("hot requests", "hot bytes", "origin bytes", "written bytes")
"""What may become of a request, and what it counts for: 1, or its bytes. Served from memory; fetched; written to disk."""


@dataclass(frozen=True)
class Tally:
    """What became of some requests; sums of several by `+`."""

    requests: int = 0
    size: int = 0
    """Bytes asked for."""
    hot: int = 0
    """Requests served from memory."""
    hot_bytes: int = 0
    origin_bytes: int = 0
    """Fetched from elsewhere."""
    written_bytes: int = 0
    """Written to disk."""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.requests + other.requests, self.size + other.size, self.hot + other.hot, self.hot_bytes + other.hot_bytes,
            self.origin_bytes + other.origin_bytes, self.written_bytes + other.written_bytes,
        )  # fmt: skip

    @property
    def shares(self) -> Any:
        """Of each of the EVENTS, (4,), in [0, 1]."""
        size = max(self.size, 1)
        counted = (self.hot_bytes / size, self.origin_bytes / size, self.written_bytes / size)
        return np.array((self.hot / max(self.requests, 1), *counted))


@dataclass(frozen=True)
class Objective:
    """More of it is better."""

    name: str
    weights: tuple[float, float, float, float]
    """Of the shares of EVENTS."""
    base: float = 0.0
    """What is had whatever the shares are."""

    @property
    def hits_alone(self) -> bool:
        """Whether nothing counts but what memory serves."""
        return not any(self.weights[2:])

    def reward(self, shares: Any) -> Any:
        """Of ``shares`` (..., 4): (...)."""
        return shares @ np.array(self.weights) + self.base


OBJECT_HITS = Objective("objects", (1.0, 0.0, 0.0, 0.0))
"""Requests served from memory, of all."""

BYTE_HITS = Objective("bytes", (0.0, 1.0, 0.0, 0.0))
"""Bytes served from memory, of all."""

DISK_WRITES = Objective("writes", (0.0, 0.0, 0.0, -1.0))
"""Bytes written to disk, of all; the fewer the better."""


def earnings(income: float, origin: float, reading: float, writing: float) -> Objective:
    """What a byte that is asked for leaves: vouchers less what is paid elsewhere and what wears the disk.

    Each in the same unit a byte: ``income`` of a byte served, ``origin`` of one fetched, ``reading`` of one read from disk,
    ``writing`` of one written to it. Raises Misuse below zero.
    """
    if min(income, origin, reading, writing) < 0:
        raise Misuse("A price cannot be below zero", "", "Choose 0 or more.")
    # What is neither in memory nor fetched is read from disk: 1 - hot bytes - origin bytes.
    return Objective("earnings", (0.0, reading, reading - origin, -writing), income - reading)


EARNINGS = earnings(1.0, 0.5, 0.05, 0.05)
"""With prices of a cache that buys at half of what it sells for."""

OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {objective.name: objective for objective in (OBJECT_HITS, BYTE_HITS, DISK_WRITES, EARNINGS)}
)
"""By name, as options give it."""


def objective(name: str) -> Objective:
    """The one of that name. Raises Misuse."""
    if name not in OBJECTIVES:
        raise Misuse(f"{name} is no objective", "", f"Choose one of {', '.join(OBJECTIVES)}.")
    return OBJECTIVES[name]
