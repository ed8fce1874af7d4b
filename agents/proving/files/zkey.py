"""Groth16 proving keys over BN254 (.zkey version 1, as snarkjs writes them): mapped, checked whole, never copied.

`open_key` looks at everything but the curve's equation: lengths against the header, places in the matrices, and that
every number is below its field's order. It reads the file once for that (about 10 ms at 2^17), as a prover does anyway.
A point off the curve, or another point than the ceremony's, passes: proofs made with it do not verify, and a prover
checks what it made.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.core.proofs.field import BASE_ORDER, SCALAR_ORDER, TWO_ADICITY
from agents.kernels.memory import Words
from agents.proving.files.sections import Buffer, Container, Flaw, mapped, require_length
from agents.proving.files.words import CHUNK, first_not_below, words_in

FORMAT = Container(
    magic=b"zkey",
    version=1,
    needed=frozenset(range(1, 10)),
    allowed=frozenset({10}),
    kind="a proving key",
    remedy="Name a Groth16 .zkey over BN254 as snarkjs writes it, or make the development key with `agent keys make`.",
)

RADIX = 1 << 256
"""Coordinates are in Montgomery form with this radix; coefficients are multiplied by its square."""

G1_WORDS, G2_WORDS = 8, 16
G1_BYTES, G2_BYTES = 64, 128
COEFFICIENT = np.dtype([("matrix", "<u4"), ("row", "<u4"), ("wire", "<u4"), ("value", "<u8", (4,))])
"""An entry of section 4, 44 bytes, packed."""

NUMBERS = struct.Struct("<I32sI32sIII")
"""Section 2 up to its points."""

CONTRIBUTION_BYTES = 3 * G1_BYTES + G2_BYTES + 64 + 4
"""Points, transcript and type of one contribution of a ceremony."""


@dataclass(frozen=True, eq=False)
class ProvingKey:
    """Views into the file. Points are affine Montgomery words, infinity all zero: (8,) or (n, 8) in G1 and (16,) or
    (n, 16) in G2, as x real, x imaginary, y real, y imaginary."""

    wires: int
    publics: int
    """Besides the constant wire."""
    domain: int
    """A power of two: rows of the matrices, padding included."""
    alpha1: Words
    beta1: Words
    beta2: Words
    gamma2: Words
    delta1: Words
    delta2: Words
    ic: Words
    """(publics + 1, 8)."""
    coefficients: NDArray[Any]
    """(n,) of COEFFICIENT: the entries of A (matrix 0) and B (matrix 1)."""
    a: Words
    """(wires, 8)."""
    b1: Words
    """(wires, 8)."""
    b2: Words
    """(wires, 16)."""
    c: Words
    """(wires - publics - 1, 8)."""
    h: Words
    """(domain, 8)."""


def open_key(path: Path) -> ProvingKey:
    """The key in ``path``, mapped. Raises FileRejected, and Malformed for what is no whole Groth16 key over BN254."""
    return parse_key(mapped(path), str(path))


def parse_key(data: Buffer, name: str = "the file") -> ProvingKey:
    """The key in ``data``, which must not change while the key is used. Raises Malformed."""
    with FORMAT.reading(name):
        sections = FORMAT.sections(data)
        key = _laid_out(sections)
        _check_contributions(sections.get(10))
        _check_coefficients(key)
        _check_points(key)
        return key


def _laid_out(sections: dict[int, memoryview]) -> ProvingKey:
    """Views of every section, each as long as the header says."""
    if sections[1] != struct.pack("<I", 1):
        raise Flaw("it is not a Groth16 key")
    header = sections[2]
    require_length(header, NUMBERS.size + 3 * G1_BYTES + 3 * G2_BYTES, "its header")
    base_bytes, base, scalar_bytes, scalar, wires, publics, domain = NUMBERS.unpack_from(header)
    if (base_bytes, scalar_bytes) != (32, 32) or (_number(base), _number(scalar)) != (BASE_ORDER, SCALAR_ORDER):
        raise Flaw("it is over another curve than BN254")
    if not 2 <= domain <= 1 << TWO_ADICITY or domain & (domain - 1):
        raise Flaw(f"a domain of {domain} is not a power of two between 2 and 2^{TWO_ADICITY}")
    if publics >= wires:
        raise Flaw(f"it says that {publics} of its {wires} wires are public, besides the constant one")

    points = header[NUMBERS.size :]
    alpha1, beta1 = (words_in(points[at : at + 64], G1_WORDS)[0] for at in (0, 64))
    beta2, gamma2 = (words_in(points[at : at + 128], G2_WORDS)[0] for at in (128, 256))
    delta1, delta2 = words_in(points[384:448], G1_WORDS)[0], words_in(points[448:], G2_WORDS)[0]

    def group(kind: int, count: int, width: int, what: str) -> Words:
        require_length(sections[kind], count * width * 8, f"section {kind}, {what},")
        return words_in(sections[kind], width)

    return ProvingKey(
        wires=wires,
        publics=publics,
        domain=domain,
        alpha1=alpha1,
        beta1=beta1,
        beta2=beta2,
        gamma2=gamma2,
        delta1=delta1,
        delta2=delta2,
        ic=group(3, publics + 1, G1_WORDS, "a point for each public wire"),
        coefficients=_coefficients(sections[4]),
        a=group(5, wires, G1_WORDS, "a point for each wire"),
        b1=group(6, wires, G1_WORDS, "a point for each wire"),
        b2=group(7, wires, G2_WORDS, "a point for each wire"),
        c=group(8, wires - publics - 1, G1_WORDS, "a point for each private wire"),
        h=group(9, domain, G1_WORDS, "a point for each row of the domain"),
    )


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _coefficients(section: memoryview) -> NDArray[Any]:
    if len(section) < 4:
        raise Flaw("section 4, the coefficients, has no count")
    (count,) = struct.unpack_from("<I", section)
    require_length(section, 4 + count * COEFFICIENT.itemsize, f"section 4, {count} coefficients,")
    return np.frombuffer(section[4:], dtype=COEFFICIENT)


def _check_coefficients(key: ProvingKey) -> None:
    limits = {"matrix": 2, "row": key.domain, "wire": key.wires}
    for start in range(0, len(key.coefficients), CHUNK):
        part = key.coefficients[start : start + CHUNK]
        for field, limit in limits.items():
            largest = int(part[field].max())
            if largest >= limit:
                raise Flaw(f"a coefficient stands at {field} {largest} of {limit}")
    index = first_not_below(key.coefficients["value"], SCALAR_ORDER)
    if index is not None:
        raise Flaw(f"coefficient {index} is not below the order of the scalar field")


def _check_points(key: ProvingKey) -> None:
    names = ("alpha1", "beta1", "beta2", "gamma2", "delta1", "delta2", "ic", "a", "b1", "b2", "c", "h")
    for name in names:
        points = getattr(key, name)
        index = first_not_below(points.reshape(-1, 4), BASE_ORDER)
        if index is not None:
            raise Flaw(f"coordinate {index} of {name} is not below the order of the base field")


def _check_contributions(section: memoryview | None) -> None:
    """Whoever proves has no use for them, but their bytes are accounted for as well."""
    if section is None:
        return
    at, end = 68, len(section)
    if end < at:
        raise Flaw("section 10, the contributions, has no count")
    (count,) = struct.unpack_from("<I", section, 64)
    for _ in range(count):
        at += CONTRIBUTION_BYTES
        if at + 4 > end:
            raise Flaw(f"section 10 ends before its {count} contributions do")
        at += 4 + struct.unpack_from("<I", section, at)[0]
    if at != end:
        raise Flaw("section 10 is not as long as its contributions")


def verification_key(path: Path) -> dict[str, Any]:
    """snarkjs' verification_key.json of the key in ``path``. Raises FileRejected, Malformed."""
    return verification_key_of(open_key(path))


def verification_key_of(key: ProvingKey) -> dict[str, Any]:
    """The same of an open key."""
    return {
        "protocol": "groth16",
        "curve": "bn128",
        "nPublic": key.publics,
        "vk_alpha_1": _point1(key.alpha1),
        "vk_beta_2": _point2(key.beta2),
        "vk_gamma_2": _point2(key.gamma2),
        "vk_delta_2": _point2(key.delta2),
        "IC": [_point1(point) for point in key.ic],
    }


def _coordinates(point: Words) -> list[str]:
    inverse = pow(RADIX, -1, BASE_ORDER)
    data = point.tobytes()
    values = (_number(data[at : at + 32]) for at in range(0, len(data), 32))
    return [str(value * inverse % BASE_ORDER) for value in values]


def _point1(point: Words) -> list[str]:
    return [*_coordinates(point), "1"]


def _point2(point: Words) -> list[list[str]]:
    flat = _coordinates(point)
    return [flat[:2], flat[2:], ["1", "0"]]
