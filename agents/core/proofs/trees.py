"""Merkle trees over field elements, by layers and by kernels.

Two shapes, both Codex's: a plain tree over any number of leaves (an odd node is compressed with 0 under its own key), and
a tree padded with equal leaves to a power of two, of which only the leaves that differ are stored: the padding of a layer is
one value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.core.proofs.poseidon2 import BOTTOM, ODD
from agents.kernels.limbs import Limbs, from_ints, to_ints
from agents.kernels.poseidon2 import compress, hash_cells

NOTHING: Limbs = np.zeros((1, 4), dtype=np.uint64)


@dataclass(frozen=True)
class Layer:
    """One layer of a tree: ``width`` nodes, of which the first ones are ``nodes`` and all others ``padding``."""

    nodes: Limbs
    """(n, 4), n at most width."""
    width: int
    padding: Limbs
    """(1, 4)."""

    def node(self, index: int) -> int:
        """Node ``index`` as an integer; 0 beyond the width, as the sibling of an odd node."""
        if index >= self.width:
            return 0
        return to_ints(self.nodes[index : index + 1] if index < len(self.nodes) else self.padding)[0]


def tree(leaves: Limbs, width: int = 0, padding: Limbs = NOTHING) -> list[Layer]:
    """Layers of the tree over ``leaves`` padded to ``width``, from the leaves to the root.

    ``width`` 0 means no padding; otherwise it is a power of two, at least the number of leaves.
    """
    layers = [Layer(leaves, width or len(leaves), padding)]
    key = BOTTOM
    while layers[-1].width > 1 or len(layers) == 1:
        layers.append(_above(layers[-1], key))
        key = 0
    return layers


def _above(layer: Layer, key: int) -> Layer:
    if layer.width == 1:
        return Layer(compress(layer.nodes[:1], NOTHING, key | ODD), 1, NOTHING)
    nodes, padded = layer.nodes, layer.width > len(layer.nodes)
    if padded and len(nodes) % 2:
        nodes = np.concatenate([nodes, layer.padding])
    pairs = len(nodes) // 2
    above = compress(nodes[: 2 * pairs : 2], nodes[1 : 2 * pairs : 2], key)
    if len(nodes) % 2:
        above = np.concatenate([above, compress(nodes[-1:], NOTHING, key | ODD)])
    padding = compress(layer.padding, layer.padding, key) if padded else NOTHING
    return Layer(above, -(-layer.width // 2), padding)


def root(layers: Sequence[Layer]) -> int:
    """The root of a tree."""
    return layers[-1].node(0)


def path(layers: Sequence[Layer], index: int) -> list[int]:
    """Siblings of leaf ``index`` from the bottom up, 0 where a node has none."""
    siblings = []
    for layer in layers[:-1]:
        siblings.append(layer.node(index ^ 1))
        index >>= 1
    return siblings


def block_roots(data: bytes | memoryview, cell_bytes: int, block_bytes: int) -> Limbs:
    """Roots of the blocks of ``data``, a whole number of blocks of a power of two of cells: (n, 4)."""
    cells = block_bytes // cell_bytes
    nodes, key = hash_cells(data, cell_bytes), BOTTOM
    if cells == 1:
        return compress(nodes, np.zeros_like(nodes), BOTTOM | ODD)
    while cells > 1:
        # Blocks hold a power of two of cells, so no pair straddles two of them.
        nodes, key, cells = compress(nodes[::2], nodes[1::2], key), 0, cells // 2
    return nodes


def dataset_tree(slot_roots: Sequence[int]) -> list[Layer]:
    """The tree over a dataset's slot roots, any number of them."""
    return tree(from_ints(slot_roots))
