"""Circuit profiles at run time: the numbers of circuits/profiles.toml (a test compares them)."""

from dataclasses import dataclass

from agents.core.errors import Misuse
from agents.core.proofs.field import ELEMENT_BYTES


@dataclass(frozen=True)
class Profile:
    """One parameter set of the storage proof."""

    name: str
    cell_bytes: int
    block_bytes: int
    max_depth: int
    """Levels from a cell to its slot's root at most."""
    max_log2_slots: int
    samples: int
    """Cells a proof samples, with replacement."""
    crown: int = 0
    """Levels under a slot's root that the samples' paths are proven to share, in the circuit that shares them; 0: Codex's own
    circuit, in which every sample stands alone. Both take the same inputs and prove the same."""

    @property
    def cells_per_block(self) -> int:
        """A power of two."""
        return self.block_bytes // self.cell_bytes

    @property
    def block_tree_depth(self) -> int:
        """Levels inside a block."""
        return self.cells_per_block.bit_length() - 1

    @property
    def elements_per_cell(self) -> int:
        """Field elements of a cell, padding included."""
        return self.cell_bytes // ELEMENT_BYTES + 1

    @property
    def max_blocks(self) -> int:
        """Blocks of the largest slot it can prove."""
        return 1 << (self.max_depth - self.block_tree_depth)

    @property
    def max_slots(self) -> int:
        """Slots of the largest dataset it can prove."""
        return 1 << self.max_log2_slots

    def padded_blocks(self, blocks: int) -> int:
        """Blocks of a slot's tree: a power of two, at least two, as the circuit's trees have a level at least."""
        return max(2, 1 << (blocks - 1).bit_length())


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("devnet", cell_bytes=2048, block_bytes=65536, max_depth=14, max_log2_slots=4, samples=5, crown=3),
        Profile("codex", cell_bytes=2048, block_bytes=65536, max_depth=32, max_log2_slots=8, samples=5),
        Profile("production", cell_bytes=2048, block_bytes=65536, max_depth=19, max_log2_slots=8, samples=10, crown=3),
    )
}


def profile_named(name: str) -> Profile:
    """The profile ``name``. Raises Misuse."""
    if name not in PROFILES:
        raise Misuse(f"there is no circuit profile {name!r}", "", f"Choose one of {', '.join(PROFILES)}.")
    return PROFILES[name]
