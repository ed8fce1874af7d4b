"""BN254's two prime fields, by their orders."""

SCALAR_ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""r: order of the group, field of the circuits, of Poseidon2 and of every root."""

TWO_ADICITY = 28
"""2^28 divides r - 1: roots of unity of every power of two up to that."""

BASE_ORDER = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""q: field of the curve's coordinates."""

ELEMENT_BYTES = 31
"""Bytes that always fit one scalar: data is cut into pieces of this size."""
