"""Constraint systems (.r1cs version 1, as circom writes them) as arrays: no Python object for a term.

Every constraint is A . w times B . w = C . w with sparse rows A, B and C. The file holds for each row the number of its
terms and then the terms, a wire and a coefficient each.
"""

import struct
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.core.proofs.field import SCALAR_ORDER, TWO_ADICITY
from agents.kernels.memory import Words
from agents.proving.files.sections import Buffer, Container, Flaw, mapped, require_length
from agents.proving.files.words import CHUNK, first_not_below

FORMAT = Container(
    magic=b"r1cs",
    version=1,
    needed=frozenset({1, 2, 3}),
    allowed=frozenset(),  # 4 and 5 are custom gates, which Groth16 has none of
    kind="a constraint system",
    remedy="Build it again with scripts/setup.",
)

HEADER = struct.Struct("<I32sIIIIQI")
TERM_WORDS = 9
"""32-bit words of a term: the wire and eight of the coefficient."""

ROWS = 3
"""Rows of a constraint: A, B, C."""


@dataclass(frozen=True, eq=False)
class Circuit:
    """A rank-1 constraint system."""

    wires: int
    outputs: int
    public_inputs: int
    private_inputs: int
    constraints: int
    starts: NDArray[np.int64]
    """(3 constraints + 1,): row 3 i + m of constraint i and matrix m has the terms starts[row] .. starts[row + 1]."""
    term_wires: NDArray[np.uint32]
    """(terms,), in the file's order."""
    term_values: Words
    """(terms, 4), canonical."""

    @property
    def publics(self) -> int:
        """Public wires besides the constant one; they come first."""
        return self.outputs + self.public_inputs

    def term_rows(self) -> NDArray[np.int64]:
        """(terms,): the row that each term stands in."""
        return np.repeat(np.arange(ROWS * self.constraints), np.diff(self.starts))

    def row(self, constraint: int, matrix: int) -> list[tuple[int, int]]:
        """(wire, coefficient) of one row, matrix 0, 1 or 2 for A, B or C: for looking at, not for speed."""
        first, last = self.starts[ROWS * constraint + matrix : ROWS * constraint + matrix + 2]
        data = self.term_values[first:last].tobytes()
        values = [int.from_bytes(data[at : at + 32], "little") for at in range(0, len(data), 32)]
        return list(zip(self.term_wires[first:last].tolist(), values, strict=True))


@dataclass(frozen=True)
class _Facts:
    """What the header says."""

    wires: int
    outputs: int
    public_inputs: int
    private_inputs: int
    constraints: int


def read_r1cs(path: Path) -> Circuit:
    """The constraint system in ``path``. Raises FileRejected, Malformed."""
    return parse_r1cs(mapped(path), str(path))


def constraint_count(path: Path) -> int:
    """How many constraints the system in ``path`` has; they are not looked at. Raises FileRejected, Malformed."""
    with FORMAT.reading(str(path)):
        return _facts(FORMAT.sections(mapped(path))).constraints


def parse_r1cs(data: Buffer, name: str = "the file") -> Circuit:
    """The constraint system in ``data``. Raises Malformed."""
    with FORMAT.reading(name):
        sections = FORMAT.sections(data)
        facts = _facts(sections)
        places = _places(sections[2], ROWS * facts.constraints)
        wires, values = _terms(np.frombuffer(sections[2], dtype="<u4"), places)
        if len(wires) and int(wires.max()) >= facts.wires:
            raise Flaw(f"a term is of wire {int(wires.max())} of {facts.wires}")
        index = first_not_below(values, SCALAR_ORDER)
        if index is not None:
            raise Flaw(f"coefficient {index} is not below the order of the field")
        return Circuit(
            facts.wires, facts.outputs, facts.public_inputs, facts.private_inputs, facts.constraints,
            _starts(places), wires, values,
        )  # fmt: skip


def _facts(sections: dict[int, memoryview]) -> _Facts:
    require_length(sections[1], HEADER.size, "its header")
    width, prime, wires, outputs, inputs, private, _labels, constraints = HEADER.unpack(sections[1])
    if width != 32 or int.from_bytes(prime, "little") != SCALAR_ORDER:
        raise Flaw("it is over another field than BN254's")
    if outputs + inputs >= wires:
        raise Flaw(f"it says that {outputs + inputs} of its {wires} wires are public, besides the constant one")
    if constraints + outputs + inputs >= 1 << TWO_ADICITY:
        raise Flaw(f"{constraints} constraints are more than BN254 has roots of unity for")
    require_length(sections[3], 8 * wires, "section 3, a label for each wire,")
    return _Facts(wires, outputs, inputs, private, constraints)


def _places(section: memoryview, rows: int) -> NDArray[np.int64]:
    """(rows + 1,): in which 32-bit word each row begins, and where the last one ends."""
    if len(section) % 4:
        raise Flaw("section 2, the constraints, ends within a number")
    words = section.cast("I")
    end = len(words)
    if rows > end:
        raise Flaw("section 2, the constraints, ends before the last one does")
    places, at = array("q", bytes(8 * (rows + 1))), 0
    for row in range(rows):
        if at >= end:
            raise Flaw("section 2, the constraints, ends before the last one does")
        places[row] = at
        at += 1 + TERM_WORDS * words[at]
    if at != end:
        raise Flaw("section 2 is not as long as its constraints")
    places[rows] = end
    return np.frombuffer(places, dtype=np.int64)


def _starts(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many terms stand before each row: all words but one count a row."""
    return (places - np.arange(len(places))) // TERM_WORDS


def _terms(words: NDArray[np.uint32], places: NDArray[np.int64]) -> tuple[NDArray[np.uint32], Words]:
    """Wires and coefficients of every term; the counts before the rows are left out."""
    starts = _starts(places)
    wires = np.empty(starts[-1], dtype=np.uint32)
    values = np.empty((starts[-1], TERM_WORDS - 1), dtype=np.uint32)
    for first in range(0, len(places) - 1, CHUNK):
        last = min(first + CHUNK, len(places) - 1)
        begin, end = places[first], places[last]
        kept = np.ones(end - begin, dtype=np.bool_)
        kept[places[first:last] - begin] = False
        terms = words[begin:end][kept].reshape(-1, TERM_WORDS)
        wires[starts[first] : starts[last]] = terms[:, 0]
        values[starts[first] : starts[last]] = terms[:, 1:]
    return wires, values.view(np.uint64)
