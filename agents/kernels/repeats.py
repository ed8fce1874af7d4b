"""What a window of requests tells of its traffic, whatever state numba's cache is in."""

from collections.abc import Callable

from agents.kernels.cache import despite_damage


def repeats() -> Callable[..., int]:
    """`agents.kernels.stack_distances.repeats`."""

    def load() -> Callable[..., int]:
        from agents.kernels.stack_distances import repeats

        return repeats  # type: ignore[no-any-return]

    return despite_damage(load)


def miniatures() -> Callable[..., None]:
    """`agents.kernels.miniature_caches.replay`."""

    def load() -> Callable[..., None]:
        from agents.kernels.miniature_caches import replay

        return replay  # type: ignore[no-any-return]

    return despite_damage(load)


def number() -> Callable[..., int]:
    """`agents.kernels.numbering.number`."""

    def load() -> Callable[..., int]:
        from agents.kernels.numbering import number

        return number  # type: ignore[no-any-return]

    return despite_damage(load)
