"""Proof periods in blocks, their challenges, and when a miss can be marked."""

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from agents.core.market.types import MarketConfig

LOTTERY = 2**256 - 1


def period_of(block: int, config: MarketConfig) -> int:
    """The period ``block`` belongs to."""
    return block // config.period_blocks


def first_block(period: int, config: MarketConfig) -> int:
    """The block whose hash is the period's challenge; proofs are accepted in the blocks after it."""
    return period * config.period_blocks


def challenge(seed: bytes, slot_id: bytes) -> bytes:
    """keccak256(hash of the period's first block, slot id)."""
    return keccak(encode(["bytes32", "bytes32"], [seed, slot_id]))


def required(drawn: bytes, proof_probability: int) -> bool:
    """Whether a challenge asks for a proof; the host must have filled before the period."""
    return int.from_bytes(drawn, "big") <= LOTTERY // proof_probability


def markable_blocks(period: int, config: MarketConfig) -> range:
    """Blocks in which a miss of ``period`` can be marked."""
    start = first_block(period + 1, config)
    return range(start, start + config.mark_blocks)


def over_before(period: int, end: int, block: int, now: int, config: MarketConfig) -> bool:
    """Whether ``period`` was over before ``end`` (UNIX seconds), as block ``block`` at ``now`` can tell."""
    return now <= end + (block - (first_block(period + 1, config) - 1)) * config.block_seconds
