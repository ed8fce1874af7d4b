"""One proof at a time on this machine, earliest deadline first, across processes.

Two proofs at once on the same cores only slow each other down, and the later one may then miss its period. Everybody who
wants to prove keeps a ticket: a file named after its deadline, locked by flock while its owner lives. Whoever holds the
earliest live ticket takes the prover's lock. The kernel drops a dead process's locks, so a SIGKILL blocks nobody; its ticket
is swept by the next one who looks.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

POLL_SECONDS = 0.05


def machine_folder() -> Path:
    """The folder all agents of this user share: HOLDFAST_PROVER_LOCK, or one below the runtime folder."""
    named = os.environ.get("HOLDFAST_PROVER_LOCK")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp") / f"holdfast-prover-{os.getuid()}"


class ProverLock:
    """The lock in ``folder``."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or machine_folder()

    @asynccontextmanager
    async def held(self, deadline: float) -> AsyncIterator[None]:
        """Hold the lock while the block runs; ``deadline`` (UNIX seconds) says whose turn it is first."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._ticket(deadline) as ticket:
            while True:
                if self._first() == ticket.name:
                    with _locked(self.folder / "prover", wait=False) as got:
                        if got:
                            yield
                            return
                await asyncio.sleep(POLL_SECONDS)

    @contextmanager
    def _ticket(self, deadline: float) -> Iterator[Path]:
        # Fixed width, so that names sort as deadlines do.
        ticket = self.folder / f"{max(0, int(deadline * 1000)):016d}-{secrets.token_hex(8)}.ticket"
        handle = os.open(ticket, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield ticket
        finally:
            ticket.unlink(missing_ok=True)
            os.close(handle)

    def _first(self) -> str | None:
        """The earliest ticket whose owner lives; dead ones are swept."""
        for ticket in sorted(self.folder.glob("*.ticket")):
            if not _abandoned(ticket):
                return ticket.name
            ticket.unlink(missing_ok=True)
        return None


def _abandoned(path: Path) -> bool:
    """Whether nobody holds ``path``."""
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(handle)
        # A ticket is young for a moment between its creation and its lock.
        with contextlib.suppress(FileNotFoundError):
            return path.stat().st_mtime < _now_of(path.parent) - 1
    return True


def _now_of(folder: Path) -> float:
    """The file system's own clock, which may not be this process's."""
    probe = folder / f"now-{os.getpid()}"
    probe.touch()
    now = probe.stat().st_mtime
    probe.unlink(missing_ok=True)
    return now


@contextmanager
def _locked(path: Path, wait: bool) -> Iterator[bool]:
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)
