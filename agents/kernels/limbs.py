"""Field elements as NumPy arrays: ``(..., 4)`` uint64, little-endian limbs, canonical (below the scalar order)."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.core.proofs.field import SCALAR_ORDER

Limbs = NDArray[np.uint64]
"""Shape (..., 4)."""


def from_ints(values: Iterable[int]) -> Limbs:
    """(n, 4) limbs of ``values``, each reduced."""
    data = b"".join((value % SCALAR_ORDER).to_bytes(32, "little") for value in values)
    return np.frombuffer(data, dtype=np.uint64).reshape(-1, 4)


def to_ints(limbs: NDArray[Any]) -> list[int]:
    """The elements of (n, 4) ``limbs`` as Python integers."""
    data = np.ascontiguousarray(limbs, dtype=np.uint64).tobytes()
    return [int.from_bytes(data[i : i + 32], "little") for i in range(0, len(data), 32)]
