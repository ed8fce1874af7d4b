"""What the papers print, and what their authors published of the figures: nothing here is ours.

Codex: whitepaper, Table 1 and section 5. Vault: section 6 and the data of its figures; 100,000 nodes, inner code k_in = 32 with
R fragments, outer code of 10 chunks of which 8 recover the object, averages of ten seeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# --- Codex ---


@dataclass(frozen=True)
class SmallestCode:
    """A row of Table 1: the fewest slots whose yearly loss is below the target."""

    expansion: float
    """(k + m) / k"""

    threshold: int
    """l0: observed losses that trigger a repair."""

    data: int
    """k"""

    parity: int
    """m"""


MEAN_TIME_TO_FAILURE_DAYS = 365
MEAN_TIME_TO_REPAIR_DAYS = 1
MEAN_TIME_BETWEEN_PROOFS_DAYS = 1
TARGET_LOSS = 1e-9
"""Of a dataset within a year."""

TABLE_1 = (
    SmallestCode(1.5, 1, 18, 9),
    SmallestCode(2.0, 1, 7, 7),
    SmallestCode(2.5, 1, 4, 6),
    SmallestCode(1.5, 5, 28, 14),
    SmallestCode(2.0, 5, 13, 13),
    SmallestCode(2.5, 5, 8, 12),
)

SIX_NINES_MISSED = 1e-6
"""Of losses, where 99.9999 % are found."""
SAMPLES_FOR_SIX_NINES: Mapping[str, int] = {"1/2": 20, "1/3": 35, "1/4": 49, "1/10": 132, "1/100": 1375}
"""Figure 3's formula 1 - (1 - x)^j: samples j that find a loss of share x with a probability of 99.9999 %."""

# --- Vault ---

NODES = 100_000
K_IN = 32
R = 80
K_OUT = 8
N_OUT = 10
CHURN = 4.0
"""Departures per node and year."""

REPLICAS = 3

FIRST_YEAR_REPLICATED = 12.14
"""Figure 4a: object sizes moved in the first year per object."""

FIRST_YEAR_BY_CACHE_HOURS: Mapping[int, float] = {0: 528.64, 6: 405.98, 12: 311.55, 24: 185.01, 48: 64.95}

CHURNS = (1, 2, 3, 4, 5, 6, 7, 8)
TEN_YEARS_REPLICATED = (30.1, 60.1, 89.8, 120.2, 150.0, 180.0, 210.3, 239.7)
"""Figure 4b: object sizes moved in ten years per object, at churns 1 to 8."""

TEN_YEARS_BY_CACHE_HOURS: Mapping[int, tuple[float, ...]] = {
    0: (1185.9, 2242.0, 3268.5, 4298.6, 5330.7, 6326.2, 7347.6, 8348.9),
    24: (927, 1405, 1657, 1764, 1752, 1719, 1644, 1553),
    48: (728, 889, 850, 762, 665, 581, 517, 470),
}


@dataclass(frozen=True)
class Alive:
    """Fragments of one chunk on honest nodes in ten years."""

    least: float
    mean: float
    most: float


BYZANTINE_OF_FIGURE_5 = 0.33
ALIVE: Mapping[int, Alive] = {80: Alive(35, 49.0, 61), 100: Alive(45, 57.7, 75)}
"""Figure 5, by R."""

LOST_BY_BYZANTINE: Mapping[int, Mapping[float, float]] = {
    80: {0.28: 0.0, 0.32: 2.1, 0.36: 97.5, 0.40: 100.0},
    100: {0.40: 0.0, 0.44: 57.9, 0.48: 100.0},
    120: {0.44: 0.0, 0.48: 0.1, 0.52: 85.1},
}
"""Figure 6a, by R: percent of objects lost by share of Byzantine nodes."""

LOST_REPLICATED: Mapping[float, float] = {0.04: 100.0}

LOST_BY_ATTACKED: Mapping[int, Mapping[float, float]] = {
    14: {0.148: 0.15, 0.181: 0.6, 0.213: 1.65, 0.30: 12.6},
    12: {0.302: 49.0},
    10: {0.039: 1.1, 0.18: 47.0},
}
"""Figure 6b, by chunks per object (8 recover it): percent of objects lost by share of nodes attacked."""
