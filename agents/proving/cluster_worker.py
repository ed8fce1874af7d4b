"""What runs in a cluster's workers: keep keys by digest, map one, prove with it. Nothing here needs the cluster's library.

A key is kept in the user's own folder, so that workers of one machine share it, on disk and in the page cache, and a worker
that is started again finds it there.
"""

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

from agents.core.errors import BadData, HoldfastError
from agents.core.proofs.proof import Groth16Proof
from agents.proving.build import data_folder
from agents.proving.child import NICE
from agents.proving.executor import Maker, Recipe

_turn = threading.Lock()
_held: dict[tuple[Recipe, str], Maker] = {}
"""The maker of this process, one at most."""


class KeyMissing(HoldfastError):
    """A worker has not got the key with this digest; it is to be sent there."""


def key_path(digest: str) -> Path:
    """Where the key with a SHA-256 digest, in hexadecimal, is kept on this machine."""
    return data_folder() / "shipped" / f"{digest}.zkey"


def lacks(digest: str) -> bool:
    """Whether the key is to be sent here."""
    return not key_path(digest).is_file()


def put(digest: str, parcel: str, offset: int, data: bytes) -> None:
    """Keep a part of a key; ``parcel`` tells those who send the same key at once apart."""
    path = _partial(digest, parcel)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        while data:
            written = os.pwrite(handle, data, offset)
            data, offset = data[written:], offset + written
    finally:
        os.close(handle)


def commit(digest: str, parcel: str) -> None:
    """Keep the key under its digest. Raises BadData when it is another one's."""
    path = _partial(digest, parcel)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != digest:
        path.unlink()
        raise BadData("the key that arrived is another one", f"its digest is {found}, not {digest}", "Send it again.")
    path.replace(key_path(digest))


def _partial(digest: str, parcel: str) -> Path:
    return key_path(digest).with_name(f"{digest}.{parcel}.part")


def prove(recipe: Recipe, digest: str, inputs: dict[str, Any]) -> Groth16Proof:
    """A proof of ``inputs``, at low priority. Raises KeyMissing, and whatever the maker raises."""
    with _turn:  # one prover a process; who starts workers with several threads gains nothing
        maker = _held.get((recipe, digest))
        if maker is None:
            if lacks(digest):
                raise KeyMissing(f"the key {digest} is not on this machine")
            os.nice(NICE)
            _held.clear()
            maker = _held[recipe, digest] = recipe.make(key_path(digest))
        return maker.prove(inputs)


def end() -> None:
    """End this process at once, whatever its threads do."""
    os._exit(1)
