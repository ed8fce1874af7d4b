"""The code within a slot: Reed-Solomon over GF(2^16) across its cells, so that a small loss can be mended on the spot.

A slot is its data blocks and, behind them, parity blocks that are made of them. Cell i of the data, and cell i of the parity,
are symbols of codeword i mod c: there are as many codewords as keep each within the field. They all have the same length, that
of the first: a shorter one is thought to go on with cells of zeros, and parity beyond the slot's end is not kept.

A manifest of version 2 says so. Any part of a cell is coded with the same part of the others, so a slot is worked on in parts
that fit in memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from agents.core.dataset.manifest import Manifest
from agents.core.proofs.profiles import profile_named
from agents.kernels import gf16

LONGEST = 65_536
"""Cells of a codeword at most: the field has no more points."""
ALIGNED = 256
"""Bytes of a cell that are worked on together: parts begin and end at multiples of it."""

Cells = npt.NDArray[np.uint8]
"""(cells, bytes): the same part of each cell."""


@dataclass(frozen=True)
class Part:
    """The bytes ``start`` to ``stop`` of every cell of one codeword."""

    codeword: int
    start: int
    stop: int


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

    @property
    def length(self) -> tuple[int, int]:
        """(data, parity) cells of the longest codeword: those that all are coded as."""
        return -(-self.data_cells // self.codewords), -(-self.parity_cells // self.codewords)

    def parity_of(self, codeword: int) -> int:
        """Parity cells of a codeword: as many of its cells may be lost."""
        return len(range(codeword, self.parity_cells, self.codewords))

    def parts(self, memory: int) -> Iterator[Part]:
        """All that is to be coded, in parts of ``memory`` bytes at most where cells can be cut so finely."""
        widest = max(ALIGNED, memory // sum(self.length) // ALIGNED * ALIGNED)
        count = -(-self.cell_bytes // widest)
        width = -(-self.cell_bytes // count // ALIGNED) * ALIGNED
        for codeword in range(self.codewords):
            for start in range(0, self.cell_bytes, width):
                yield Part(codeword, start, min(start + width, self.cell_bytes))

    def shards(self, part: Part) -> Cells:
        """Room for a part of a codeword, zeros so far: a row a cell."""
        return np.zeros((sum(self.length), part.stop - part.start), dtype=np.uint8)

    def spread(self, part: Part, first: int, blocks: Cells, shards: Cells) -> None:
        """Put what blocks from ``first`` on, (cells of them, bytes of a cell), have of a part into its shards."""
        for cells, rows in self._lines(part.codeword, first, len(blocks) // self.cells_per_block):
            shards[rows] = blocks[cells, part.start : part.stop]

    def collect(self, part: Part, first: int, blocks: Cells, shards: Cells) -> None:
        """The way back: put a part's shards into ``blocks``."""
        for cells, rows in self._lines(part.codeword, first, len(blocks) // self.cells_per_block):
            blocks[cells, part.start : part.stop] = shards[rows]

    def _lines(self, codeword: int, first: int, count: int) -> Iterator[tuple[slice, slice]]:
        """Which cells of ``count`` blocks are the codeword's, and which rows of its shards they are."""
        for begin, end, row in (
            (0, self.data_blocks, 0),
            (self.data_blocks, self.data_blocks + self.parity_blocks, self.length[0]),
        ):
            start, stop = max(begin, first), min(end, first + count)
            if start >= stop:
                continue
            inside = (start - begin) * self.cells_per_block
            skipped = (codeword - inside) % self.codewords
            cells = slice(
                (start - first) * self.cells_per_block + skipped, (stop - first) * self.cells_per_block, self.codewords
            )
            row += (inside + skipped) // self.codewords
            yield cells, slice(row, row + len(range(cells.start, cells.stop, cells.step)))

    def encode(self, shards: Cells) -> None:
        """Make the parity of a part from its data."""
        k, m = self.length
        gf16.rebuild(shards, np.arange(k + m) < k, k)

    def rebuild(self, part: Part, shards: Cells, damaged: Iterable[int]) -> None:
        """Make a part's cells of ``damaged`` blocks from the others. Raises Corrupt for too many."""
        k, m = self.length
        present = np.ones(k + m, dtype=np.bool_)
        present[k + self.parity_of(part.codeword) :] = False
        for block in damaged:
            for _, rows in self._lines(part.codeword, block, 1):
                present[rows] = False
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
