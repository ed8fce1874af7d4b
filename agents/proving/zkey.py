"""The head of a snarkjs Groth16 .zkey: what verification needs, read without loading the key."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from agents.core.errors import BadData
from agents.core.proofs.field import BASE_ORDER, SCALAR_ORDER

G1_BYTES, G2_BYTES = 64, 128
HEADER_BYTES = 4 + 32 + 4 + 32 + 12 + 3 * G1_BYTES + 3 * G2_BYTES


@dataclass(frozen=True)
class Header:
    """Sections 2 and 3; points as raw Montgomery bytes."""

    wires: int
    publics: int
    domain: int
    alpha1: bytes
    beta2: bytes
    gamma2: bytes
    delta2: bytes
    ic: bytes
    """publics + 1 points of G1."""


def read_header(path: Path) -> Header:
    """The header of ``path``. Raises BadData for anything but a whole Groth16 .zkey over BN254."""
    try:
        with path.open("rb") as file:
            return _header(file, path.stat().st_size)
    except (OSError, struct.error, ValueError) as error:
        raise BadData(
            f"{path} is not a proving key", str(error), "Name a Groth16 .zkey over BN254 as snarkjs writes it."
        ) from None


def _header(file: BinaryIO, size: int) -> Header:
    if file.read(8) != b"zkey" + struct.pack("<I", 1):
        raise ValueError("its first bytes are not those of the format")
    places: dict[int, tuple[int, int]] = {}
    (count,) = struct.unpack("<I", file.read(4))
    for _ in range(count):
        kind, length = struct.unpack("<IQ", file.read(12))
        places[kind] = (file.tell(), length)
        if file.tell() + length > size:
            raise ValueError("it ends within a section")
        file.seek(length, 1)

    def section(kind: int, limit: int = 1 << 24) -> bytes:
        if kind not in places or places[kind][1] > limit:
            raise ValueError(f"section {kind} is missing or too long")
        file.seek(places[kind][0])
        return file.read(places[kind][1])

    if section(1) != struct.pack("<I", 1):
        raise ValueError("it is not a Groth16 key")
    header = section(2)
    if len(header) != HEADER_BYTES:
        raise ValueError("its header has another length")
    base, scalar = int.from_bytes(header[4:36], "little"), int.from_bytes(header[40:72], "little")
    if (base, scalar) != (BASE_ORDER, SCALAR_ORDER):
        raise ValueError("it is over another curve than BN254")
    wires, publics, domain = struct.unpack_from("<III", header, 72)
    at = 84
    points = []
    for width in (G1_BYTES, G1_BYTES, G2_BYTES, G2_BYTES, G1_BYTES, G2_BYTES):
        points.append(header[at : at + width])
        at += width
    alpha1, _beta1, beta2, gamma2, _delta1, delta2 = points
    ic = section(3)
    if len(ic) != (publics + 1) * G1_BYTES:
        raise ValueError("it has another number of public inputs than its header says")
    return Header(wires, publics, domain, alpha1, beta2, gamma2, delta2, ic)
