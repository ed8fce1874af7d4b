"""A Bloom filter over what a cache holds: ten bits a segment, one in a hundred false alarms (Bloom 1970)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.core.errors import Malformed

BITS_PER_KEY = 10
HASHES = 7
"""10 ln 2, which makes false alarms rarest: 0.0082 at full load."""
MAX_KEYS = 200_000
"""200 GiB of segments in 250 KB."""
SPREAD = 8
"""Standard deviations that the bits of an honest filter may be off what its number of keys makes them."""


def segment_key(dataset: bytes, number: int) -> bytes:
    """What stands in a filter for segment ``number`` of the dataset with this manifest digest."""
    return hashlib.sha256(dataset + number.to_bytes(4, "big")).digest()


@dataclass(frozen=True)
class Holdings:
    """A set that may say yes wrongly, never no."""

    count: int
    """Keys it was made of; they fix its size."""
    bits: bytes

    @classmethod
    def of(cls, keys: Iterable[bytes]) -> "Holdings":
        """The filter of distinct ``keys`` of 32 bytes, the first MAX_KEYS of them: a summary may leave some out."""
        kept = list(dict.fromkeys(keys))[:MAX_KEYS]
        flags = np.zeros(size_of(len(kept)) * 8, dtype=np.uint8)
        flags[_places(kept, len(flags)).reshape(-1)] = 1
        return cls(len(kept), np.packbits(flags).tobytes())

    def share(self, keys: list[bytes]) -> float:
        """Which share of ``keys`` it says it has."""
        if not keys or not self.count:
            return 0.0
        packed = np.frombuffer(self.bits, dtype=np.uint8)
        places = _places(keys, 8 * len(packed))
        return float(np.mean((packed[places >> 3] << (places & 7) & 0x80).all(axis=1)))

    def __contains__(self, key: bytes) -> bool:
        return self.share([key]) == 1.0

    def check(self) -> None:
        """Raises Malformed unless ``count`` keys can have made these bits: one with every bit set has everything."""
        if not 0 <= self.count <= MAX_KEYS or len(self.bits) != size_of(self.count):
            raise Malformed("The summary is malformed", f"{len(self.bits)} bytes do not hold {self.count} keys")
        total = 8 * len(self.bits)
        if not total:
            return
        empty = (1 - 1 / total) ** (HASHES * self.count)
        most = total * (1 - empty) + SPREAD * (total * empty * (1 - empty)) ** 0.5 + 1
        if int.from_bytes(self.bits).bit_count() > most:
            raise Malformed("The summary is malformed", f"{self.count} keys cannot have set so many of its bits")


def size_of(count: int) -> int:
    """Bytes of the filter of ``count`` keys."""
    return -(-count * BITS_PER_KEY // 8)


def _places(keys: list[bytes], bits: int) -> NDArray[np.int64]:
    """(keys, HASHES): where each key's bits are, by double hashing (Kirsch and Mitzenmacher 2006)."""
    if not keys:
        return np.zeros((0, HASHES), dtype=np.int64)
    words = np.frombuffer(b"".join(key[:16] for key in keys), dtype="<u8").reshape(-1, 2)
    steps = np.arange(HASHES, dtype=np.uint64)
    with np.errstate(over="ignore"):
        mixed = words[:, :1] + steps * (words[:, 1:] | np.uint64(1))
    return (mixed % np.uint64(bits)).astype(np.int64)
