"""The simulators' kernels, whatever state numba's cache is in, and the seeds of their random numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from agents.kernels.cache import despite_damage


def slot_lives() -> Callable[..., None]:
    """`agents.kernels.slot_lives.live`."""

    def load() -> Callable[..., None]:
        from agents.kernels.slot_lives import live

        return live  # type: ignore[no-any-return]

    return despite_damage(load)


def group_lives() -> Callable[..., None]:
    """`agents.kernels.group_lives.live`."""

    def load() -> Callable[..., None]:
        from agents.kernels.group_lives import live

        return live  # type: ignore[no-any-return]

    return despite_damage(load)


def group_order() -> tuple[Callable[..., float], Callable[..., None]]:
    """`agents.kernels.group_order`'s ``depart`` and ``evict``."""

    def load() -> tuple[Callable[..., float], Callable[..., None]]:
        from agents.kernels.group_order import depart, evict

        return depart, evict

    return despite_damage(load)


def seeded(seed: np.random.SeedSequence) -> Any:
    """The state of a kernel's random numbers, (4,) uint64, that ``seed`` gives."""
    return seed.generate_state(4, np.uint64)
