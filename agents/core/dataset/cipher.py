"""Encryption by chunks, one chunk a block: ChaCha20-Poly1305 under STREAM nonces (Hoang, Reyhanitabar, Rogaway, Vizár 2015).

A chunk of 65,520 bytes and its tag of 16 fill one block of 64 KiB. The nonce is the chunk's index and a flag that marks the
last one, so chunks cannot be cut off, repeated or reordered unnoticed. A key encrypts one file only; that is what makes
counting nonces safe. The plaintext begins with a header that carries the file's name and size, so nobody without the key
learns either.

Public files are their bytes alone: no tags, and no header, for name and size stand in the manifest. (Before version 3 of
the manifest they had the header too: see `Plain`.)
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol
from unicodedata import category

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from agents.core.errors import Corrupt

BLOCK_BYTES = 65_536
TAG_BYTES = 16
MAX_NAME_BYTES = 255
_HEADER = struct.Struct("<QH")


@dataclass(frozen=True)
class Header:
    """What stands before a file's bytes."""

    size: int
    name: str

    def to_bytes(self) -> bytes:
        """Size, length of the name, name in UTF-8: cut between characters, ``?`` for bytes that are no character."""
        name = _cut(self.name).encode()
        return _HEADER.pack(self.size, len(name)) + name


def _cut(name: str) -> str:
    return name.encode(errors="replace")[:MAX_NAME_BYTES].decode(errors="ignore")


def public_name(name: str) -> str:
    """The name that a public file's manifest carries: harmless to whoever reads it, and 1 to 255 bytes long."""
    return _harmless(_cut(name))


def _harmless(name: str) -> str:
    """The name is the writer's own words: it never leaves the folder it is written to, nor commands a terminal."""
    plain = "".join("_" if letter == "/" or category(letter) == "Cc" else letter for letter in name)
    return "file" if plain in ("", ".", "..") else plain


def read_header(start: bytes) -> tuple[Header, int]:
    """The header at the beginning of the plaintext, and its length. Raises Corrupt."""
    try:
        size, length = _HEADER.unpack_from(start)
        name = start[_HEADER.size : _HEADER.size + length]
        if length > MAX_NAME_BYTES or len(name) != length:
            raise ValueError("its name is cut off")
        return Header(size, _harmless(name.decode())), _HEADER.size + length
    except (struct.error, ValueError) as error:
        raise Corrupt("The file's header is damaged", str(error), "Ask whoever gave you the capability.") from None


class Cipher(Protocol):
    """Chunks of plaintext <-> blocks."""

    chunk_bytes: int

    def seal(self, index: int, chunk: bytes, last: bool) -> bytes:
        """The block of a chunk; all but the last are whole."""
        ...

    def open(self, index: int, block: bytes, last: bool) -> bytes:
        """The chunk of a block. Raises Corrupt."""
        ...


class Sealed:
    """Encrypted chunks."""

    chunk_bytes = BLOCK_BYTES - TAG_BYTES

    def __init__(self, key: bytes) -> None:
        self._aead = ChaCha20Poly1305(key)

    @staticmethod
    def _nonce(index: int, last: bool) -> bytes:
        return struct.pack(">QxxxB", index, last)

    def seal(self, index: int, chunk: bytes, last: bool) -> bytes:
        """Encrypt a chunk."""
        return self._aead.encrypt(self._nonce(index, last), chunk, None)

    def open(self, index: int, block: bytes, last: bool) -> bytes:
        """Decrypt a block. Raises Corrupt."""
        try:
            return self._aead.decrypt(self._nonce(index, last), block, None)
        except InvalidTag:
            raise Corrupt(
                f"Block {index} cannot be decrypted", "the key is another file's, or the data was altered",
                "Check that the capability belongs to this file.",
            ) from None  # fmt: skip


class Plain:
    """Public files: chunks as they are."""

    chunk_bytes = BLOCK_BYTES

    def seal(self, index: int, chunk: bytes, last: bool) -> bytes:
        """The chunk itself."""
        return chunk

    def open(self, index: int, block: bytes, last: bool) -> bytes:
        """The block itself; its digest was checked when it came."""
        return block


def cipher_for(key: bytes | None) -> Cipher:
    """The cipher of a key, or of a public file."""
    return Plain() if key is None else Sealed(key)


def sealed_size(plain: int, cipher: Cipher) -> int:
    """Bytes of all blocks of ``plain`` bytes of plaintext, header included; at least one chunk."""
    chunks = max(1, -(-plain // cipher.chunk_bytes))
    return plain + chunks * (BLOCK_BYTES - cipher.chunk_bytes)


def sealed_bytes(size: int, name: str, encrypt: bool) -> int:
    """Bytes of the sealed file of one of ``size`` bytes: a public file's are its own."""
    if not encrypt:
        return size
    return sealed_size(len(Header(size, name).to_bytes()) + size, cipher_for(bytes(32)))


def chunks_of(pieces: Iterator[bytes], chunk_bytes: int) -> Iterator[bytes]:
    """``pieces`` of any size cut anew into chunks; the last may be short."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= chunk_bytes:
            yield bytes(held[:chunk_bytes])
            del held[:chunk_bytes]
    if held:
        yield bytes(held)
