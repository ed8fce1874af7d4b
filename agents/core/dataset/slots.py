"""A slot's tree: 32 bytes a block are kept, and the one block a sample falls in is hashed again."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest
from agents.core.errors import Corrupt
from agents.core.proofs.inputs import Opening, SlotFacts
from agents.core.proofs.profiles import Profile
from agents.core.proofs.trees import Layer, block_roots, dataset_tree, path, root, tree
from agents.kernels.limbs import Limbs
from agents.kernels.poseidon2 import hash_cells


@dataclass(frozen=True)
class SlotTree:
    """The tree over a slot's blocks, padded with zero blocks to a power of two."""

    profile: Profile
    roots: Limbs
    """(blocks, 4): the root of each block, in order."""

    @cached_property
    def layers(self) -> list[Layer]:
        """From the block roots to the slot's root."""
        padding = block_roots(bytes(BLOCK_BYTES), self.profile.cell_bytes, BLOCK_BYTES)
        return tree(self.roots, self.profile.padded_blocks(len(self.roots)), padding)

    @property
    def root(self) -> int:
        """The slot's root."""
        return root(self.layers)

    @property
    def cells(self) -> int:
        """Cells of the slot, padding included."""
        return self.layers[0].width * self.profile.cells_per_block

    def place(self, cell: int) -> tuple[int, int]:
        """(block, cell inside it)."""
        return divmod(cell, self.profile.cells_per_block)

    def opening(self, cell: int, block: bytes) -> Opening:
        """The cell and its path, from the bytes of its block (zeros in the padding). Raises Corrupt."""
        index, inner = self.place(cell)
        inside = tree(hash_cells(block, self.profile.cell_bytes))
        if root(inside) != self.layers[0].node(index):
            raise Corrupt(f"Block {index} of the slot is damaged", "its root is not the one it was stored with")
        start = inner * self.profile.cell_bytes
        data = bytes(block[start : start + self.profile.cell_bytes])
        return Opening(data, path(inside, inner) + path(self.layers, index))

    def to_bytes(self) -> bytes:
        """What is kept on disk."""
        return self.roots.astype("<u8").tobytes()


def slot_tree(profile: Profile, data: bytes) -> SlotTree:
    """A tree from what `to_bytes` wrote."""
    return SlotTree(profile, np.frombuffer(data, dtype="<u8").reshape(-1, 4).astype(np.uint64))


def slot_facts(manifest: Manifest, index: int, tree_: SlotTree) -> SlotFacts:
    """What the circuit is told of slot ``index``. Raises Corrupt if the tree is another slot's."""
    roots = [slot.root for slot in manifest.slots]
    if tree_.root != roots[index]:
        raise Corrupt(f"Slot {index} is damaged", "its root is not the manifest's")
    siblings = path(dataset_tree(roots), index)
    return SlotFacts(manifest.dataset_root, index, roots[index], tree_.cells, len(roots), siblings)
