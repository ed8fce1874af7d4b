"""What time it is for what the chain will judge: when lanes end, and summaries with them."""

import time


class ChainClock:
    """UNIX seconds by this machine's clock, or by the chain's where that is ahead: lanes end when the chain says so."""

    def __init__(self, timestamp: float = 0.0) -> None:
        """``timestamp``: of the newest block."""
        self.see(timestamp)

    def __call__(self) -> float:
        return time.time() + self._ahead

    def see(self, timestamp: float) -> None:
        """A block of this time came."""
        self._ahead = max(0.0, timestamp - time.time())
