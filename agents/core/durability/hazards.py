"""What a dataset is exposed to, and the code that it is stored with (Codex §5.1-5.4)."""

from dataclasses import dataclass
from math import inf, isfinite

from agents.core.errors import CodeParameters, Misuse

YEAR_SECONDS = 31_536_000
"""365 days."""

MAX_SLOTS = 256
"""The most slots that a dataset has."""

MAX_MISSES = 16
"""The most missed proofs after which a loss may count."""


def positive(name: str, value: float, *, endless: bool = False) -> None:
    """Raises Misuse unless ``value`` is a time above zero (and, unless ``endless``, finite)."""
    if not (value > 0 and (endless or isfinite(value))):
        raise Misuse(f"{name} cannot be {value}", "it must be a time above zero", "Give it in seconds, or like 30d.")


@dataclass(frozen=True)
class Code:
    """An erasure code over slots and when it is mended."""

    data: int
    """k: any so many slots rebuild the rest."""

    parity: int
    """m: so many slots may be lost at once."""

    repair_threshold: int = 1
    """l0: repair starts once so many slots are observed lost (lazy repair)."""

    misses: int = 1
    """l1: a lost slot is observed lost after so many missed proofs in a row."""

    def __post_init__(self) -> None:
        if self.data < 1 or self.parity < 0 or self.slots > MAX_SLOTS:
            raise CodeParameters(
                f"No code has {self.data} data and {self.parity} parity slots",
                f"there are at least 1 and 0 of them, and at most {MAX_SLOTS} together",
                "Choose others.",
            )
        if not 1 <= self.repair_threshold <= max(1, self.parity):
            raise CodeParameters(
                f"Repair cannot wait for {self.repair_threshold} lost slots",
                f"the threshold is at least 1, and {self.parity} parity slots survive no more losses",
                "Choose another threshold.",
            )
        if not 1 <= self.misses <= MAX_MISSES:
            raise CodeParameters(
                f"A loss cannot count after {self.misses} missed proofs", "", f"Choose 1 to {MAX_MISSES}."
            )

    @property
    def slots(self) -> int:
        """n = k + m."""
        return self.data + self.parity

    @property
    def expansion(self) -> float:
        """(k + m) / k: bytes stored a byte of data."""
        return self.slots / self.data


@dataclass(frozen=True)
class Hazards:
    """How often things fail, are noticed and are mended. All times are means of exponential ones, in seconds."""

    mttf: float
    """Mean time to failure of one slot on its own."""

    mttr: float
    """Mean time to reconstruct, from the observation that triggers it until every slot is back."""

    mtbp: float
    """Mean time between the proofs of one slot."""

    group_size: int = 1
    """So many slots share a fate (a disk, a site, an owner): slots 0..size-1, and so on; the last group may be smaller."""

    group_mttf: float = inf
    """Mean time until all the slots of a group are lost together, besides what they lose on their own."""

    def __post_init__(self) -> None:
        positive("The mean time to failure", self.mttf)
        positive("The mean time to reconstruct", self.mttr)
        positive("The mean time between proofs", self.mtbp)
        positive("The mean time to failure of a group", self.group_mttf, endless=True)
        if self.group_size < 1:
            raise Misuse(f"A group cannot have {self.group_size} slots", "", "Choose 1 or more.")

    @property
    def failing(self) -> float:
        """Rate at which one slot fails by itself, per second; a group of one slot is no group."""
        return 1 / self.mttf + (1 / self.group_mttf if self.group_size == 1 else 0.0)

    @property
    def striking(self) -> float:
        """Rate at which one group is struck, per second; 0 where no slots fail together."""
        return 1 / self.group_mttf if self.group_size > 1 else 0.0
