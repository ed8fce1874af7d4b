"""One proof at a time on this machine, earliest deadline first, across processes.

Two proofs at once on the same cores only slow each other down, and the later one may then miss its period. Everybody who
wants to prove keeps a ticket: a file named after its deadline, locked by flock while its owner lives. Whoever holds the
earliest live ticket takes the prover's lock. The kernel drops a dead process's locks, so a SIGKILL blocks nobody; its ticket
is swept by the next one who looks.
"""

import asyncio
import fcntl
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from agents.core.errors import ProverUnavailable

POLL_SECONDS = 0.05


def machine_folder() -> Path:
    """The folder all agents of this user share: HOLDFAST_PROVER_LOCK, or one below /tmp.

    Neither XDG_RUNTIME_DIR nor TMPDIR is asked: they differ between a login and a service, and then there were two locks.
    """
    named = os.environ.get("HOLDFAST_PROVER_LOCK")
    return Path(named) if named else Path("/tmp") / f"holdfast-prover-{os.getuid()}"


class ProverLock:
    """The lock in ``folder``."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or machine_folder()

    @asynccontextmanager
    async def held(self, deadline: float) -> AsyncIterator[None]:
        """Hold the lock while the block runs; ``deadline`` (UNIX seconds) says whose turn it is first."""
        self._open()
        with self._ticket(deadline) as ticket:
            while True:
                first = self._first()
                # Not "is the first": somebody who cleans the folder must not make us wait for ever.
                if first is None or first >= ticket.name:
                    with _locked(self.folder / "prover") as got:
                        if got:
                            yield
                            return
                await asyncio.sleep(POLL_SECONDS)

    def _open(self) -> None:
        """Make the folder. Raises ProverUnavailable for one that is somebody else's: its owner could stop our proofs."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = self.folder.lstat().st_uid
        except OSError as error:
            owner, why = None, error.strerror or str(error)
        else:
            why = f"it belongs to user {owner}"
        if owner != os.getuid():
            raise ProverUnavailable(
                f"Cannot queue for the prover in {self.folder}", why, "Name another folder with HOLDFAST_PROVER_LOCK."
            )

    @contextmanager
    def _ticket(self, deadline: float) -> Iterator[Path]:
        token = secrets.token_hex(8)
        # Fixed width, so that names sort as deadlines do.
        ticket = self.folder / f"{max(0, int(deadline * 1000)):016d}-{token}.ticket"
        unseen = self.folder / f"{token}.new"
        handle = os.open(unseen, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            # Locked before anybody can see it: an unlocked ticket is a dead one's.
            fcntl.flock(handle, fcntl.LOCK_EX)
            unseen.rename(ticket)
            yield ticket
        finally:
            ticket.unlink(missing_ok=True)
            unseen.unlink(missing_ok=True)
            os.close(handle)

    def _first(self) -> str | None:
        """The earliest ticket whose owner lives; dead ones are swept."""
        for ticket in sorted(self.folder.glob("*.ticket")):
            if not _abandoned(ticket):
                return ticket.name
            ticket.unlink(missing_ok=True)
        return None


def _abandoned(ticket: Path) -> bool:
    """Whether nobody holds ``ticket``."""
    try:
        handle = os.open(ticket, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: others may be looking too
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Whether ``path`` could be locked; it stays so while the block runs."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
