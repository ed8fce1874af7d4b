"""Hashing of slots with the best kernel this CPU has, on all cores.

Shapes: cells are rows of bytes; field elements are (n, 4) uint64 limbs, little-endian, canonical. Kernels release the GIL.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from agents.core.errors import KernelUnavailable
from agents.kernels.cache import despite_damage
from agents.kernels.limbs import Limbs
from agents.kernels.threads import count as threads
from agents.kernels.threads import pool

VARIABLE = "HOLDFAST_KERNEL"
"""Environment variable that forces a kernel by name."""

BATCH_BYTES = 1 << 20
"""Bytes one thread hashes at a time: large enough to hide the call, small enough to bound memory."""

PARALLEL_PAIRS = 512
"""Pairs below which a compression is not worth another thread."""


@dataclass(frozen=True)
class Kernel:
    """One way to compute Poseidon2."""

    name: str
    hash_cells: Callable[[NDArray[np.uint8]], Limbs]
    """(n, cell bytes) -> (n, 4)."""
    compress: Callable[[Limbs, Limbs, int], Limbs]
    """(n, 4), (n, 4), key -> (n, 4)."""


def _portable() -> Kernel:
    from agents.kernels import portable

    def hash_cells(cells: NDArray[np.uint8]) -> Limbs:
        out = np.empty((cells.shape[0], 4), dtype=np.uint64)
        portable.hash_cells(cells, out)
        return out

    def compress(left: Limbs, right: Limbs, key: int) -> Limbs:
        out = np.empty((len(left), 4), dtype=np.uint64)
        portable.compress(left, right, key, out)
        return out

    return Kernel("portable", hash_cells, compress)


def _ifma() -> Kernel:
    from agents.kernels.wide import Sponge

    sponge = Sponge()
    return Kernel("ifma", sponge.hash_cells, sponge.compress)


def _ifma_supported() -> bool:
    from agents.kernels.forms import Wide

    return Wide.supported()


KERNELS: dict[str, tuple[Callable[[], bool], Callable[[], Kernel]]] = {
    "ifma": (_ifma_supported, _ifma),
    "portable": (lambda: True, partial(despite_damage, _portable)),
}
"""Name -> (whether this CPU can run it, how to load it), best first."""


def available_kernels() -> list[str]:
    """Names of the kernels this CPU can run, best first."""
    return [name for name, (supported, _) in KERNELS.items() if supported()]


@cache
def kernel_named(name: str) -> Kernel:
    """The kernel ``name``, loaded once. Raises KernelUnavailable."""
    if name not in KERNELS:
        raise KernelUnavailable(
            f"there is no hashing kernel {name!r}", "", f"Set {VARIABLE} to one of {', '.join(KERNELS)}, or unset it."
        )
    supported, load = KERNELS[name]
    if not supported():
        raise KernelUnavailable(
            f"the hashing kernel {name!r} cannot run here",
            "this CPU lacks AVX-512 IFMA",
            f"Unset {VARIABLE}, or set it to one of {', '.join(available_kernels())}.",
        )
    return load()


def default_kernel() -> Kernel:
    """The kernel HOLDFAST_KERNEL names, else the best one. Raises KernelUnavailable."""
    return kernel_named(os.environ.get(VARIABLE) or available_kernels()[0])


def hash_cells(data: Any, cell_bytes: int, kernel: Kernel | None = None) -> Limbs:
    """Hashes of the cells of ``data``, a buffer of a whole number of cells: (n, 4). Raises ValueError."""
    chosen = kernel or default_kernel()
    octets = np.frombuffer(data, dtype=np.uint8)
    if len(octets) % cell_bytes:
        raise ValueError(f"{len(octets)} bytes are not a whole number of cells of {cell_bytes} bytes")
    cells = octets.reshape(-1, cell_bytes)
    step = max(8, BATCH_BYTES // cell_bytes)
    parts = [cells[i : i + step] for i in range(0, len(cells), step)]
    if len(parts) == 1:
        return chosen.hash_cells(parts[0])
    return cast(Limbs, np.concatenate(list(pool().map(chosen.hash_cells, parts)) or [np.empty((0, 4), np.uint64)]))


def compress(left: Limbs, right: Limbs, key: int, kernel: Kernel | None = None) -> Limbs:
    """Tree nodes over pairs: (n, 4), (n, 4), key -> (n, 4). Raises ValueError for a node without a partner."""
    if left.shape != right.shape:
        raise ValueError(f"{len(left)} left nodes and {len(right)} right ones do not make pairs")
    chosen = kernel or default_kernel()
    workers = threads()
    if len(left) < PARALLEL_PAIRS or workers == 1:
        return chosen.compress(left, right, key)
    step = max(PARALLEL_PAIRS // 2, -(-len(left) // (2 * workers)))
    bounds = range(0, len(left), step)
    done = pool().map(lambda i: chosen.compress(left[i : i + step], right[i : i + step], key), bounds)
    return cast(Limbs, np.concatenate(list(done)))


def warm() -> list[str]:
    """Compile every kernel this CPU can run and leave its code on disk; their names."""
    names = available_kernels()
    for name in names:
        kernel = kernel_named(name)
        kernel.hash_cells(np.zeros((1, 31), dtype=np.uint8))
        kernel.compress(np.zeros((1, 4), dtype=np.uint64), np.zeros((1, 4), dtype=np.uint64), 0)
    return names
