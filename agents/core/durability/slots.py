"""How long a dataset's slots last under lazy repair: Codex's continuous-time Markov chain (§5.4), exact.

Slots fail independently at rate 1/MTTF (and, with groups, together at 1/group MTTF); each lost slot misses proofs at rate
1/MTBP and is observed lost after l1 misses; once l0 are observed, repair brings all back at rate 1/MTTR, while more may
still fail; the dataset is lost when more than m slots are. All slots are there at the start.
"""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import inf

from agents.core.durability.cycles import Cycle, cycles
from agents.core.durability.hazards import MAX_SLOTS, YEAR_SECONDS, Code, Hazards, positive
from agents.core.errors import CodeParameters, Misuse, OutOfReach

__all__ = [
    "MAX_SLOTS", "YEAR_SECONDS", "Code", "Hazards", "family", "loss_by_mtbp", "loss_by_slots", "loss_probability",
    "mean_time_to_loss", "repairs_per_second", "slots_lost_per_repair", "smallest",
]  # fmt: skip

BATCH = 16
"""Codes tried at once in a search."""


def mean_time_to_loss(code: Code, hazards: Hazards) -> float:
    """Seconds until the dataset is lost, on average (MTTA, §5.4); infinite above what a float holds."""
    return _cycle(code, hazards).mean_time_to_loss


def loss_probability(code: Code, hazards: Hazards, duration: float) -> float:
    """Probability that the dataset is lost within ``duration`` seconds, 1 - exp(-duration / MTTA), as the paper does."""
    positive("The duration", duration)
    return _cycle(code, hazards).loss_within(duration)


def repairs_per_second(code: Code, hazards: Hazards) -> float:
    """Repairs of one dataset a second, in the long run."""
    return _cycle(code, hazards).repairs_per_second


def slots_lost_per_repair(code: Code, hazards: Hazards) -> float:
    """Slots that one repair writes, on average: those lost by its end. Besides it reads k slots."""
    return _cycle(code, hazards).lost_slots


def family(expansion: float, threshold: int, misses: int = 1) -> list[Code]:
    """Every code of at most 256 slots with exactly this expansion and a threshold it can have, smallest first.

    Raises Misuse when the expansion is not above 1, CodeParameters when no code has it.
    """
    if not 1 < expansion < inf:
        raise Misuse(
            f"The expansion cannot be {expansion}", "a code stores more than the data", "Choose like 1.5 or 2."
        )
    ratio = Fraction(expansion).limit_denominator(MAX_SLOTS)
    data, slots = ratio.denominator, ratio.numerator
    parity = slots - data
    codes = [
        Code(data * times, parity * times, threshold, misses)
        for times in range(1, MAX_SLOTS // slots + 1)
        if parity * times >= threshold
    ]
    if not codes:
        raise CodeParameters(
            f"No code of at most {MAX_SLOTS} slots has an expansion of {expansion} and waits for {threshold} losses", "",
            "Choose a rounder expansion, like 1.5 or 2, or a lower threshold.",
        )  # fmt: skip
    return codes


def smallest(
    expansion: float, threshold: int, hazards: Hazards, target: float, duration: float, misses: int = 1
) -> Code:
    """The code with the fewest slots that is lost within ``duration`` seconds with probability below ``target``.

    Raises OutOfReach when none of at most 256 slots is, Misuse and CodeParameters as ``family``.
    """
    positive("The duration", duration)
    if not 0 < target < 1:
        raise Misuse(f"The target cannot be {target}", "it is a probability above 0 and below 1", "Choose like 1e-9.")
    codes = family(expansion, threshold, misses)
    for start in range(0, len(codes), BATCH):
        batch = codes[start : start + BATCH]
        for code, cycle in zip(batch, cycles(batch, hazards), strict=True):
            if cycle.loss_within(duration) < target:
                return code
    raise OutOfReach(
        f"No code of at most {MAX_SLOTS} slots with expansion {expansion} loses data with a probability below {target}",
        "slots fail too often, or losses are seen or mended too late",
        "Ask for less, or for a larger expansion, a lower threshold, or more frequent proofs.",
    )


def loss_by_slots(
    expansion: float, threshold: int, hazards: Hazards, duration: float, most_slots: int = MAX_SLOTS, misses: int = 1
) -> list[tuple[Code, float]]:
    """Figure 9: each code of at most ``most_slots`` with this expansion, and the probability that it loses the dataset."""
    positive("The duration", duration)
    codes = [code for code in family(expansion, threshold, misses) if code.slots <= most_slots]
    found = cycles(codes, hazards) if codes else []
    return [(code, cycle.loss_within(duration)) for code, cycle in zip(codes, found, strict=True)]


def loss_by_mtbp(code: Code, hazards: Hazards, intervals: Sequence[float], duration: float) -> list[float]:
    """Figure 10: the probability of a loss for each mean time between proofs, in seconds, all else as in ``hazards``."""
    return [loss_probability(code, replace(hazards, mtbp=interval), duration) for interval in intervals]


def _cycle(code: Code, hazards: Hazards) -> Cycle:
    return cycles([code], hazards)[0]
