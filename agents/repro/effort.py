"""How much is spent on a figure, and where."""

from dataclasses import dataclass

from agents.simulation.running import HERE, Runner


@dataclass(frozen=True)
class Effort:
    """What the simulations are given."""

    seed: int = 1
    """Everything sampled is a function of it, wherever it runs."""

    quick: bool = False
    """A minute for everything instead of ten: the same figures with wider intervals."""

    runner: Runner = HERE

    def count(self, whole: int, quick: int) -> int:
        """How many to simulate."""
        return quick if self.quick else whole
