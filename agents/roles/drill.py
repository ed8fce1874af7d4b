"""Kill drills: HOLDFAST_KILL_AT=<step>[:n] has an agent kill itself the n-th time it reaches a step, as kill -9 would.

HOLDFAST_KILLED names a file that is made just before; where it exists nothing is killed any more, so that an agent started
again in the same environment lives.
"""

import logging
import os
import signal
from pathlib import Path

from agents.core.errors import Misuse

log = logging.getLogger(__name__)

STEPS = (
    "reserve.before", "reserve.sent", "upload.committed", "rebuild.done", "fill.proven", "fill.sent", "prove.proven",
    "prove.sent", "settle.before",
    "encoded", "posted", "pushed",
    "mark.before", "mark.sent",
)  # fmt: skip
"""A provider's, a client's and a validator's. ``sent``: it is in a block, and the agent has not yet seen it there."""


class Drill:
    """One kill: ``asked`` is the text after HOLDFAST_KILL_AT=, ``marker`` that after HOLDFAST_KILLED=."""

    def __init__(self, asked: str, marker: str) -> None:
        self._asked = asked
        self._step, _, self._count = asked.partition(":")
        self._marker = marker
        self._seen = 0

    def check(self) -> None:
        """Raises Misuse where the drill is none."""
        known = not self._asked or self._step in STEPS
        counted = ":" not in self._asked or (self._count.isascii() and self._count.isdecimal() and int(self._count) > 0)
        if not known or not counted:
            raise Misuse(
                f"HOLDFAST_KILL_AT={self._asked} names no step", "it is <step> or <step>:<n-th time>",
                f"The steps are {', '.join(STEPS)}.",
            )  # fmt: skip

    def reached(self, step: str) -> None:
        """Die here if this is where and when."""
        if step != self._step:
            return
        self._seen += 1
        if self._seen != int(self._count or 1) or self._done_before():
            return
        log.warning("killed by a drill at %s", self._asked)
        os.kill(os.getpid(), signal.SIGKILL)

    def _done_before(self) -> bool:
        """Whether the marker is there; it is from now on."""
        if not self._marker:
            return False
        try:
            os.close(os.open(Path(self._marker), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return True
        return False


_DRILL = Drill(os.environ.get("HOLDFAST_KILL_AT", ""), os.environ.get("HOLDFAST_KILLED", ""))


def check() -> None:
    """Raises Misuse where the environment asks for a kill at a step there is not."""
    _DRILL.check()


def reached(step: str) -> None:
    """An agent is at ``step``."""
    _DRILL.reached(step)
