"""Ways to compute the code over GF(2^16) behind one signature: strips of columns through routines of addresses and counts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.kernels.gf16_field import Layout, Symbols
from agents.kernels.gf16_plan import Mending, Octets, stride
from agents.kernels.memory import aligned

WORKSPACE = 1 << 19
"""Bytes of a workspace, where a strip of one unit does not ask for more: about half of a core's own cache."""

Table = NDArray[np.uint8]
Tables = tuple[Table, Table, Table]
"""Of twiddles, scales and unscales."""


@dataclass(frozen=True)
class Kernel:
    """One way to compute the code; rows are ``direct`` and of an even number of bytes."""

    name: str
    unit: int
    """Bytes of a row that are always computed together."""
    spare: int
    """Bytes needed behind a workspace."""
    low: NDArray[np.uint64]
    high: NDArray[np.uint64]
    """What the routines multiply with, for each constant of a low and of a high byte."""
    routines: tuple[Callable[..., Any], Callable[..., Any]]
    """``encode`` and ``rebuild`` as gf16_routines.py states them."""

    def table(self, constants: Symbols) -> Table:
        """(n,) constants -> what the routines multiply with, a row each: linear in the bits of a constant."""
        found = self.low[constants & np.uint16(255)] ^ self.high[constants >> np.uint16(8)]
        return np.asarray(found.view(np.uint8), dtype=np.uint8)

    def encode(self, data: Octets, parity: Octets, shape: Layout, twiddles: Table) -> None:
        """Parity rows, for a layout that is aligned."""
        whole = data.shape[1] // self.unit * self.unit
        if whole:
            strip, work = self._workspace(2 * shape.space, whole)
            rows = data.ctypes.data, stride(data), len(data), parity.ctypes.data, stride(parity), len(parity)
            log = shape.space.bit_length() - 1
            self.routines[0](*rows, work.ctypes.data, log, whole, strip, twiddles.ctypes.data)
        if whole < data.shape[1]:
            found = np.empty((len(parity), self.unit), dtype=np.uint8)
            self.encode(self._padded(data[:, whole:]), found, shape, twiddles)
            parity[:, whole:] = found[:, : data.shape[1] - whole]

    def rebuild(self, shards: Octets, plan: Mending, tables: Tables) -> None:
        """The lost rows, in place."""
        whole = shards.shape[1] // self.unit * self.unit
        if whole:
            strip, work = self._workspace(len(plan.rows), whole)
            twiddles, scales, unscales = (table.ctypes.data for table in tables)
            points = plan.rows.ctypes.data, plan.live, scales
            lost = plan.lost.ctypes.data, plan.targets.ctypes.data, unscales, len(plan.lost)
            sizes = len(plan.rows).bit_length() - 1, whole, strip
            self.routines[1](shards.ctypes.data, stride(shards), *points, *lost, work.ctypes.data, *sizes, twiddles)
        if whole < shards.shape[1]:
            padded = self._padded(shards[:, whole:])
            self.rebuild(padded, plan, tables)
            shards[plan.targets, whole:] = padded[plan.targets, : shards.shape[1] - whole]

    def _workspace(self, rows: int, size: int) -> tuple[int, NDArray[np.uint64]]:
        """Bytes of a strip of rows of ``size`` bytes, and room for so many of them."""
        strip = max(self.unit, min(size, WORKSPACE // rows) // self.unit * self.unit)
        return strip, aligned((rows * strip + self.spare) // 8)

    def _padded(self, rows: Octets) -> Octets:
        found = np.zeros((len(rows), self.unit), dtype=np.uint8)
        found[:, : rows.shape[1]] = rows
        return found


def bytewise(rows: Callable[[Symbols], Any]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """(256, words) each: ``rows`` of the constants of a low and of a high byte."""
    low = np.arange(256, dtype=np.uint16)
    first, second = (np.ascontiguousarray(rows(part)).view(np.uint64) for part in (low, low << np.uint16(8)))
    return first, second


def portable() -> Kernel:
    """Compiled by numba."""
    from agents.kernels import gf16_portable as code

    return Kernel("portable", code.UNIT, code.SPARE, *bytewise(code.rows), (code.encode, code.rebuild))


def wide(name: str) -> Kernel:
    """On one of `gf16_products.WAYS`, compiled by llvmlite."""
    from agents.kernels.compiled import compiled_once
    from agents.kernels.gf16_products import WAYS
    from agents.kernels.gf16_routines import write

    way = WAYS[name]
    code = compiled_once(f"gf16 {name}", lambda: write(way))
    routines = code.routine("encode", 11), code.routine("rebuild", 14)
    return Kernel(name, 2 * way.size, 0, *bytewise(way.rows), routines)


def supported(name: str) -> bool:
    """Whether this CPU has the instructions of one of `gf16_products.WAYS`."""
    from agents.kernels.gf16_products import WAYS

    return WAYS[name].supported()
