"""Arrays that begin on a cache line, as vector loads need."""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
"""64-bit words; elements are rows of four, least significant first."""


def aligned(words: int) -> Words:
    """As many words on a 64-byte boundary, with whatever they hold."""
    raw = np.empty(words + 8, dtype=np.uint64)
    start = (-raw.ctypes.data % 64) // 8
    return raw[start : start + words]
