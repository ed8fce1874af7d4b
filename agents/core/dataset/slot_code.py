"""The code within a slot: Reed-Solomon over GF(2^16) across its cells, so that a small loss can be mended on the spot.

A slot is its data blocks and, behind them, parity blocks that are made of them. Cell i of the data, and cell i of the parity,
are symbols of codeword i mod c: there are as many codewords as keep each within the field. They all have the same length, that
of the first: a shorter one is thought to go on with cells of zeros, and parity beyond the slot's end is not kept.

A manifest of version 2 says so. A codeword is worked on alone, in 128 MiB at most.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from agents.core.dataset.manifest import Manifest
from agents.core.proofs.profiles import profile_named
from agents.kernels import gf16

LONGEST = 65_536
"""Cells of a codeword at most: the field has no more points."""
NOWHERE = -1
"""The cell of a row that the slot has no cell for."""

Cells = npt.NDArray[np.uint8]
"""(rows, bytes of a cell): the rows of a codeword."""
Places = npt.NDArray[np.int64]
"""(rows,): which cell of the slot each row of a codeword is, counted from the slot's beginning."""
Rows = npt.NDArray[np.bool_]
"""(rows,): some of the rows of a codeword."""


@dataclass(frozen=True)
class SlotCode:
    """The code of slots of one size."""

    data_blocks: int
    parity_blocks: int
    cells_per_block: int
    cell_bytes: int

    @property
    def data_cells(self) -> int:
        """Cells of all codewords that hold data."""
        return self.data_blocks * self.cells_per_block

    @property
    def parity_cells(self) -> int:
        """Cells of all codewords that hold parity."""
        return self.parity_blocks * self.cells_per_block

    @cached_property
    def codewords(self) -> int:
        """c: the fewest that fit, since whoever may choose what is lost picks one of them."""
        found = -(-(self.data_cells + self.parity_cells) // LONGEST)
        while -(-self.data_cells // found) - (-self.parity_cells // found) > LONGEST:
            found += 1
        return found

    @cached_property
    def length(self) -> tuple[int, int]:
        """(data, parity) cells of the longest codeword: those that all are coded as."""
        return -(-self.data_cells // self.codewords), -(-self.parity_cells // self.codewords)

    def parity_of(self, codeword: int) -> int:
        """Parity cells of a codeword: as many of its cells may be lost."""
        return len(range(codeword, self.parity_cells, self.codewords))

    def places(self, codeword: int) -> Places:
        """Where a codeword's rows are, NOWHERE for zeros behind the data and for parity that is not kept."""
        data, parity = (codeword + self.codewords * np.arange(count) for count in self.length)
        return np.concatenate(
            [
                np.where(data < self.data_cells, data, NOWHERE),
                np.where(parity < self.parity_cells, self.data_cells + parity, NOWHERE),
            ]
        )

    def among(self, places: Places, blocks: Collection[int]) -> Rows:
        """Which rows are in one of ``blocks``."""
        chosen = np.zeros(self.data_blocks + self.parity_blocks, dtype=np.bool_)
        chosen[list(blocks)] = True
        return np.asarray(chosen[places // self.cells_per_block] & (places != NOWHERE))

    def shards(self) -> Cells:
        """Room for a codeword, a row a cell, whatever was there before."""
        return np.empty((sum(self.length), self.cell_bytes), dtype=np.uint8)

    def rebuild(self, shards: Cells, places: Places, lost: Rows) -> None:
        """Make the ``lost`` rows of a codeword from all others that the slot has. Raises Corrupt for too many."""
        k, _ = self.length
        absent = places == NOWHERE
        shards[:k][absent[:k]] = 0
        present = ~lost
        present[k:] &= ~absent[k:]
        gf16.rebuild(shards, present, k)

    def missing(self, damaged: Sequence[int]) -> list[int]:
        """Which of the ``damaged`` blocks must come from elsewhere so that the others can be made; [] where all can."""
        lost = np.zeros(self.codewords, dtype=np.int64)
        for block in damaged:
            lost += self._share(block)
        spare = np.array([self.parity_of(codeword) for codeword in range(self.codewords)])
        needed = []
        for block in sorted(damaged):
            if (lost <= spare).all():
                break
            needed.append(block)
            lost -= self._share(block)
        return needed

    def _share(self, block: int) -> npt.NDArray[np.int64]:
        """Cells that each codeword has in a block."""
        inside = block if block < self.data_blocks else block - self.data_blocks
        cells = np.arange(inside * self.cells_per_block, (inside + 1) * self.cells_per_block)
        return np.bincount(cells % self.codewords, minlength=self.codewords)


def slot_code_of(manifest: Manifest) -> SlotCode:
    """The code of a dataset's slots; its parity is 0 where they have none of their own."""
    profile = profile_named(manifest.profile)
    return SlotCode(manifest.data_blocks, manifest.parity_blocks, profile.cells_per_block, profile.cell_bytes)
