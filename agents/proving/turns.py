"""Places to prove on this machine: as many as it has cores, earliest deadline first, across processes.

More proofs at once than there are cores only slow each other down, and the later ones may then miss their periods. A place
is a file, locked by flock while somebody proves. A process whose proofs wait keeps one ticket: a file named after the
earliest of their deadlines, locked while the process lives. Whoever has the earliest live ticket, and nobody else, takes the
next place that is free. The kernel drops a dead process's locks, so a SIGKILL blocks nobody; its ticket is swept by the next
one who looks.
"""

import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path

from agents.core.errors import ProverUnavailable

FARTHEST = 10.0**12
"""Seconds: a deadline beyond all others."""


def machine_folder() -> Path:
    """The folder all agents of this user share: HOLDFAST_PROVER_LOCK, or one below /tmp.

    Neither XDG_RUNTIME_DIR nor TMPDIR is asked: they differ between a login and a service, and then there were two queues.
    """
    named = os.environ.get("HOLDFAST_PROVER_LOCK")
    return Path(named) if named else Path("/tmp") / f"holdfast-prover-{os.getuid()}"


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Places:
    """Places that are held until they are released, or the process dies."""

    def __init__(self, handles: list[int]) -> None:
        self._handles = handles

    def release(self) -> None:
        """Let them go. May be repeated."""
        while self._handles:
            os.close(self._handles.pop())


class Turns:
    """This process's part in the machine's queue. Calls never wait."""

    def __init__(self, folder: Path | None = None, places: int | None = None) -> None:
        self.folder = folder or machine_folder()
        self.places = places or cores()
        self._ticket: _Ticket | None = None

    def take(self, deadline: float, wanted: int | None = None) -> Places | None:
        """``wanted`` places (None: all) for a proof due at ``deadline``, or None while it is another one's turn.

        A ticket is kept meanwhile: call it again soon, or `leave`. Raises ProverUnavailable.
        """
        try:
            ticket = self._at(deadline)
            first = self._first()
            # Not "is the first": somebody may clean the folder at any moment, and that must stop nobody.
            if first is not None and first < ticket.path.name:
                return None
            found = self._lock(min(wanted or self.places, self.places))
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        if found is not None:
            self.leave()
        return found

    def leave(self) -> None:
        """Wait no more."""
        if self._ticket is not None:
            self._ticket.close()
            self._ticket = None

    def _at(self, deadline: float) -> "_Ticket":
        # Fixed width, so that names sort as deadlines do.
        stamp = f"{int(min(max(0.0, deadline), FARTHEST) * 1000):016d}"
        self._open()
        if self._ticket is not None and not self._ticket.path.exists():
            self.leave()  # somebody cleaned the folder
        if self._ticket is None:
            self._ticket = _Ticket(self.folder, stamp)
        self._ticket.move(stamp)
        return self._ticket

    def _open(self) -> None:
        """Make the folder. Raises ProverUnavailable for one that is somebody else's: its owner could stop our proofs."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = self.folder.lstat().st_uid
        if owner != os.getuid():
            raise self._unusable(f"it belongs to user {owner}")

    def _unusable(self, why: str) -> ProverUnavailable:
        return ProverUnavailable(
            f"Cannot queue for the prover in {self.folder}", why, "Name another folder with HOLDFAST_PROVER_LOCK."
        )

    def _first(self) -> str | None:
        """The earliest ticket whose owner lives; dead ones are swept."""
        for ticket in sorted(self.folder.glob("*.ticket")):
            if not _abandoned(ticket):
                return ticket.name
            ticket.unlink(missing_ok=True)
        return None

    def _lock(self, wanted: int) -> Places | None:
        """All of ``wanted`` places or none: who took some and waited for others could wait for somebody who does the same."""
        handles: list[int] = []
        try:
            for number in range(self.places):
                handle = _locked(self.folder / f"place-{number}")
                if handle is not None:
                    handles.append(handle)
                if len(handles) == wanted:
                    return Places(handles)
        except BaseException:
            Places(handles).release()
            raise
        Places(handles).release()
        return None


class _Ticket:
    """A ticket of this process: locked before anybody can see it, as an unlocked one is a dead process's."""

    def __init__(self, folder: Path, stamp: str) -> None:
        self._token = secrets.token_hex(8)
        unseen = folder / f"{self._token}.new"
        self._handle = os.open(unseen, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        self.path = folder / f"{stamp}-{self._token}.ticket"
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            unseen.rename(self.path)
        except BaseException:
            unseen.unlink(missing_ok=True)
            os.close(self._handle)
            raise

    def move(self, stamp: str) -> None:
        """Stand where ``stamp`` says."""
        path = self.path.with_name(f"{stamp}-{self._token}.ticket")
        if path != self.path:
            with suppress(FileNotFoundError):  # cleaned away: a new one is made at the next call
                self.path.rename(path)
            self.path = path

    def close(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)
        os.close(self._handle)


def _locked(path: Path) -> int | None:
    """An open file that holds the lock of ``path``, or None where somebody else has it."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


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
