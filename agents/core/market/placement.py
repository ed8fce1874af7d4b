"""Who may reserve a slot when: the expanding window of the Codex paper, exactly as contracts/libraries/Placement.sol has it.

Each reservation of a slot has a random position A0. A provider is eligible once XOR(id, A0) is below 2^256 F(t), where t is the
elapsed share of the sale's window and F(t) = (e^{s t} - 1) / (e^s - 1), s = 2 ln((1 - h) / h), so that F(1/2) = h.
"""

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from agents.core.market.fixed_point import WAD, exp_wad, ln_wad, quotient
from agents.core.market.types import BPS, HASHED_BLOCKS

EVERYTHING = 2**256 - 1
"""The threshold of a window that is over: everybody is eligible."""

DISTANCE_PER_WAD = EVERYTHING // WAD


def steepness(dispersal: int) -> int:
    """s in 1e-18, for h in basis points."""
    return 2 * ln_wad((BPS - dispersal) * WAD // dispersal)


def share(s: int, elapsed: int, window: int) -> int:
    """F(elapsed / window) in 1e-18, rounded down, for elapsed < window."""
    if s == 0:
        return elapsed * WAD // window
    part = exp_wad(quotient(s * elapsed, window)) - WAD
    return quotient(part * WAD, exp_wad(s) - WAD)


def position(seed: bytes, request_id: bytes, slot_index: int, reservations: int) -> int:
    """A0 of a slot's next reservation; ``seed`` is the hash of the sale's seed block."""
    types = ["bytes32", "bytes32", "uint16", "uint16"]
    return int.from_bytes(keccak(encode(types, [seed, request_id, slot_index, reservations])), "big")


@dataclass(frozen=True)
class Sale:
    """One slot's sale."""

    start: int
    seed_block: int
    window: int
    """Seconds."""
    steepness: int

    def threshold(self, now: int) -> int:
        """The distance below which a provider is eligible at ``now``."""
        elapsed = now - self.start
        if elapsed >= self.window:
            return EVERYTHING
        return share(self.steepness, elapsed, self.window) * DISTANCE_PER_WAD

    def eligible(self, distance: int, now: int, block: int) -> bool:
        """Whether a provider at ``distance`` is eligible at ``now``; a seed out of the chain's memory excludes nobody."""
        threshold = self.threshold(now)
        return threshold == EVERYTHING or block - self.seed_block > HASHED_BLOCKS or distance < threshold
