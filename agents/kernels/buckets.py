"""Bookkeeping of sums of points: which address belongs to which sum. Points themselves are never touched here.

A list of sums is ``entries``, addresses of points (lowest bit: the opposite), and ``starts``: sum i is of
``entries[starts[i]:starts[i + 1]]``. Compiled by numba, without the GIL.
"""

from typing import Any

import numpy as np
from numba import config, njit

from agents.kernels.cache import numba_folder

# Numba reads this when it meets each function below.
config.CACHE_DIR = str(numba_folder())


@njit(cache=True, nogil=True)
def cut(scalars: Any, width: Any, out: Any, first: Any, count: Any) -> None:
    """(n, 4) scalars into (windows, n) signed digits of ``width`` bits, from -2^(width - 1) to 2^(width - 1).

    It does so for ``count`` of them from ``first`` on. Windows are so many that the last digit takes the last carry.
    """
    windows = out.shape[0]
    half, mask = np.uint64(1 << (width - 1)), np.uint64((1 << width) - 1)
    for i in range(first, first + count):
        carry = np.uint64(0)
        for window in range(windows):
            bit = window * width
            word, shift = bit >> 6, bit & 63
            value = scalars[i, word] >> np.uint64(shift)
            if shift + width > 64 and word < 3:
                value |= scalars[i, word + 1] << np.uint64(64 - shift)
            digit = (value & mask) + carry
            carry = np.uint64(digit > half and window < windows - 1)
            out[window, i] = np.int64(digit) - (np.int64(carry) << width)


@njit(cache=True, nogil=True)
def fill(digits: Any, used: Any, buckets: Any, base: Any, stride: Any, entries: Any, starts: Any, at: Any) -> Any:
    """Sort the points of indices ``used`` by their digit: sum d - 1 takes those of d, and the opposites of those of -d.

    Entries are written from ``at`` on; the new end.
    """
    for bucket in range(buckets + 1):
        starts[bucket] = 0
    for point in used:
        starts[abs(digits[point])] += 1
    starts[0] = 0
    for bucket in range(buckets + 1):
        count = starts[bucket]
        starts[bucket] = at
        at += count
    # starts[d] is where bucket d begins; it moves to where the next begins, which is what starts[d] says of sum d.
    for point in used:
        digit = digits[point]
        if digit != 0:
            bucket = abs(digit)
            entries[starts[bucket]] = np.uint64(base + point * stride) | np.uint64(digit < 0)
            starts[bucket] += 1
    return at


@njit(cache=True, nogil=True)
def pair(entries: Any, starts: Any, left: Any, right: Any, out: Any, stride: Any) -> Any:
    """Two and two entries of every sum become one, at ``out`` and every ``stride`` bytes; how many there are."""
    pairs = write = 0
    end = starts[0]
    for i in range(starts.shape[0] - 1):
        at, end = end, starts[i + 1]
        starts[i] = write
        while at + 1 < end:
            left[pairs], right[pairs] = entries[at], entries[at + 1]
            entries[write] = np.uint64(out + pairs * stride)
            at += 2
            pairs += 1
            write += 1
        if at < end:
            entries[write] = entries[at]
            write += 1
    starts[starts.shape[0] - 1] = write
    return pairs


@njit(cache=True, nogil=True)
def drop(entries: Any, starts: Any, flags: Any, out: Any, stride: Any) -> None:
    """Leave out the entries that `pair` placed at ``out`` and whose flag is set."""
    write = 0
    end = starts[0]
    limit = out + flags.shape[0] * stride
    for i in range(starts.shape[0] - 1):
        at, end = end, starts[i + 1]
        starts[i] = write
        for k in range(at, end):
            place = np.int64(entries[k])
            if place < out or place >= limit or flags[(place - out) // stride] == 0:
                entries[write] = entries[k]
                write += 1
    starts[starts.shape[0] - 1] = write


@njit(cache=True, nogil=True)
def grid(entries: Any, starts: Any, windows: Any, buckets: Any, low: Any, out: Any, out_starts: Any) -> Any:
    """Sums of one point at most, d = 1 .. buckets in each window, by d's high part and by its low ``low`` bits.

    A window's new sums are of the high parts 1 .. buckets >> low, then of the low parts 1 .. 2^low - 1.
    """
    wide, high = 1 << low, buckets >> low
    write = segment = 0
    for window in range(windows):
        first = window * buckets
        for h in range(1, high + 1):
            out_starts[segment] = write
            segment += 1
            for d in range(h * wide, min((h + 1) * wide, buckets + 1)):
                if starts[first + d - 1] < starts[first + d]:
                    out[write] = entries[starts[first + d - 1]]
                    write += 1
        for rest in range(1, wide):
            out_starts[segment] = write
            segment += 1
            for d in range(rest, buckets + 1, wide):
                if starts[first + d - 1] < starts[first + d]:
                    out[write] = entries[starts[first + d - 1]]
                    write += 1
    out_starts[segment] = write
    return write


@njit(cache=True, nogil=True)
def binary(
    entries: Any, starts: Any, windows: Any, high: Any, low: Any, high_bits: Any, out: Any, out_starts: Any
) -> Any:
    """Sums of one point at most, as `grid` orders them, by the bits that are set in their part.

    A window's new sums are of the bits of the low part, then of those of the high part.
    """
    wide = 1 << low
    write = segment = 0
    for window in range(windows):
        first = window * (high + wide - 1)
        for bit in range(low):
            out_starts[segment] = write
            segment += 1
            for rest in range(1, wide):
                s = first + high + rest - 1
                if (rest >> bit) & 1 and starts[s] < starts[s + 1]:
                    out[write] = entries[starts[s]]
                    write += 1
        for bit in range(high_bits):
            out_starts[segment] = write
            segment += 1
            for h in range(1, high + 1):
                s = first + h - 1
                if (h >> bit) & 1 and starts[s] < starts[s + 1]:
                    out[write] = entries[starts[s]]
                    write += 1
    out_starts[segment] = write
    return write
