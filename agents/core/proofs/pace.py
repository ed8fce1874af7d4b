"""What the last proofs took, and how busy a prover is: numbers for admission, for `provider status` and for the log."""

from collections import deque
from dataclasses import asdict, dataclass

REMEMBERED = 8
"""Proofs whose mean tells how long the next one takes; the slowest is left out: it may have waited for a worker to start."""
MINUTE = 60.0
STALE_SECONDS = 30.0
"""Without a proof for so long, what the last ones took is no reason to refuse the next."""


@dataclass(frozen=True)
class ProvingLoad:
    """A prover at one moment."""

    waiting: int
    """Proofs that wait for their turn."""
    running: int
    capacity: int
    """Proofs that can run at once."""
    due_in: float | None
    """Seconds to the nearest deadline of those that wait or run, negative once it has passed; None: there are none."""
    per_minute: int
    """Proofs made in the last minute."""
    seconds: float
    """What a proof takes: the mean of the last ones, the slowest left out."""
    refused: int
    """Proofs that were not begun because they would have come too late, since the start."""

    def as_json(self) -> dict[str, int | float | None]:
        """The fields by name."""
        return asdict(self)

    def __str__(self) -> str:
        due = "" if self.due_in is None else f", next due in {self.due_in:.0f} s"
        late = f", {self.refused} refused as too late" if self.refused else ""
        return (
            f"{self.running} of {self.capacity} running, {self.waiting} waiting{due}, "
            f"{self.per_minute} in the last minute, {self.seconds:.2f} s each{late}"
        )


class Tally:
    """Keeps what proofs took; ``now`` is always the same clock's."""

    def __init__(self, expected: float) -> None:
        """``expected``: seconds of a proof until one was made."""
        self._expected = expected
        self._took: deque[float] = deque(maxlen=REMEMBERED)
        self._done: deque[float] = deque()
        self._doubted = False
        self.refused = 0

    @property
    def seconds(self) -> float:
        """What a proof takes: the mean of the last ones, the slowest left out."""
        if len(self._took) > 1:
            return (sum(self._took) - max(self._took)) / (len(self._took) - 1)
        return self._took[0] if self._took else self._expected

    @property
    def begun(self) -> bool:
        """Whether a proof was made."""
        return bool(self._took)

    @property
    def known(self) -> float:
        """What a proof takes, as a reason to refuse one: nothing while nothing certain is known."""
        return self.seconds if len(self._took) > 1 and not self._doubted else 0.0

    def proven(self, seconds: float, now: float) -> None:
        """A proof was made."""
        self._took.append(seconds)
        self._done.append(now)
        self._doubted = False
        self._sweep(now)

    def turned_away(self, now: float, guessed: bool) -> None:
        """A proof was refused; ``guessed``: only because of what the last ones took.

        Unless a new one confirms that, the next is tried all the same: a machine that was slow for a while would never find
        out that it is quick again.
        """
        self.refused += 1
        self._sweep(now)
        if guessed and (not self._done or now - self._done[-1] > STALE_SECONDS):
            self._doubted = True

    def per_minute(self, now: float) -> int:
        """Proofs made in the minute before ``now``."""
        self._sweep(now)
        return len(self._done)

    def _sweep(self, now: float) -> None:
        while self._done and now - self._done[0] > MINUTE:
            self._done.popleft()
