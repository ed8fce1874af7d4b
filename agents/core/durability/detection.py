"""What a proof's random samples catch, of a slot coded within itself, and how soon (Codex §4.3).

A proof opens j cells drawn with replacement among all cells of the slot, its virtual padding to a power of two included. A
share x of them lost is caught with probability 1 - (1 - x)^j; a sample in the padding catches nothing. A small loss is seldom
caught, but the slot's own code mends it: what counts is the smallest loss that it cannot mend.
"""

from dataclasses import dataclass
from math import ceil, comb, exp, expm1, isfinite, log, log1p

from agents.core.durability.hazards import positive
from agents.core.errors import CodeParameters, Misuse

LONGEST = 65_536
"""Cells of one codeword at most: a Reed-Solomon code over GF(2^16) has no more symbols."""


@dataclass(frozen=True)
class CodedSlot:
    """A slot's cells. Cell i of the data, and of the parity, belongs to codeword i mod c."""

    data_cells: int
    """n0, in all codewords together."""

    parity_cells: int
    """p0, in all codewords together; 0 for a slot without a code of its own."""

    codewords: int = 1
    """c: interleaved ones, each mended by itself."""

    def __post_init__(self) -> None:
        if self.data_cells < 1 or self.parity_cells < 0 or not 1 <= self.codewords <= self.data_cells:
            raise CodeParameters(
                f"No slot has {self.data_cells} data and {self.parity_cells} parity cells in {self.codewords} codewords",
                "there is data, and some in each codeword",
            )
        longest = -(-self.data_cells // self.codewords) - (-self.parity_cells // self.codewords)
        if self.parity_cells and longest > LONGEST:
            raise CodeParameters(
                f"A codeword cannot have {longest} cells", f"it has {LONGEST} at most", "Use more codewords."
            )

    @property
    def padded_cells(self) -> int:
        """What samples are drawn from: the slot's cells, filled up to a power of two."""
        return 1 << (self.data_cells + self.parity_cells - 1).bit_length()

    @property
    def fatal_cells(self) -> int:
        """The fewest cells whose loss cannot be mended: one more than the parity of the codeword with the least of it."""
        return self.parity_cells // self.codewords + 1

    @property
    def fatal_share(self) -> float:
        """The share x of all that samples are drawn from which an attacker must lose to make the slot unmendable."""
        return self.fatal_cells / self.padded_cells

    def share(self, lost_cells: int) -> float:
        """The share x that ``lost_cells`` are of all that samples are drawn from. Raises Misuse."""
        if not 0 <= lost_cells <= self.data_cells + self.parity_cells:
            raise Misuse(f"The slot cannot lose {lost_cells} cells", "it does not have so many")
        return lost_cells / self.padded_cells


def catch_probability(share: float, samples: int) -> float:
    """Probability that one proof of so many samples meets a lost cell: 1 - (1 - share)^samples. Raises Misuse."""
    _checked(share, samples)
    return -expm1(samples * log1p(-share)) if share < 1 else 1.0


def samples_for(share: float, miss: float) -> int:
    """The fewest samples with which one proof fails to catch such a loss with probability ``miss`` at most. Raises Misuse."""
    _checked(share, 1)
    if not 0 < miss < 1 or share == 0:
        raise Misuse(
            f"No number of samples misses a loss of {share} with probability {miss}",
            "both are above 0, and miss below 1",
        )
    if share == 1:
        return 1
    return max(1, ceil(log(miss) / log1p(-share) * (1 - 1e-12)))


@dataclass(frozen=True)
class Proofs:
    """How a slot is examined: in each period a proof is required with probability 1/``one_in``."""

    period: float
    """Seconds."""

    one_in: int
    """p, the market's proof probability: periods from one proof to the next, on average."""

    samples: int
    """Cells opened by one proof."""

    def __post_init__(self) -> None:
        positive("The period", self.period)
        if self.one_in < 1 or self.samples < 1:
            raise Misuse(
                f"Proofs of {self.samples} samples once in {self.one_in} periods cannot be", "", "Choose 1 or more."
            )

    @property
    def mtbp(self) -> float:
        """Mean time between proofs, seconds."""
        return self.period * self.one_in

    def caught_a_period(self, share: float) -> float:
        """Probability that a period has a proof and that it catches the loss of ``share``."""
        return catch_probability(share, self.samples) / self.one_in

    def mean_time_to_catch(self, share: float, misses: int = 1) -> float:
        """Seconds from the loss to the end of the period of the ``misses``-th proof that catches it; inf for no loss."""
        _at_least_one(misses)
        caught = self.caught_a_period(share)
        return misses * self.period / caught if caught else float("inf")

    def caught_within(self, share: float, duration: float, misses: int = 1) -> float:
        """Probability that at least ``misses`` proofs catch the loss in the whole periods of ``duration`` seconds."""
        positive("The duration", duration)
        _at_least_one(misses)
        return self._caught(self.caught_a_period(share), int(duration // self.period), misses)

    @staticmethod
    def _caught(caught: float, periods: int, misses: int) -> float:
        # Binomial: of so many periods, each catches by itself.
        if periods < misses:
            return 0.0
        if misses == 1:
            return -expm1(periods * log1p(-caught)) if caught < 1 else 1.0
        if caught == 1:
            return 1.0
        fewer = (comb(periods, hits) * caught**hits * exp((periods - hits) * log1p(-caught)) for hits in range(misses))
        return max(0.0, 1.0 - sum(fewer))


def _at_least_one(misses: int) -> None:
    if misses < 1:
        raise Misuse(f"A loss cannot count after {misses} missed proofs", "there is at least one", "Choose 1 or more.")


def _checked(share: float, samples: int) -> None:
    if not (isfinite(share) and 0 <= share <= 1):
        raise Misuse(f"A slot cannot have lost {share} of its cells", "", "Choose a share from 0 to 1.")
    if samples < 1:
        raise Misuse(f"A proof cannot have {samples} samples", "", "Choose 1 or more.")
