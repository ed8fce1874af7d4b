"""Systematic Reed-Solomon across slots: any k of k+m slots rebuild the others.

Block j of every slot makes stripe j, so data streams through with a few stripes in memory. Datasets of version 2 are coded over
GF(2^16), those of version 1 over GF(2^8) as zfec does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import zfec

from agents.core.dataset.manifest import UNCODED, Manifest
from agents.core.errors import CodeParameters, Corrupt
from agents.core.market.types import MAX_SLOTS
from agents.kernels import gf16

Rows = npt.NDArray[np.uint8]
"""(slots, bytes): the same blocks of each slot, one after the other."""


def check_code(k: int, m: int) -> None:
    """Raises CodeParameters unless k data and m parity slots can be."""
    if k < 1 or m < 0 or not 2 <= k + m <= MAX_SLOTS:
        raise CodeParameters(
            f"{k} data slots and {m} parity slots cannot be",
            f"at least 1 data slot and 2 to {MAX_SLOTS} slots in all are needed",
            "Choose other numbers, e.g. --slots 3 --parity 2.",
        )


class StripeCode(Protocol):
    """The code across a dataset's slots."""

    def data(self, blocks: Mapping[int, bytes]) -> list[bytes]:
        """The k data blocks of a stripe from any k of its blocks, by slot. Raises Corrupt for fewer than k."""

    def rebuild(self, blocks: Mapping[int, bytes], wanted: Sequence[int]) -> list[bytes]:
        """Blocks ``wanted`` of a stripe from any k of its blocks, decoded once for all. Raises Corrupt for fewer than k."""


def code_across(manifest: Manifest) -> StripeCode:
    """The code across the slots of a dataset."""
    kind = Gf8Code if manifest.version == UNCODED else Gf16Code
    return kind(manifest.data_slots, manifest.parity_slots)


@dataclass(frozen=True)
class Gf16Code:
    """k data and m parity slots over GF(2^16), symbols as in agents/kernels/gf16.py."""

    k: int
    m: int

    def parity(self, data: Rows) -> Rows:
        """(m, bytes) from (k, bytes)."""
        return gf16.encode(data, self.m)

    def data(self, blocks: Mapping[int, bytes]) -> list[bytes]:
        """As StripeCode."""
        return self.rebuild(blocks, range(self.k))

    def rebuild(self, blocks: Mapping[int, bytes], wanted: Sequence[int]) -> list[bytes]:
        """As StripeCode."""
        _check_enough(blocks, self.k)
        if all(index in blocks for index in wanted):
            return [blocks[index] for index in wanted]
        rows = np.zeros((self.k + self.m, len(next(iter(blocks.values())))), dtype=np.uint8)
        present = np.zeros(len(rows), dtype=np.bool_)
        for index, block in blocks.items():
            rows[index] = np.frombuffer(block, dtype=np.uint8)
            present[index] = True
        gf16.rebuild(rows, present, self.k)
        return [rows[index].tobytes() for index in wanted]


@dataclass(frozen=True)
class Gf8Code:
    """k data and m parity slots over GF(2^8), as zfec codes them."""

    k: int
    m: int

    def data(self, blocks: Mapping[int, bytes]) -> list[bytes]:
        """As StripeCode."""
        _check_enough(blocks, self.k)
        if all(index in blocks for index in range(self.k)):
            return [blocks[index] for index in range(self.k)]
        # zfec wants each data block that is there at its own place.
        chosen = sorted(blocks)[: self.k]
        places = [index if index in chosen else -1 for index in range(self.k)]
        spare = [index for index in chosen if index >= self.k]
        order = [index if index >= 0 else spare.pop() for index in places]
        decoder = zfec.Decoder(self.k, self.k + self.m)
        return [bytes(block) for block in decoder.decode([blocks[index] for index in order], order)]

    def rebuild(self, blocks: Mapping[int, bytes], wanted: Sequence[int]) -> list[bytes]:
        """As StripeCode."""
        data = self.data(blocks)
        parity = [index for index in wanted if index >= self.k]
        coded = dict(zip(parity, self.encode(data, parity), strict=True)) if parity else {}
        return [data[index] if index < self.k else coded[index] for index in wanted]

    def encode(self, data: Sequence[bytes], wanted: Sequence[int]) -> list[bytes]:
        """Blocks ``wanted`` of a stripe from all its data blocks."""
        return [bytes(block) for block in zfec.Encoder(self.k, self.k + self.m).encode(list(data), list(wanted))]


def _check_enough(blocks: Mapping[int, bytes], k: int) -> None:
    if len(blocks) < k:
        raise Corrupt(f"Only {len(blocks)} of the {k} slots needed are there", "", "Try again when more hosts answer.")
