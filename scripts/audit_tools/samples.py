"""A seeded sample of the mutants, with every file in it."""

from __future__ import annotations

import random
from collections import defaultdict

from .mutants import Mutant, stillborn

AT_LEAST = 6
"""Mutants of a small file in a sample, where it has as many."""


def sample(mutants: list[Mutant], size: int, seed: int) -> list[Mutant]:
    """About ``size`` mutants that compile, never fewer if there are as many: from each file in proportion."""
    by_file: defaultdict[str, list[Mutant]] = defaultdict(list)
    for mutant in mutants:
        by_file[mutant.file].append(mutant)
    drawn = []
    for file, population in sorted(by_file.items()):
        quota = max(AT_LEAST, -(-size * len(population) // len(mutants)))
        order = random.Random(f"{seed} {file}").sample(population, len(population))
        chosen: list[Mutant] = []
        while order and len(chosen) < quota:
            batch, order = order[: quota - len(chosen)], order[quota - len(chosen) :]
            dead = stillborn(batch)
            chosen += [mutant for mutant in batch if mutant not in dead]
        drawn += sorted(chosen, key=lambda mutant: mutant.start)
    return drawn
