"""iden3's binary container: a magic word, a version, and numbered sections, each with its length.

::

    magic 4 bytes | version u32 | number of sections u32 | (kind u32 | length u64 | bytes) ...

Everything is little-endian, and sections may stand in any order. A file is refused whole unless every byte of it is
accounted for: no section twice, none that the format does not have, none missing, nothing after the last.
"""

import mmap
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.core.errors import FileRejected, Malformed

PREFIX = struct.Struct("<4sII")
HEAD = struct.Struct("<IQ")

Buffer = bytes | mmap.mmap | memoryview


class Flaw(Exception):
    """Why bytes are not of their format; `Container.reading` makes it a Malformed."""


@dataclass(frozen=True)
class Container:
    """One of the formats that share the container."""

    magic: bytes
    version: int
    needed: frozenset[int]
    """Sections that every file has, once."""
    allowed: frozenset[int]
    """Sections that it may have besides, once."""
    kind: str
    """What a file of it is, for messages."""
    remedy: str
    """What to do about a bad one."""

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Turns every Flaw found in the file called ``name`` into Malformed."""
        try:
            yield
        except Flaw as flaw:
            raise Malformed(f"{name} is not {self.kind}", str(flaw), self.remedy) from None

    def sections(self, data: Buffer) -> dict[int, memoryview]:
        """The sections of ``data`` by kind, not copied. Raises Flaw."""
        whole = memoryview(data).cast("B")
        if len(whole) < PREFIX.size:
            raise Flaw("it ends within its first bytes")
        magic, version, count = PREFIX.unpack_from(whole)
        if magic != self.magic:
            raise Flaw("its first bytes are not those of the format")
        if version != self.version:
            raise Flaw(f"it is of version {version}, not {self.version}")
        found: dict[int, memoryview] = {}
        at = PREFIX.size
        # Ends early whatever the count claims: no kind may come twice.
        for _ in range(count):
            if len(whole) - at < HEAD.size:
                raise Flaw(f"it ends before its {count} sections do")
            kind, length = HEAD.unpack_from(whole, at)
            at += HEAD.size
            if kind not in self.needed | self.allowed:
                raise Flaw(f"section {kind} is none that it may have")
            if kind in found:
                raise Flaw(f"section {kind} stands in it twice")
            if length > len(whole) - at:
                raise Flaw(f"it ends within section {kind}")
            found[kind] = whole[at : at + length]
            at += length
        if missing := self.needed - set(found):
            raise Flaw(f"section {min(missing)} is missing")
        if at != len(whole):
            raise Flaw(f"{len(whole) - at} bytes follow its last section")
        return found

    def pieces(self, count: int, sections: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
        """A file with these ``count`` sections, piece by piece: each section is asked for when it is its turn."""
        yield PREFIX.pack(self.magic, self.version, count)
        for kind, data in sections:
            yield HEAD.pack(kind, len(data))
            yield data


def require_length(section: memoryview, expected: int, what: str) -> None:
    """Raises Flaw unless ``section`` has just the bytes that ``what`` takes."""
    if len(section) != expected:
        raise Flaw(f"{what} takes {expected} bytes and the file has {len(section)}")


def mapped(path: Path) -> mmap.mmap:
    """The whole file, mapped read-only; it stays mapped as long as somebody looks at it. Raises FileRejected.

    What is mapped must not be cut short meanwhile: the kernel answers a read beyond the end with SIGBUS. Every writer of
    this project puts a new file in the old one's place, which keeps the mapping of the old one whole.
    """
    try:
        # A pipe of that name would otherwise be waited for.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise FileRejected(f"{path} cannot be read", "it is not a file", "Name a file.")
            if facts.st_size == 0:
                raise FileRejected(f"{path} cannot be read", "it is empty", "Make or fetch it again.")
            return mmap.mmap(handle, 0, access=mmap.ACCESS_READ)
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        raise FileRejected(f"{path} cannot be read", str(error), "Name a file that is there and may be read.") from None
