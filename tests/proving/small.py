"""A circuit small enough to write down, and its files."""

import struct
from collections.abc import Iterable, Sequence

from agents.core.proofs.field import SCALAR_ORDER
from agents.proving.files import r1cs, wtns

Row = list[tuple[int, int]]

ONE, PRODUCT, X, Y, Z, TWICE = range(6)
"""Wires: the constant one; an output and an input that are public; an input and two between that are private."""

CONSTRAINTS: list[tuple[Row, Row, Row]] = [
    ([(X, 1)], [(Y, 1)], [(Z, 1)]),
    ([(Z, 1), (ONE, 7)], [(X, 3), (Y, SCALAR_ORDER - 1)], [(PRODUCT, 1)]),
    ([(X, 2), (Y, 2)], [(ONE, 1)], [(TWICE, 1)]),
    ([(TWICE, 1), (X, SCALAR_ORDER - 2)], [(ONE, 1)], [(Y, 2)]),
    ([], [(X, 1)], []),
]
"""z = x y; product = (z + 7) (3 x - y); twice = 2 (x + y), twice over; and one row that holds whatever x is."""

WIRES, OUTPUTS, PUBLIC_INPUTS, PRIVATE_INPUTS = 6, 1, 1, 1


def r1cs_bytes(
    constraints: Iterable[Sequence[Row]] = CONSTRAINTS,
    wires: int = WIRES,
    outputs: int = OUTPUTS,
    inputs: int = PUBLIC_INPUTS,
    private: int = PRIVATE_INPUTS,
) -> bytes:
    """The .r1cs file of such a circuit, its sections in circom's order."""
    body, count = bytearray(), 0
    for rows in constraints:
        count += 1
        for row in rows:
            body += struct.pack("<I", len(row))
            for wire, value in row:
                body += struct.pack("<I", wire) + value.to_bytes(32, "little")
    prime = SCALAR_ORDER.to_bytes(32, "little")
    header = r1cs.HEADER.pack(32, prime, wires, outputs, inputs, private, wires, count)
    labels = b"".join(struct.pack("<Q", wire) for wire in range(wires))
    return b"".join(r1cs.FORMAT.pieces(3, [(2, bytes(body)), (1, header), (3, labels)]))


def witness(x: int, y: int) -> list[int]:
    """Every wire's value."""
    z, product = x * y % SCALAR_ORDER, (x * y + 7) * (3 * x - y) % SCALAR_ORDER
    return [1, product, x, y, z, 2 * (x + y) % SCALAR_ORDER]


def wtns_bytes(values: Iterable[int]) -> bytes:
    """The .wtns file of ``values``, whatever they are."""
    body = b"".join(value.to_bytes(32, "little") for value in values)
    header = wtns.HEADER.pack(32, SCALAR_ORDER.to_bytes(32, "little"), len(body) // 32)
    return b"".join(wtns.FORMAT.pieces(2, [(1, header), (2, body)]))


def sections_of(data: bytes) -> list[tuple[int, bytes]]:
    """Kind and bytes of each section, for files that are known to be whole."""
    (count,), at, found = struct.unpack_from("<I", data, 8), 12, []
    for _ in range(count):
        kind, length = struct.unpack_from("<IQ", data, at)
        found.append((kind, data[at + 12 : at + 12 + length]))
        at += 12 + length
    return found


def file_of(data: bytes, sections: list[tuple[int, bytes]]) -> bytes:
    """A file that begins as ``data`` does, with these sections."""
    out = data[:8] + struct.pack("<I", len(sections))
    return out + b"".join(struct.pack("<IQ", kind, len(body)) + body for kind, body in sections)


def with_section(data: bytes, kind: int, body: bytes) -> bytes:
    """``data`` with another section ``kind``."""
    return file_of(data, [(found, body if found == kind else old) for found, old in sections_of(data)])
