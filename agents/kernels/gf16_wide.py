"""The code over GF(2^16) as LLVM IR on one of `gf16_products.WAYS`, compiled once by llvmlite, kept on disk.

Columns are independent: a strip of them, some bytes of every row, is brought into a workspace (its words apart into low and
high bytes, in pairs of vectors), transformed there, and put back.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.kernels.compiled import compiled_once
from agents.kernels.gf16_field import Layout, Symbols
from agents.kernels.gf16_plan import Mending, Octets, stride
from agents.kernels.gf16_products import WAYS, Products
from agents.kernels.gf16_transforms import write
from agents.kernels.memory import aligned

WORKSPACE = 1 << 19
"""Bytes of a workspace, where a strip of one pair of vectors does not ask for more: about half of a core's own cache."""

Tables = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


@cache
def _widest(way: type[Products], size: int, rows: int) -> int:
    """Bytes of a strip of rows of ``size`` bytes, of which ``rows`` are in the workspace."""
    pair = 2 * way.size
    return max(pair, min(size, WORKSPACE // rows) // pair * pair)


class Code:
    """The compiled routines of one way to multiply."""

    def __init__(self, name: str) -> None:
        self.way = WAYS[name]
        code = compiled_once(f"gf16 {name}", lambda: write(self.way))
        self._encode, self._rebuild = code.routine("encode", 11), code.routine("rebuild", 14)

    def table(self, constants: Symbols) -> NDArray[Any]:
        """(n,) constants -> what the routines multiply with."""
        return self.way.table(constants)

    def encode(self, data: Octets, parity: Octets, shape: Layout, table: NDArray[Any]) -> None:
        """Parity rows of data rows."""
        whole, rest = self._cut(data.shape[1])
        if whole:
            strip = _widest(self.way, whole, 2 * shape.space)
            work = aligned(2 * shape.space * strip // 8)
            rows = data.ctypes.data, stride(data), len(data), parity.ctypes.data, stride(parity), len(parity)
            log = shape.space.bit_length() - 1
            self._encode(*rows, work.ctypes.data, log, whole, strip, table.ctypes.data)
        if rest:
            padded = np.zeros((len(data), 2 * self.way.size), dtype=np.uint8)
            padded[:, :rest] = data[:, whole:]
            found = np.empty((len(parity), 2 * self.way.size), dtype=np.uint8)
            self.encode(padded, found, shape, table)
            parity[:, whole:] = found[:, :rest]

    def rebuild(self, shards: Octets, plan: Mending, tables: Tables) -> None:
        """The lost rows, in place."""
        whole, rest = self._cut(shards.shape[1])
        if whole:
            length = len(plan.rows)
            strip = _widest(self.way, whole, length)
            work = aligned(length * strip // 8)
            twiddles, scales, unscales = (table.ctypes.data for table in tables)
            lost = plan.lost.ctypes.data, plan.targets.ctypes.data, unscales, len(plan.lost)
            points = plan.rows.ctypes.data, plan.live, scales
            sizes = length.bit_length() - 1, whole, strip
            self._rebuild(shards.ctypes.data, stride(shards), *points, *lost, work.ctypes.data, *sizes, twiddles)
        if rest:
            padded = np.zeros((len(shards), 2 * self.way.size), dtype=np.uint8)
            padded[:, :rest] = shards[:, whole:]
            self.rebuild(padded, plan, tables)
            shards[plan.targets, whole:] = padded[plan.targets, :rest]

    def _cut(self, size: int) -> tuple[int, int]:
        """Bytes of a row that are pairs of whole vectors, and those left."""
        rest = size % (2 * self.way.size)
        return size - rest, rest
