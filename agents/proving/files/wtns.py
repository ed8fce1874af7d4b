"""Witnesses (.wtns version 2): the values of a circuit's wires for one input."""

import struct
from pathlib import Path

import numpy as np

from agents.core.proofs.field import SCALAR_ORDER
from agents.kernels.memory import Words
from agents.proving.files.sections import Buffer, Container, Flaw, mapped, require_length
from agents.proving.files.words import first_not_below, words_in

FORMAT = Container(
    magic=b"wtns",
    version=2,
    needed=frozenset({1, 2}),
    allowed=frozenset(),
    kind="a witness",
    remedy="Compute it again with the circuit's witness generator.",
)

HEADER = struct.Struct("<I32sI")


def read_witness(path: Path) -> Words:
    """The witness in ``path``. Raises FileRejected, Malformed."""
    return parse_witness(mapped(path), str(path))


def parse_witness(data: Buffer, name: str = "the file") -> Words:
    """(wires, 4) uint64, canonical, the constant wire first; a copy, aligned. Raises Malformed."""
    with FORMAT.reading(name):
        sections = FORMAT.sections(data)
        require_length(sections[1], HEADER.size, "its header")
        width, prime, wires = HEADER.unpack(sections[1])
        if width != 32 or int.from_bytes(prime, "little") != SCALAR_ORDER:
            raise Flaw("it is over another field than BN254's")
        require_length(sections[2], wires * 32, f"section 2, {wires} values,")
        values = words_in(sections[2], 4)
        if not wires or bytes(sections[2][:32]) != (1).to_bytes(32, "little"):
            raise Flaw("its first value, the constant wire's, is not 1")
        index = first_not_below(values, SCALAR_ORDER)
        if index is not None:
            raise Flaw(f"value {index} is not below the order of the field")
        return np.array(values, dtype=np.uint64)


def witness_bytes(values: Words) -> bytes:
    """The .wtns file of (wires, 4) canonical ``values``."""
    body = np.ascontiguousarray(values, dtype="<u8").tobytes()
    header = HEADER.pack(32, SCALAR_ORDER.to_bytes(32, "little"), len(values))
    return b"".join(FORMAT.pieces(2, [(1, header), (2, body)]))
