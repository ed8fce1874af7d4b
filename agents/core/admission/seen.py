"""Whether an object was requested before: what is asked for only once, as most objects are, is not worth a disk write."""

import hashlib
import math
from collections.abc import Iterator

FALSE = 0.01
"""Share of new objects taken for known ones, at most."""


class Seen:
    """A Bloom filter of two generations: it remembers at least the last ``objects``, and less than twice as many.

    Some 2.4 bytes an object.
    """

    def __init__(self, objects: int = 1 << 20) -> None:
        self._limit = objects
        self._hashes = max(1, round(-math.log2(FALSE)))
        self._bits = max(64, math.ceil(-objects * math.log(FALSE) / math.log(2) ** 2))
        self._older, self._newer = self._empty(), self._empty()
        self._count = 0

    def _empty(self) -> bytearray:
        return bytearray(-(-self._bits // 8))

    def add(self, name: bytes) -> bool:
        """Remembers an object; whether it was known."""
        places = list(self._places(name))
        if _all(self._newer, places):
            return True
        known = _all(self._older, places)
        if self._count == self._limit:
            self._older, self._newer, self._count = self._newer, self._empty(), 0
        for place in places:
            self._newer[place >> 3] |= 1 << (place & 7)
        self._count += 1
        return known

    def _places(self, name: bytes) -> Iterator[int]:
        found = hashlib.blake2b(name, digest_size=16).digest()
        first, step = int.from_bytes(found[:8], "big"), int.from_bytes(found[8:], "big") | 1
        return ((first + number * step) % self._bits for number in range(self._hashes))


def _all(bits: bytearray, places: list[int]) -> bool:
    return all(bits[place >> 3] >> (place & 7) & 1 for place in places)
