"""256-bit numbers as files hold them: four 64-bit words each, least significant first, in NumPy arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.kernels.memory import Words

CHUNK = 1 << 16
"""Rows looked at together, so that what a check needs beside a large file stays small."""


def words_in(data: memoryview, width: int) -> Words:
    """(n, width) words over the bytes of ``data``, not copied: of a mapped file read-only, and maybe not aligned to 8 bytes."""
    return np.frombuffer(data, dtype="<u8").reshape(-1, width)


def first_not_below(values: NDArray[Any], order: int) -> int | None:
    """The first of (n, 4) ``values`` that is ``order`` or more; None when all are canonical."""
    limit = np.frombuffer(order.to_bytes(32, "little"), dtype="<u8")
    for start in range(0, len(values), CHUNK):
        part = values[start : start + CHUNK]
        # The top word settles nearly all.
        suspects = np.flatnonzero(part[:, 3] >= limit[3])
        if not len(suspects):
            continue
        rows = part[suspects]
        below = np.zeros(len(rows), dtype=np.bool_)
        for word in range(4):
            below = (rows[:, word] < limit[word]) | ((rows[:, word] == limit[word]) & below)
        if not below.all():
            return start + int(suspects[np.argmin(below)])
    return None
