"""Progress of long work on stderr: a live bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[str, int, int], None]
"""Called with (what is being done, done so far, total); total 0 means that nobody knows."""

QUIET_SECONDS = 5.0
"""Off a terminal: at most one line in this time for the same piece of work."""


@contextmanager
def progress() -> Iterator[Advance]:
    """Yield the callable that shows progress while the block runs."""
    with _bars() if sys.stderr.isatty() else _lines() as advance:
        yield advance


@contextmanager
def _bars() -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    tasks: dict[str, TaskID] = {}

    def advance(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total or None)
        bars.update(tasks[what], completed=done, total=total or None)

    with bars:
        yield advance


@contextmanager
def _lines() -> Iterator[Advance]:
    said: dict[str, float] = {}
    ended: set[str] = set()

    def advance(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        finished = total > 0 and done >= total
        if what in ended or (what in said and not finished and now - said[what] < QUIET_SECONDS):
            return
        if finished:
            ended.add(what)
        said[what] = now
        share = f" {100 * done // total}%" if total else ""
        sys.stderr.write(f"{what}{share}\n")
        sys.stderr.flush()

    yield advance
