"""Blocks as the chain tells of them: what ties an event or a receipt to a history."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from agents.chain.rpc import Rpc, quantity, unhex
from agents.core.errors import ChainLies


@dataclass(frozen=True)
class BlockRef:
    """One block of one history: its number and its hash (32 bytes)."""

    number: int
    hash: bytes


@dataclass(frozen=True)
class Header:
    """What is read of a block: ``timestamp`` in seconds, ``base_fee`` in wei, ``bloom`` 256 bytes."""

    number: int
    hash: bytes
    parent: bytes
    timestamp: int
    base_fee: int
    gas_limit: int
    bloom: bytes
    transactions: tuple[bytes, ...]

    @property
    def ref(self) -> BlockRef:
        """The block's number and hash."""
        return BlockRef(self.number, self.hash)

    def may_log(self, address: str) -> bool:
        """Whether the bloom filter admits a log of ``address``; false is certain."""
        digest = keccak(hexstr=address)
        filled = int.from_bytes(self.bloom, "big")
        bits = (int.from_bytes(digest[at : at + 2], "big") & 2047 for at in (0, 2, 4))
        return all(filled >> bit & 1 for bit in bits)


def parse_header(block: Any) -> Header:
    """The header in a JSON block. Raises ChainLies."""
    if not isinstance(block, dict):
        raise ChainLies("The RPC sent a malformed block", repr(block)[:80], "Use another RPC.")
    listed = block.get("transactions") or []
    return Header(
        number=quantity(block.get("number")),
        hash=unhex(block.get("hash"), 32),
        parent=unhex(block.get("parentHash"), 32),
        timestamp=quantity(block.get("timestamp")),
        base_fee=quantity(block.get("baseFeePerGas", "0x0")),
        gas_limit=quantity(block.get("gasLimit")),
        bloom=unhex(block.get("logsBloom", "0x" + "00" * 256), 256),
        transactions=tuple(unhex(tx if isinstance(tx, str) else tx.get("hash"), 32) for tx in listed),
    )


async def header_of(rpc: Rpc, number: int | str) -> Header | None:
    """The header of block ``number`` (or of a tag such as ``latest``); None if the chain has none."""
    asked = hex(number) if isinstance(number, int) else number
    block = await rpc.call("eth_getBlockByNumber", asked, False)
    return _checked(block, number)


async def headers_of(rpc: Rpc, numbers: Sequence[int]) -> list[Header | None]:
    """The headers of ``numbers``, in order."""
    blocks = await rpc.batch([("eth_getBlockByNumber", (hex(number), False)) for number in numbers])
    return [_checked(block, number) for block, number in zip(blocks, numbers, strict=True)]


async def latest(rpc: Rpc) -> Header:
    """The newest header."""
    header = await header_of(rpc, "latest")
    if header is None:
        raise ChainLies("The RPC has no newest block", "", "Use another RPC.")
    return header


def _checked(block: Any, asked: int | str) -> Header | None:
    if block is None:
        return None
    header = parse_header(block)
    if isinstance(asked, int) and header.number != asked:
        raise ChainLies(f"The RPC sent block {header.number} when asked for {asked}", "", "Use another RPC.")
    return header
