"""Who proves next: the earliest deadline, and nobody whose deadline cannot be met. Plain values; the clock is the caller's."""

from bisect import bisect_left, insort
from dataclasses import dataclass

LEAST_PATIENCE = 5.0
"""Seconds any proof may take before its worker counts as hung: the machine may be busy."""
FIRST_PATIENCE = 120.0
"""The same while no proof was made yet: machine code may have to be compiled."""
MOST_PATIENCE = 60.0
"""Seconds after which one does that could still wait; or ten times what a proof takes, if that is more."""


@dataclass(frozen=True, order=True)
class Entry:
    """A proof that waits. Of equal deadlines the one that came first is first."""

    deadline: float
    """UNIX seconds after which the proof is worthless."""
    number: int


def hopeless(deadline: float, now: float, seconds: float) -> bool:
    """Whether a proof that is begun now, and takes as long as others did, ends after its deadline."""
    return now + seconds > deadline


def patience(deadline: float, now: float, seconds: float, known: bool, last: bool = False) -> float:
    """Seconds after which a proof begun now is given up because its worker hangs.

    ``seconds`` is what a proof takes, ``known`` whether one was made. Where there is time for it, a second attempt still fits
    in before the deadline; the ``last`` attempt has all the time there is. A proof that is merely slow is never given up
    before it took three times as long as others.
    """
    left = deadline - now if last else deadline - now - 2 * seconds
    least = max(LEAST_PATIENCE if known else FIRST_PATIENCE, 3 * seconds)
    most = max(MOST_PATIENCE, 10 * seconds, least)
    return min(max(left, least), most)


class Agenda:
    """The proofs that wait, earliest deadline first."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def first(self) -> Entry | None:
        """Whose turn is next."""
        return self._entries[0] if self._entries else None

    def add(self, deadline: float) -> Entry:
        """Let one more wait."""
        entry = Entry(deadline, self._count)
        self._count += 1
        insort(self._entries, entry)
        return entry

    def drop(self, entry: Entry) -> bool:
        """Let one wait no more; whether it did."""
        at = bisect_left(self._entries, entry)
        if at == len(self._entries) or self._entries[at] != entry:
            return False
        del self._entries[at]
        return True

    def take_hopeless(self, now: float, seconds: float) -> list[Entry]:
        """Drop those whose deadlines cannot be met any more, and return them, earliest first."""
        # Who has a later deadline than one that can be met has one that can be met.
        count = next(
            (i for i, entry in enumerate(self._entries) if not hopeless(entry.deadline, now, seconds)), len(self)
        )
        found, self._entries = self._entries[:count], self._entries[count:]
        return found
