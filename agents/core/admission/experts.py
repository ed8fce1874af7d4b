"""Darwin's experts: the thresholds (f, s) among which a cache learns to choose (Darwin, section 4)."""

from dataclasses import dataclass
from functools import cached_property

from agents.core.dataset.segments import SEGMENT_BYTES
from agents.core.errors import Misuse
from agents.core.units import parse_count, parse_size

KB = 1_000


@dataclass(frozen=True)
class Expert:
    """Objects go into memory from their ``frequency``-th request on, if they are smaller than ``size`` bytes."""

    frequency: int
    size: int

    def __post_init__(self) -> None:
        if self.frequency < 1 or self.size < 1:
            raise Misuse("An expert's thresholds are too low", "both must be 1 or more", "Choose like static:2,100000.")

    @classmethod
    def parse(cls, text: str) -> "Expert":
        """Of ``3,500KiB``, as a person types it. Raises Misuse."""
        frequency, _, size = text.partition(",")
        try:
            return cls(parse_count(frequency), parse_size(size))
        except Misuse as error:
            why = error.why or error.what
            raise Misuse(f"static:{text} is no static expert", why, "Type it like static:3,500KiB.") from error

    @cached_property
    def name(self) -> str:
        """Like f2s100: the second request, and less than 100 KB."""
        return f"f{self.frequency}s{self.size // KB}"


FREQUENCIES = (2, 3, 4, 5, 6, 7)
SIZES = (10 * KB, 20 * KB, 50 * KB, 100 * KB, 500 * KB, SEGMENT_BYTES + 1)
"""The paper's last is 1,000 KB; here it lets a whole segment in."""

EXPERTS = tuple(Expert(frequency, size) for frequency in FREQUENCIES for size in SIZES)
"""Those of the paper, in the order of every array that has an entry an expert."""


def beside(at: int) -> tuple[int, ...]:
    """The positions in EXPERTS that are one step in frequency or in size from position ``at``."""
    frequency, size = divmod(at, len(SIZES))
    steps = ((frequency - 1, size), (frequency + 1, size), (frequency, size - 1), (frequency, size + 1))
    return tuple(f * len(SIZES) + s for f, s in steps if 0 <= f < len(FREQUENCIES) and 0 <= s < len(SIZES))
