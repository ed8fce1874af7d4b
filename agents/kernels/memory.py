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


def on_a_line(words: Words) -> Words:
    """``words`` where they are, if that is a 64-byte boundary and they follow each other; else a copy."""
    if words.flags.c_contiguous and words.ctypes.data % 64 == 0:
        return words
    found = aligned(words.size).reshape(words.shape)
    found[:] = words
    return found
