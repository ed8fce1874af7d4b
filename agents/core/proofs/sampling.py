"""Which cells a challenge asks for (Codex's conventions)."""

from agents.core.proofs.poseidon2 import sponge


def entropy_of(challenge: bytes) -> int:
    """The first 31 bytes of a challenge as a little-endian number."""
    return int.from_bytes(challenge[:31], "little")


def cell_indices(entropy: int, slot_root: int, cells: int, samples: int) -> list[int]:
    """The sampled cells, with replacement: low bits of the sponge over [entropy, slot root, 1 ..]; ``cells`` is 2^d."""
    return [sponge([entropy, slot_root, counter], rate=2) & (cells - 1) for counter in range(1, samples + 1)]
