"""Where machine code is kept between processes."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from shutil import rmtree
from typing import TypeVar

Loaded = TypeVar("Loaded")

PACKAGE = Path(__file__).resolve().parent
PROOFS = PACKAGE.parent / "core" / "proofs"
SOURCES = (*PACKAGE.glob("*.py"), *(PROOFS / f"{name}.py" for name in ("field", "poseidon2", "poseidon2_constants")))
"""The code that numba compiles, and the constants it compiles in."""


DIGEST_BYTES = 32


def _ours(folder: Path) -> bool:
    """Whether ``folder``, made if it is missing, is this user's and can be written."""
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.access(folder, os.W_OK) and folder.stat().st_uid == os.getuid()
    return False


def cache_folder() -> Path:
    """A folder of this user's: below XDG_CACHE_HOME or ~/.cache, else below the temporary folder."""
    wanted = []
    if home := os.environ.get("XDG_CACHE_HOME"):
        wanted.append(Path(home) / "holdfast")
    else:
        with contextlib.suppress(RuntimeError):  # a user without a home directory
            wanted.append(Path.home() / ".cache" / "holdfast")
    wanted.append(Path(tempfile.gettempdir()) / f"holdfast-{os.getuid()}")
    return next((folder for folder in wanted if _ours(folder)), None) or Path(tempfile.mkdtemp(prefix="holdfast-"))


def stored(path: Path) -> bytes | None:
    """What ``store`` kept in ``path``; None where there is nothing whole: a file cut short or altered counts as missing."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, code = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    return code if code and hashlib.sha256(code).digest() == digest else None


def store(path: Path, code: bytes) -> None:
    """Keep ``code`` in ``path`` with its digest, put in place by rename, so that two processes may do it at once.

    A full or read-only disk costs the next process its compilation and nothing else.
    """
    with contextlib.suppress(OSError):
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(name, path)
        except OSError:
            os.unlink(name)


@cache
def sources_digest() -> str:
    """Names this version of the compiled code: numba itself sees only changes of the file a function stands in."""
    digest = hashlib.sha256()
    for path in sorted(SOURCES):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def numba_folder(package: Path = PACKAGE) -> Path:
    """Numba's cache: below NUMBA_CACHE_DIR, else beside the code of ``package``, else (installed read-only) with the user."""
    name = f"numba-{sources_digest()}"
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(named) / name
    beside = package / "__pycache__" / name
    return beside if _ours(beside) else cache_folder() / name


def despite_damage(load: Callable[[], Loaded]) -> Loaded:
    """What ``load`` gives, which imports code that numba compiles.

    Numba believes a file that a power cut left empty or short; its cache is then given up, and the code compiled anew.
    """
    try:
        return load()
    except (EOFError, UnpicklingError):
        rmtree(numba_folder(), ignore_errors=True)
        return load()
