"""A dataset as the first version of the program made it: its slots have no parity of their own."""

import hashlib
import json
from pathlib import Path

from agents.core.dataset.cipher import BLOCK_BYTES, Header
from agents.core.dataset.erasure import Gf8Code
from agents.store.spool import SpooledDataset

VECTOR = Path(__file__).parents[1] / "vectors" / "manifest_v1.json"
"""Manifest and block lists, written by that version."""
DATA = hashlib.shake_256(b"holdfast").digest(150_000)
"""The file, which was stored unencrypted as two slots of two blocks and one of parity."""


def old_dataset(folder: Path) -> SpooledDataset:
    """The dataset in a client's spool below ``folder``."""
    folder.mkdir()
    told = json.loads(VECTOR.read_text())
    sealed = (Header(len(DATA), "old.bin").to_bytes() + DATA).ljust(4 * BLOCK_BYTES, b"\0")
    blocks = [sealed[start : start + BLOCK_BYTES] for start in range(0, len(sealed), BLOCK_BYTES)]
    slots = [blocks[:2], blocks[2:]]
    slots.append([Gf8Code(2, 1).encode([slot[stripe] for slot in slots], [2])[0] for stripe in range(2)])
    (folder / "manifest").write_bytes(bytes.fromhex(told["manifest"]))
    for index, slot in enumerate(slots):
        (folder / f"slot-{index}").write_bytes(b"".join(slot))
        (folder / f"blocks-{index}").write_bytes(bytes.fromhex(told["block_lists"][index]))
    return SpooledDataset(folder)
