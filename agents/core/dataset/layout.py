"""Which block stands where: slot i has the contiguous blocks [i s, (i+1) s) of the sealed file, zeros at the end, then parity
of its own."""

from dataclasses import dataclass

from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.erasure import check_code
from agents.core.errors import FileRejected
from agents.core.proofs.profiles import Profile


def parity_for(data_blocks: int) -> int:
    """Parity blocks of a slot of ``data_blocks``: half as many, so that a third of a slot may be lost."""
    return -(-data_blocks // 2)


@dataclass(frozen=True)
class Layout:
    """Sizes of a dataset."""

    size: int
    """Bytes of the sealed file."""
    data_slots: int
    parity_slots: int

    @property
    def blocks(self) -> int:
        """Blocks of the sealed file."""
        return -(-self.size // BLOCK_BYTES)

    @property
    def data_blocks(self) -> int:
        """s: blocks of the file, or of parity over the slots, in each slot."""
        return -(-self.blocks // self.data_slots)

    @property
    def parity_blocks(self) -> int:
        """Blocks behind them, made of them: the code within a slot."""
        return parity_for(self.data_blocks)

    @property
    def blocks_per_slot(self) -> int:
        """All blocks of a slot."""
        return self.data_blocks + self.parity_blocks

    @property
    def data_bytes(self) -> int:
        """Bytes of a slot that travel: its parity is made where it arrives."""
        return self.data_blocks * BLOCK_BYTES

    @property
    def slots(self) -> int:
        """k + m."""
        return self.data_slots + self.parity_slots

    @property
    def slot_bytes(self) -> int:
        """Bytes of one slot, as stored and billed."""
        return self.blocks_per_slot * BLOCK_BYTES


def layout_for(size: int, k: int, m: int, profile: Profile) -> Layout:
    """The layout of ``size`` sealed bytes. Raises CodeParameters, and FileRejected where the profile cannot prove it."""
    check_code(k, m)
    layout = Layout(size, k, m)
    if layout.slots > profile.max_slots:
        raise FileRejected(
            f"{layout.slots} slots are too many", f"the {profile.name} circuit proves {profile.max_slots} at most",
            "Choose fewer slots.",
        )  # fmt: skip
    if layout.blocks_per_slot > profile.max_blocks:
        limit = profile.max_blocks * BLOCK_BYTES
        raise FileRejected(
            f"Slots of {layout.slot_bytes} bytes are too large",
            f"the {profile.name} circuit proves {limit} bytes at most, and a third of a slot is parity",
            "Choose more data slots, so that each is smaller.",
        )
    return layout
