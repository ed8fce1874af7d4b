"""Paths in the plain trees of agents/core/proofs/poseidon2.py."""

from collections.abc import Sequence


def merkle_path(layers: Sequence[Sequence[int]], index: int) -> list[int]:
    """The siblings of leaf ``index`` from the bottom up; 0 where there is none."""
    path = []
    for layer in layers[:-1]:
        sibling = index ^ 1
        path.append(layer[sibling] if sibling < len(layer) else 0)
        index >>= 1
    return path
