"""The circuit's input, as snarkjs takes it: decimal strings under the circuit's signal names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.core.proofs.poseidon2 import elements_of
from agents.core.proofs.profiles import Profile


@dataclass(frozen=True)
class Opening:
    """One sampled cell and its path to the slot's root."""

    cell: bytes
    path: Sequence[int]
    """Siblings from the bottom up: inside the block, then over the blocks."""


@dataclass(frozen=True)
class SlotFacts:
    """What the circuit is told of a slot besides its cells."""

    dataset_root: int
    slot_index: int
    slot_root: int
    cells: int
    """Of the slot after padding: a power of two."""
    slots: int
    """Of the dataset."""
    slot_path: Sequence[int]
    """Siblings from the slot's root to the dataset's."""


def circuit_input(profile: Profile, entropy: int, slot: SlotFacts, openings: Sequence[Opening]) -> dict[str, Any]:
    """The named signals; paths are padded with zeros to the profile's maximum."""
    return {
        "entropy": str(entropy),
        "dataSetRoot": str(slot.dataset_root),
        "slotIndex": str(slot.slot_index),
        "slotRoot": str(slot.slot_root),
        "nCellsPerSlot": str(slot.cells),
        "nSlotsPerDataSet": str(slot.slots),
        "slotProof": _padded(slot.slot_path, profile.max_log2_slots),
        "cellData": [[str(element) for element in elements_of(opening.cell)] for opening in openings],
        "merklePaths": [_padded(opening.path, profile.max_depth) for opening in openings],
    }


def _padded(path: Sequence[int], length: int) -> list[str]:
    return [str(node) for node in path] + ["0"] * (length - len(path))
