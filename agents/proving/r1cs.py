"""Reader of circom's .r1cs files (iden3's binary format, version 1), strict about every length."""

import struct
from dataclasses import dataclass
from pathlib import Path

from agents.core.errors import BadData
from agents.core.proofs.field import SCALAR_ORDER

Row = list[tuple[int, int]]
"""(wire, coefficient) of one linear combination."""


@dataclass(frozen=True)
class Circuit:
    """A rank-1 constraint system."""

    wires: int
    outputs: int
    public_inputs: int
    constraints: list[tuple[Row, Row, Row]]
    """(A, B, C) with A . w times B . w = C . w."""

    @property
    def publics(self) -> int:
        """Public wires besides the constant one; they come first."""
        return self.outputs + self.public_inputs


def read_r1cs(path: Path) -> Circuit:
    """The constraint system in ``path``. Raises BadData."""
    try:
        return _parse(path.read_bytes())
    except (struct.error, IndexError, ValueError) as error:
        raise BadData(
            f"{path} is not an .r1cs file", str(error), "Build it again with scripts/build_circuits."
        ) from None


def constraint_count(path: Path) -> int:
    """How many constraints the system in ``path`` has, without reading them into objects. Raises BadData."""
    try:
        return _header(_sections(path.read_bytes()))[2]
    except (struct.error, ValueError) as error:
        raise BadData(
            f"{path} is not an .r1cs file", str(error), "Build it again with scripts/build_circuits."
        ) from None


def _sections(data: bytes) -> dict[int, bytes]:
    if data[:8] != b"r1cs" + struct.pack("<I", 1):
        raise ValueError("its first bytes are not those of the format")
    sections: dict[int, bytes] = {}
    at = 12
    for _ in range(struct.unpack_from("<I", data, 8)[0]):
        kind, size = struct.unpack_from("<IQ", data, at)
        at += 12
        if at + size > len(data):
            raise ValueError("it ends within a section")
        sections[kind] = data[at : at + size]
        at += size
    return sections


def _header(sections: dict[int, bytes]) -> tuple[int, int, int, int]:
    """Wires, outputs, constraints, public inputs."""
    header = sections.get(1, b"")
    width = struct.unpack_from("<I", header)[0]
    if width != 32 or int.from_bytes(header[4:36], "little") != SCALAR_ORDER:
        raise ValueError("it is over another field than BN254's")
    wires, outputs, inputs, _private, _labels, count = struct.unpack_from("<IIIIQI", header, 36)
    return wires, outputs, count, inputs


def _parse(data: bytes) -> Circuit:
    sections = _sections(data)
    wires, outputs, count, inputs = _header(sections)
    rows, constraints = sections.get(2, b""), []
    position = 0

    def row() -> Row:
        nonlocal position
        terms = struct.unpack_from("<I", rows, position)[0]
        position += 4
        found = []
        for _ in range(terms):
            wire = struct.unpack_from("<I", rows, position)[0]
            value = int.from_bytes(rows[position + 4 : position + 36], "little")
            if wire >= wires or value >= SCALAR_ORDER or position + 36 > len(rows):
                raise ValueError("a coefficient is out of range")
            found.append((wire, value))
            position += 36
        return found

    for _ in range(count):
        constraints.append((row(), row(), row()))
    if position != len(rows):
        raise ValueError("bytes are left after the last constraint")
    return Circuit(wires, outputs, inputs, constraints)
