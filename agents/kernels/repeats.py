"""Intervals and stack distances of a window of requests, whatever state numba's cache is in."""

from collections.abc import Callable

from agents.kernels.cache import despite_damage


def repeats() -> Callable[..., int]:
    """`agents.kernels.stack_distances.repeats`."""

    def load() -> Callable[..., int]:
        from agents.kernels.stack_distances import repeats

        return repeats  # type: ignore[no-any-return]

    return despite_damage(load)
