"""Poseidon2, its sponge and its keyed Merkle tree over Python integers: the reference that every kernel is tested against.

The conventions are those of Codex. A hash of bytes pads with 0x01 and zeros to a multiple of 31 bytes and reads 31-byte
little-endian elements. A tree compresses pairs as perm(x, y, key)[0], where bit 0 of the key marks the bottom layer and
bit 1 an odd node, which is paired with 0; a single leaf is compressed with key 3.
"""

from collections.abc import Sequence

from agents.core.proofs.field import ELEMENT_BYTES, SCALAR_ORDER
from agents.core.proofs.poseidon2_constants import EXTERNAL, INTERNAL

BOTTOM = 1
"""Key bit of the bottom layer."""

ODD = 2
"""Key bit of a node without a sibling."""

State = tuple[int, int, int]


def permute(x: int, y: int, z: int) -> State:
    """The permutation of three field elements."""
    p = SCALAR_ORDER
    total = x + y + z
    x, y, z = (x + total) % p, (y + total) % p, (z + total) % p
    for constants in EXTERNAL[:4]:
        x, y, z = _full_round(x, y, z, constants)
    for constant in INTERNAL:
        x = pow(x + constant, 5, p)
        total = x + y + z
        x, y, z = (x + total) % p, (y + total) % p, (2 * z + total) % p
    for constants in EXTERNAL[4:]:
        x, y, z = _full_round(x, y, z, constants)
    return x, y, z


def _full_round(x: int, y: int, z: int, constants: State) -> State:
    p = SCALAR_ORDER
    x, y, z = pow(x + constants[0], 5, p), pow(y + constants[1], 5, p), pow(z + constants[2], 5, p)
    total = x + y + z
    return (x + total) % p, (y + total) % p, (z + total) % p


def sponge_iv(rate: int) -> int:
    """The capacity's first value of a sponge over field elements with t = 3."""
    return (1 << 64) + 256 * 3 + rate


def sponge(elements: Sequence[int], rate: int = 2) -> int:
    """Hash of any number of field elements, padded with 1 and zeros to a multiple of ``rate`` (1 or 2)."""
    padded = [*elements, 1]
    padded += [0] * (-len(padded) % rate)
    x, y, z = 0, 0, sponge_iv(rate)
    for i in range(0, len(padded), rate):
        x = (x + padded[i]) % SCALAR_ORDER
        if rate == 2:
            y = (y + padded[i + 1]) % SCALAR_ORDER
        x, y, z = permute(x, y, z)
    return x


def elements_of(data: bytes) -> list[int]:
    """``data`` as field elements, 0x01 padding included."""
    padded = data + b"\x01"
    padded += bytes(-len(padded) % ELEMENT_BYTES)
    pieces = range(0, len(padded), ELEMENT_BYTES)
    return [int.from_bytes(padded[i : i + ELEMENT_BYTES], "little") for i in pieces]


def hash_bytes(data: bytes) -> int:
    """Hash of a cell."""
    return sponge(elements_of(data), rate=2)


def compress(left: int, right: int, key: int = 0) -> int:
    """A tree's inner node."""
    return permute(left, right, key)[0]


def merkle_layers(leaves: Sequence[int]) -> list[list[int]]:
    """Every layer of the tree over ``leaves``, from the leaves to the root. Needs at least one leaf."""
    layers = [list(leaves)]
    key = BOTTOM
    while len(layers[-1]) > 1 or len(layers) == 1:
        layer = layers[-1]
        above = [compress(layer[i], layer[i + 1], key) for i in range(0, len(layer) - 1, 2)]
        if len(layer) % 2:
            above.append(compress(layer[-1], 0, key | ODD))
        layers.append(above)
        key = 0
    return layers


def merkle_root(leaves: Sequence[int]) -> int:
    """Root of the tree over ``leaves``."""
    return merkle_layers(leaves)[-1][0]
