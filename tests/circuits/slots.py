"""Slots in memory, built with the integer reference alone, so that circuits are not tested against the code they serve."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from agents.core.proofs import poseidon2
from agents.core.proofs.inputs import Opening, SlotFacts, circuit_input
from agents.core.proofs.profiles import Profile
from agents.core.proofs.sampling import cell_indices, entropy_of
from tests.merkle import merkle_path

CHALLENGE = bytes(range(32))


@cache
def layers_of(cells: tuple[bytes, ...], cells_per_block: int) -> tuple[list[list[list[int]]], list[list[int]]]:
    """Layers of each block's tree, and of the tree over the blocks: the same for every profile with cells of this size."""
    leaves = [poseidon2.hash_bytes(cell) for cell in cells]
    blocks = [poseidon2.merkle_layers(leaves[i : i + cells_per_block]) for i in range(0, len(leaves), cells_per_block)]
    return blocks, poseidon2.merkle_layers([layers[-1][0] for layers in blocks])


@dataclass(frozen=True)
class Slot:
    """Slot ``index`` of a dataset whose slots have ``cells`` cells each."""

    profile: Profile
    index: int
    cells: tuple[bytes, ...]
    roots: tuple[int, ...]

    @property
    def _layers(self) -> tuple[list[list[list[int]]], list[list[int]]]:
        return layers_of(self.cells, self.profile.cells_per_block)

    @property
    def root(self) -> int:
        return self._layers[1][-1][0]

    @property
    def facts(self) -> SlotFacts:
        dataset = poseidon2.merkle_layers(self.roots)
        path = merkle_path(dataset, self.index)
        return SlotFacts(dataset[-1][0], self.index, self.root, len(self.cells), len(self.roots), path)

    def opening(self, cell: int) -> Opening:
        blocks, slot = self._layers
        block, inner = divmod(cell, self.profile.cells_per_block)
        path = merkle_path(blocks[block], inner) + merkle_path(slot, block)
        return Opening(self.cells[cell], path)


def codex_cell(slot: int, cell: int, size: int = 2048) -> bytes:
    """The data of Codex's own test fixture."""
    seed = 12345 + 72 + 1001 * slot
    s1, s2 = seed + 0xDEADCAFE, cell + 0x98765432
    state, out = 1, bytearray()
    for _ in range(size):
        state = (state * (state + s1) * (state + s2) + state * (state ^ 0x5A5A5A5A) + s1 * state + s2 + 17) % 2**64
        state %= 1698428844001831
        out.append(state & 255)
    return bytes(out)


def slot_of(
    profile: Profile, index: int, slots: int, blocks: int, cell: Callable[[int, int, int], bytes] | None = None
) -> Slot:
    """Slot ``index`` of ``slots``; the other slots' roots are made up, which a proof of this one cannot tell.

    ``cell`` makes the cells of (slot, cell, bytes).
    """
    make = cell or small_cell
    cells = tuple(make(index, i, profile.cell_bytes) for i in range(blocks * profile.cells_per_block))
    return Slot(profile, index, cells, roots_around(Slot(profile, index, cells, (0,)).root, index, slots))


def roots_around(own: int, index: int, slots: int) -> tuple[int, ...]:
    """Roots of ``slots`` slots, of which one is real."""
    return tuple(own if i == index else 1000 + i for i in range(slots))


@dataclass(frozen=True)
class LargeSlot:
    """A slot whose blocks are those of ``pattern`` over and over, 2^doublings times."""

    pattern: Slot
    doublings: int
    slots: int
    """Of the dataset."""

    @property
    def profile(self) -> Profile:
        return self.pattern.profile

    @cached_property
    def _tops(self) -> list[int]:
        """Roots of the pattern, of two of it, of four, .."""
        tops = [self.pattern.root]
        for _ in range(self.doublings):
            tops.append(poseidon2.compress(tops[-1], tops[-1]))
        return tops

    @property
    def facts(self) -> SlotFacts:
        cells, index = len(self.pattern.cells) << self.doublings, self.pattern.index
        dataset = poseidon2.merkle_layers(roots_around(self._tops[-1], index, self.slots))
        path = merkle_path(dataset, index)
        return SlotFacts(dataset[-1][0], index, self._tops[-1], cells, self.slots, path)

    def opening(self, cell: int) -> Opening:
        inner = self.pattern.opening(cell % len(self.pattern.cells))
        return Opening(inner.cell, [*inner.path, *self._tops[:-1]])


def small_cell(slot: int, cell: int, size: int = 256) -> bytes:
    """Bytes that no other cell has."""
    return (bytes([slot, cell & 255, cell >> 8]) * (size // 3 + 1))[: size - 1] + b"!"


def inputs_for(slot: Slot | LargeSlot, entropy: int = entropy_of(CHALLENGE)) -> dict[str, Any]:
    """The honest input."""
    facts, profile = slot.facts, slot.profile
    cells = cell_indices(entropy, facts.slot_root, facts.cells, profile.samples)
    return circuit_input(profile, entropy, facts, [slot.opening(cell) for cell in cells])
