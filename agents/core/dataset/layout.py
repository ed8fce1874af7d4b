"""Which block stands where: slot i of the data is the contiguous blocks [i s, (i+1) s) of the sealed file, zeros at the end."""

from dataclasses import dataclass

from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.erasure import check_code
from agents.core.errors import FileRejected
from agents.core.proofs.profiles import Profile


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
    def blocks_per_slot(self) -> int:
        """s."""
        return -(-self.blocks // self.data_slots)

    @property
    def slots(self) -> int:
        """k + m."""
        return self.data_slots + self.parity_slots

    @property
    def slot_bytes(self) -> int:
        """Bytes of one slot."""
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
            f"the {profile.name} circuit proves {limit} bytes at most",
            "Choose more data slots, so that each is smaller.",
        )
    return layout
