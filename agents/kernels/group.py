"""BN254's two groups in each form: compiled additions, and points on their way to them and back."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from agents.core.proofs.curve import G1, G2, PointG1, PointG2, add_g1, add_g2, quotient_g1, quotient_g2
from agents.core.proofs.field import BASE_ORDER
from agents.kernels.compiled import compiled_once
from agents.kernels.curve import CHAINS, LINE, AddPairs, Fold, leave, widen
from agents.kernels.forms import FORMS
from agents.kernels.memory import Words, aligned


class Group:
    """G1 or G2 in one form: its compiled additions."""

    def __init__(self, form: str, extension: bool) -> None:
        self.name, self.extension = form, extension
        kind = FORMS[form]

        def write() -> str:
            module = ir.Module("group")
            AddPairs(kind, extension, module, "add_pairs")
            widen(kind, module)
            leave(kind, extension, module)
            return str(module)

        def write_fold() -> str:
            module = ir.Module("fold")
            Fold(extension, module)
            return str(module)

        code = compiled_once(f"group {form} {extension}", write)
        self.add_pairs = code.routine("add_pairs", 6)
        self._widen, self._leave = code.routine("widen", 3), code.routine("leave", 3)
        self._fold = compiled_once(f"fold {extension}", write_fold).routine("fold", 4)
        self.lanes, self.stride = kind.lanes, LINE * (2 if extension else 1)
        self.together = CHAINS * self.lanes
        self.kept = kind.limbs * kind.lanes * (2 if extension else 1)
        # Two points that may be added, for the lanes that are left over.
        self._padding = self.rows(words_g2([G2, add_g2(G2, G2)]) if extension else words_g1([G1, add_g1(G1, G1)]))
        self.pad = (self._padding.ctypes.data, self._padding.ctypes.data + self.stride)

    def rows(self, points: Words) -> Words:
        """(n, 8 or 16) words of a .zkey as the additions read them."""
        if self.lanes == 1:
            return points if points.ctypes.data % 2 == 0 and points.flags.c_contiguous else points.copy()
        batch = 2 * self.lanes * 4
        rows = aligned(-(-points.size // batch) * batch)
        whole = points.size // batch
        self._widen(points.ctypes.data, rows.ctypes.data, whole)
        if whole * batch < points.size:
            rest = np.zeros(batch, dtype=np.uint64)
            rest[: points.size - whole * batch] = points.reshape(-1)[whole * batch :]
            self._widen(rest.ctypes.data, rows[whole * batch :].ctypes.data, 1)
        return rows

    def words(self, addresses: Words) -> Words:
        """(n, 8 or 16) words of a .zkey of the points at ``addresses``, none of them an opposite."""
        count = len(addresses)
        padded = np.full(-(-count // self.lanes) * self.lanes, self.pad[0], dtype=np.uint64)
        padded[:count] = addresses
        out = aligned(len(padded) * self.stride // 8).reshape(len(padded), self.stride // 8)
        self._leave(padded.ctypes.data, out.ctypes.data, len(padded) // self.lanes)
        return out[:count]

    @staticmethod
    def negated(points: Words, where: NDArray[np.bool_]) -> Words:
        """(n, 8 or 16) ``points`` of a .zkey, those of ``where`` with the opposite sign; changed in place."""
        for row in np.flatnonzero(where):
            half = points.shape[1] // 2
            for at in range(half, points.shape[1], 4):
                value = int.from_bytes(points[row, at : at + 4].tobytes(), "little")
                points[row, at : at + 4] = np.frombuffer((-value % BASE_ORDER).to_bytes(32, "little"), dtype=np.uint64)
        return points

    def weighted(self, bits: NDArray[np.int64], points: Words) -> Any:
        """The sum of 2^bit times each of (n, 8 or 16) ``points`` of a .zkey: a PointG1 or a PointG2; None is infinity."""
        order = np.argsort(-bits, kind="stable")
        ordered = np.ascontiguousarray(points[order])
        counts = np.bincount(bits, minlength=1)[::-1].astype(np.int64)
        out = np.empty((4, self.stride // 64, 4), dtype=np.uint64)
        self._fold(ordered.ctypes.data, counts.ctypes.data, out.ctypes.data, len(counts))
        leave = pow(2**256, -1, BASE_ORDER)
        rows = [[int.from_bytes(part.tobytes(), "little") * leave % BASE_ORDER for part in row] for row in out]
        if self.extension:
            return quotient_g2(*((row[0], row[1]) for row in rows))
        return quotient_g1(*(row[0] for row in rows))


def _montgomery(values: Iterable[int], width: int) -> Words:
    data = b"".join((value * 2**256 % BASE_ORDER).to_bytes(32, "little") for value in values)
    return np.frombuffer(data, dtype=np.uint64).reshape(-1, width).copy()


def words_g1(points: Iterable[PointG1 | None]) -> Words:
    """(n, 8): points as a .zkey holds them."""
    return _montgomery((value for point in points for value in point or (0, 0)), 8)


def words_g2(points: Iterable[PointG2 | None]) -> Words:
    """(n, 16): points as a .zkey holds them."""
    return _montgomery((value for point in points for pair in point or ((0, 0), (0, 0)) for value in pair), 16)


@cache
def group(form: str, extension: bool) -> Group:
    """The group in a form, compiled once."""
    return Group(form, extension)
