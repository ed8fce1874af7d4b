"""CARv1: blocks one after the other, each with its CID, as gateways send them.

::

    varint(length) header    dag-cbor {"roots": [CID], "version": 1}
    varint(length) CID data  a section for each block
"""

from collections.abc import Sequence

from agents.core.dataset.cid import CID_BYTES, Cid, Codec
from agents.core.dataset.manifest import MAX_BLOCK_LIST_BYTES
from agents.core.dataset.varint import varint

MAX_BLOCK_BYTES: dict[Codec, int] = {"raw": 2 << 20, "dag-pb": 2 << 20, "dag-cbor": MAX_BLOCK_LIST_BYTES}
"""Of one block; IPFS sends none above 2 MiB."""


def header(roots: Sequence[Cid]) -> bytes:
    """What a CAR of at most 23 roots begins with."""
    links = b"".join(b"\xd8\x2a\x58" + bytes((1 + CID_BYTES,)) + b"\0" + root.to_bytes() for root in roots)
    body = b"\xa2\x65roots" + bytes((0x80 + len(roots),)) + links + b"\x67version\x01"
    return varint(len(body)) + body


def section_head(cid: Cid, size: int) -> bytes:
    """What stands before the ``size`` bytes of a block."""
    return varint(CID_BYTES + size) + cid.to_bytes()


def section_bytes(size: int) -> int:
    """Bytes of the section of a block of ``size``."""
    return len(varint(CID_BYTES + size)) + CID_BYTES + size
