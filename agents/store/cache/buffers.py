"""Memory for objects, each in pages of its own: what is let go is the system's again.

Out of the allocator's heap it would not be: there objects of a megabyte, kept for very different times, leave holes that
take more memory than a small cache has.
"""

import mmap

LEAST = 256 << 10
"""Bytes from which an object has pages of its own: a process has 65,530 mappings at most."""


def buffer(size: int) -> memoryview:
    """Zeros to be written over. Its memory is free when nobody holds a view of it any more."""
    if size < LEAST:
        return memoryview(bytearray(size))
    return memoryview(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def joined(blocks: list[bytes], size: int) -> memoryview:
    """The first ``size`` bytes of ``blocks``, one after the other, read-only; the list is used up."""
    found, place = buffer(size), 0
    for index, block in enumerate(blocks):
        taken = min(len(block), size - place)
        found[place : place + taken] = memoryview(block)[:taken]
        place += taken
        blocks[index] = b""
    return found.toreadonly()
