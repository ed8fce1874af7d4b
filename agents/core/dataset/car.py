"""CARv1: blocks one after the other, each with its CID, as gateways send them.

::

    varint(length) header    dag-cbor {"roots": [CID], "version": 1}
    varint(length) CID data  a section for each block

Reading is strict: nothing is kept beyond the block that is arriving, no block is larger than its kind can be, and none is
handed on before its digest was compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dag_cbor
from multiformats import CID

from agents.core.dataset.cid import CID_BYTES, Cid, Codec, cid_of_bytes, digest_of
from agents.core.dataset.manifest import MAX_BLOCK_LIST_BYTES
from agents.core.dataset.varint import varint
from agents.core.errors import BadData, Corrupt, Malformed

MAX_HEADER_BYTES = 1024
MAX_BLOCK_BYTES: dict[Codec, int] = {"raw": 2 << 20, "dag-pb": 2 << 20, "dag-cbor": MAX_BLOCK_LIST_BYTES}
"""Of one block; IPFS sends none above 2 MiB."""
_LONGEST = CID_BYTES + max(MAX_BLOCK_BYTES.values())
_VARINT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Block:
    """A block that is what its CID says."""

    cid: Cid
    data: bytes


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


class CarReader:
    """Takes a CAR in pieces of any size; gives its blocks."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.roots: tuple[Cid, ...] | None = None
        """Known once the header has come. Whoever sent it chose them."""

    def feed(self, piece: bytes | memoryview) -> Iterator[Block]:
        """The blocks that end in ``piece``. Raises Malformed, Corrupt; take all of them before the next piece."""
        self._held += piece
        while (found := self._section()) is not None:
            if self.roots is None:
                self.roots = _roots(found)
            else:
                yield _block(found)

    def end(self) -> None:
        """There is nothing more. Raises Malformed where something is missing."""
        if self._held or self.roots is None:
            raise _malformed(f"it ends in the middle, {len(self._held)} bytes into a section")

    def _section(self) -> bytes | None:
        """The next header or section without its length, once it is here."""
        found = _length(self._held)
        if found is None:
            return None
        length, start = found
        _check_length(length, self._held[start : start + 4] if self.roots is not None else None)
        if len(self._held) < start + length:
            return None
        with memoryview(self._held) as held:
            section = bytes(held[start : start + length])
        del self._held[: start + length]
        return section


def _length(held: bytearray) -> tuple[int, int] | None:
    """A varint and its bytes, once it is here whole."""
    value = 0
    for place, byte in enumerate(held[:_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            if place and not byte:
                raise _malformed("a length in it is not in its shortest form")
            return value, place + 1
    if len(held) >= _VARINT_BYTES:
        raise _malformed("a section in it is too long")
    return None


def _check_length(length: int, start: bytearray | None) -> None:
    """Raises Malformed for a section no block can fill; ``start``: the first bytes of its CID, None for the header."""
    if start is None:
        if not 0 < length <= MAX_HEADER_BYTES:
            raise _malformed(f"its header has {length} bytes, the most is {MAX_HEADER_BYTES}")
        return
    if not CID_BYTES <= length <= _LONGEST:
        raise _malformed(f"a section in it has {length} bytes")
    if len(start) == 4:
        codec = _cid(bytes(start).ljust(CID_BYTES, b"\0")).codec
        if length > CID_BYTES + MAX_BLOCK_BYTES[codec]:
            raise _malformed(f"a {codec} block in it has {length - CID_BYTES} bytes")


def _roots(data: bytes) -> tuple[Cid, ...]:
    try:
        told = dag_cbor.decode(data)
    except Exception as error:  # the decoder has errors of many kinds for hostile bytes
        raise _malformed(f"its header is not dag-cbor ({type(error).__name__})") from None
    if not isinstance(told, dict) or told.keys() != {"roots", "version"} or told["version"] != 1:
        raise _malformed("its header is not that of version 1")
    roots = told["roots"]
    if not isinstance(roots, list):
        raise _malformed("its roots are no list")
    if not all(isinstance(root, CID) for root in roots):
        raise _malformed("a root in it is no CID")
    return tuple(_cid(bytes(root)) for root in roots)


def _block(section: bytes) -> Block:
    cid, data = _cid(section[:CID_BYTES]), section[CID_BYTES:]
    if digest_of(data) != cid.digest:
        raise Corrupt(f"Block {cid} is damaged", "its bytes do not match its CID", "Ask another gateway.")
    return Block(cid, data)


def _cid(data: bytes) -> Cid:
    try:
        return cid_of_bytes(data)
    except BadData as error:
        raise _malformed(str(error)) from None


def _malformed(why: str) -> Malformed:
    return Malformed("This is no CAR that can be read", why, "Whoever sent it lies or is broken: ask another gateway.")
