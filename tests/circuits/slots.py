"""Slots in memory, built with the integer reference alone, so that circuits are not tested against the code they serve."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agents.core.proofs import poseidon2
from agents.core.proofs.inputs import Opening, SlotFacts, circuit_input
from agents.core.proofs.profiles import Profile
from agents.core.proofs.sampling import cell_indices, entropy_of

CHALLENGE = bytes(range(32))


@dataclass(frozen=True)
class Slot:
    """Slot ``index`` of a dataset whose slots have ``cells`` cells each."""

    profile: Profile
    index: int
    cells: tuple[bytes, ...]
    roots: tuple[int, ...]

    @cached_property
    def _layers(self) -> tuple[list[list[list[int]]], list[list[int]]]:
        size = self.profile.cells_per_block
        leaves = [poseidon2.hash_bytes(cell) for cell in self.cells]
        blocks = [poseidon2.merkle_layers(leaves[i : i + size]) for i in range(0, len(leaves), size)]
        return blocks, poseidon2.merkle_layers([layers[-1][0] for layers in blocks])

    @property
    def root(self) -> int:
        return self._layers[1][-1][0]

    @property
    def facts(self) -> SlotFacts:
        dataset = poseidon2.merkle_layers(self.roots)
        path = poseidon2.merkle_path(dataset, self.index)
        return SlotFacts(dataset[-1][0], self.index, self.root, len(self.cells), len(self.roots), path)

    def opening(self, cell: int) -> Opening:
        blocks, slot = self._layers
        block, inner = divmod(cell, self.profile.cells_per_block)
        path = poseidon2.merkle_path(blocks[block], inner) + poseidon2.merkle_path(slot, block)
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


def slot_of(profile: Profile, index: int, slots: int, blocks: int, cell: Callable[[int, int], bytes]) -> Slot:
    """Slot ``index`` of ``slots``; the other slots' roots are made up, which a proof of this one cannot tell."""
    cells = tuple(cell(index, i) for i in range(blocks * profile.cells_per_block))
    own = Slot(profile, index, cells, (0,))
    roots = tuple(own.root if i == index else 1000 + i for i in range(slots))
    return Slot(profile, index, cells, roots)


def small_cell(slot: int, cell: int) -> bytes:
    """256 bytes that no other cell has."""
    return bytes([slot, cell & 255, cell >> 8]) * 85 + b"!"


def inputs_for(slot: Slot, entropy: int = entropy_of(CHALLENGE)) -> dict[str, Any]:
    """The honest input."""
    facts, profile = slot.facts, slot.profile
    cells = cell_indices(entropy, facts.slot_root, facts.cells, profile.samples)
    return circuit_input(profile, entropy, facts, [slot.opening(cell) for cell in cells])
