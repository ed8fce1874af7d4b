"""Systematic Reed-Solomon across slots (zfec): any k of k+m slots rebuild the others.

Block j of every slot makes stripe j, so data streams through with one stripe in memory.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import zfec

from agents.core.errors import CodeParameters, Corrupt
from agents.core.market.types import MAX_SLOTS


def check_code(k: int, m: int) -> None:
    """Raises CodeParameters unless k data and m parity slots can be."""
    if k < 1 or m < 0 or not 2 <= k + m <= MAX_SLOTS:
        raise CodeParameters(
            f"{k} data slots and {m} parity slots cannot be",
            f"at least 1 data slot and 2 to {MAX_SLOTS} slots in all are needed",
            "Choose other numbers, e.g. --slots 3 --parity 2.",
        )


@cache
def _encoder(k: int, n: int) -> zfec.Encoder:
    return zfec.Encoder(k, n)


@cache
def _decoder(k: int, n: int) -> zfec.Decoder:
    return zfec.Decoder(k, n)


def parity_of(stripe: Sequence[bytes], m: int) -> list[bytes]:
    """The m parity blocks of k data blocks of equal length."""
    if m == 0:
        return []
    k = len(stripe)
    return [bytes(block) for block in _encoder(k, k + m).encode(list(stripe), list(range(k, k + m)))]


def parity_block(stripe: Sequence[bytes], m: int, which: int) -> bytes:
    """Parity block ``which`` (0 .. m-1) of k data blocks, alone."""
    k = len(stripe)
    return bytes(_encoder(k, k + m).encode(list(stripe), [k + which])[0])


def rebuild(blocks: Mapping[int, bytes], k: int, m: int, wanted: Sequence[int]) -> list[bytes]:
    """Blocks ``wanted`` of a stripe from any k of its blocks, decoded once for all. Raises Corrupt for fewer than k."""
    data = data_of(blocks, k, m)
    parity = [index for index in wanted if index >= k]
    coded = dict(zip(parity, _encoder(k, k + m).encode(data, parity), strict=True)) if parity else {}
    return [data[index] if index < k else bytes(coded[index]) for index in wanted]


def data_of(blocks: Mapping[int, bytes], k: int, m: int) -> list[bytes]:
    """The k data blocks of a stripe from any k of its blocks. Raises Corrupt for fewer than k."""
    if len(blocks) < k:
        raise Corrupt(f"Only {len(blocks)} of the {k} slots needed are there", "", "Try again when more hosts answer.")
    if all(index in blocks for index in range(k)):
        return [blocks[index] for index in range(k)]
    # zfec wants each data block that is there at its own place.
    chosen = sorted(blocks)[:k]
    places: list[int] = [index if index in chosen else -1 for index in range(k)]
    spare = [index for index in chosen if index >= k]
    order = [index if index >= 0 else spare.pop() for index in places]
    return [bytes(block) for block in _decoder(k, k + m).decode([blocks[index] for index in order], order)]
