"""Which block list a block stands in: an index of digests in sixteen bytes each."""

from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from agents.core.dataset.segments import Digests

PREFIX = 8
"""Bytes of a digest that are looked for; whoever finds a place compares the rest."""

Words = NDArray[np.uint64]


class BlockIndex:
    """Runs of sorted prefixes with their places; a run is merged with the one before when it is half as long."""

    def __init__(self) -> None:
        self._owners: list[Hashable | None] = []
        self._runs: list[tuple[Words, Words]] = []

    def add(self, owner: Hashable, digests: Digests) -> None:
        """``owner`` has blocks with these digests, in order."""
        prefixes = np.frombuffer(digests.data, dtype=">u8")[::4].astype(np.uint64)
        self._owners.append(owner)
        start = np.uint64(len(self._owners) - 1 << 32)
        self._runs.append(_sorted(prefixes, start + np.arange(len(prefixes), dtype=np.uint64)))
        while len(self._runs) > 1 and 2 * len(self._runs[-1][0]) >= len(self._runs[-2][0]):
            newer, older = self._runs.pop(), self._runs.pop()
            self._runs.append(_sorted(*(np.concatenate(pair) for pair in zip(older, newer, strict=True))))

    def find(self, digest: bytes) -> list[tuple[Hashable, int]]:
        """(owner, which of its blocks) where a block with that digest may stand."""
        wanted = np.uint64(int.from_bytes(digest[:PREFIX], "big"))
        found = []
        for prefixes, places in self._runs:
            first, end = np.searchsorted(prefixes, wanted, "left"), np.searchsorted(prefixes, wanted, "right")
            for place in places[first:end].tolist():
                owner = self._owners[place >> 32]
                if owner is not None:
                    found.append((owner, place & 0xFFFFFFFF))
        return found

    def forget(self, owner: Hashable) -> None:
        """Its blocks are not found any more."""
        number = np.uint64(self._owners.index(owner))
        self._owners[int(number)] = None
        kept = [(places >> np.uint64(32) != number, prefixes, places) for prefixes, places in self._runs]
        self._runs = [(prefixes[mask], places[mask]) for mask, prefixes, places in kept if mask.any()]


def _sorted(prefixes: Words, places: Words) -> tuple[Words, Words]:
    order = np.argsort(prefixes, kind="stable")
    return prefixes[order], places[order]
