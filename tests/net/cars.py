"""A CAR that is here whole, taken apart: every block is what its CID says."""

from typing import NamedTuple

import dag_cbor
from multiformats import varint

from agents.core.dataset.cid import CID_BYTES, Cid, cid_of_bytes, digest_of


class Block(NamedTuple):
    """One of its blocks."""

    cid: Cid
    data: bytes


def blocks_of(car: bytes) -> tuple[list[Cid], list[Block]]:
    """Its roots, and its blocks in order."""
    sections = []
    while car:
        length, _, rest = varint.decode_raw(car)
        assert length <= len(rest)
        sections.append(bytes(rest[:length]))
        car = bytes(rest[length:])
    head = dag_cbor.decode(sections.pop(0))
    assert isinstance(head, dict) and head["version"] == 1
    blocks = [Block(cid_of_bytes(section[:CID_BYTES]), section[CID_BYTES:]) for section in sections]
    assert all(digest_of(block.data) == block.cid.digest for block in blocks)
    return [cid_of_bytes(bytes(root)) for root in head["roots"]], blocks  # type: ignore[union-attr]
