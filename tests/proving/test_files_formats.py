"""Readers against whole, torn, stretched and hostile files: a clear error or the right values, and nothing else."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.errors import BadData, FileRejected, Malformed
from agents.core.proofs.field import BASE_ORDER, SCALAR_ORDER
from agents.kernels.limbs import to_ints
from agents.proving.development import write_zkey
from agents.proving.files.r1cs import ROWS, Circuit, constraint_count, parse_r1cs, read_r1cs
from agents.proving.files.words import CHUNK, first_not_below
from agents.proving.files.wtns import parse_witness, read_witness, witness_bytes
from agents.proving.files.zkey import COEFFICIENT, ProvingKey, open_key, parse_key
from tests.proving.small import (
    CONSTRAINTS,
    WIRES,
    file_of,
    r1cs_bytes,
    sections_of,
    with_section,
    witness,
    wtns_bytes,
)

R1CS = r1cs_bytes()
WTNS = wtns_bytes(witness(3, 4))
Parse = Callable[[bytes], object]


@pytest.fixture(scope="module")
def zkey(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The development key of the small circuit."""
    path = tmp_path_factory.mktemp("small") / "small.zkey"
    write_zkey(parse_r1cs(R1CS), path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def files(zkey: bytes) -> dict[str, tuple[bytes, Parse]]:
    return {"zkey": (zkey, parse_key), "wtns": (WTNS, parse_witness), "r1cs": (R1CS, parse_r1cs)}


FORMATS = pytest.mark.parametrize("kind", ["zkey", "wtns", "r1cs"])


def contents(found: object) -> list[np.ndarray]:
    """All that a reader found, as arrays, but for the witness: that is one."""
    if isinstance(found, ProvingKey | Circuit):
        return [np.atleast_1d(value) for value in vars(found).values()]
    assert isinstance(found, np.ndarray)
    return [found]


def test_the_small_files_are_read() -> None:
    circuit = parse_r1cs(R1CS)
    assert (circuit.wires, circuit.publics, circuit.constraints) == (WIRES, 2, len(CONSTRAINTS))
    rows = [tuple(circuit.row(number, matrix) for matrix in range(ROWS)) for number in range(circuit.constraints)]
    assert rows == CONSTRAINTS
    assert circuit.term_rows().tolist() == [
        row for row, terms in enumerate(terms for rows in CONSTRAINTS for terms in rows) for _ in terms
    ]
    values = parse_witness(WTNS)
    assert to_ints(values) == witness(3, 4) and values.flags.aligned
    assert witness_bytes(values) == WTNS


@FORMATS
def test_every_prefix_and_every_longer_file_is_refused(files: dict[str, tuple[bytes, Parse]], kind: str) -> None:
    data, parse = files[kind]
    for length in range(len(data)):
        with pytest.raises(Malformed):
            parse(data[:length])
    for tail in (b"\0", bytes(12), data):
        with pytest.raises(Malformed, match="follow its last section"):
            parse(data + tail)


@FORMATS
def test_a_flipped_bit_is_an_error_or_one_other_value(files: dict[str, tuple[bytes, Parse]], kind: str) -> None:
    data, parse = files[kind]
    whole = contents(parse(data))
    refused = accepted = 0
    for at in range(len(data)):
        # All eight in the headers, one of each byte in the long sections.
        for bit in range(8) if len(data) < 2000 else [at % 8]:
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            try:
                found = contents(parse(bytes(flipped)))
            except Malformed:
                refused += 1
                continue
            accepted += 1
            if kind == "r1cs":
                continue  # another number of terms may well give another system
            assert [part.shape for part in found] == [part.shape for part in whole]
            assert sum(old.tobytes() != new.tobytes() for old, new in zip(whole, found, strict=True)) <= 1
    assert refused > 300 and accepted > 300


@FORMATS
def test_sections_may_come_in_any_order_but_once_and_all(files: dict[str, tuple[bytes, Parse]], kind: str) -> None:
    data, parse = files[kind]
    sections = sections_of(data)
    whole = contents(parse(data))
    for old, new in zip(whole, contents(parse(file_of(data, sections[::-1]))), strict=True):
        assert old.tobytes() == new.tobytes()
    for number, section in enumerate(sections):
        with pytest.raises(Malformed, match="twice"):
            parse(file_of(data, [*sections, section]))
        rest = sections[:number] + sections[number + 1 :]
        if section[0] == 10:
            parse(file_of(data, rest))  # the ceremony's history: no prover reads it
        else:
            with pytest.raises(Malformed, match=f"section {section[0]} is missing"):
                parse(file_of(data, rest))
    for stranger in (0, 11, 4 if kind == "r1cs" else 77, 2**32 - 1):
        with pytest.raises(Malformed, match="none that it may have"):
            parse(file_of(data, [*sections, (stranger, b"")]))


@FORMATS
def test_lengths_and_counts_that_no_file_has_are_refused_at_once(
    files: dict[str, tuple[bytes, Parse]], kind: str
) -> None:
    data, parse = files[kind]
    at = 12
    for _, body in sections_of(data):
        for length in (len(data), len(body) + 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 12, 2**64 - 1):
            with pytest.raises(Malformed):
                parse(data[: at + 4] + struct.pack("<Q", length) + data[at + 12 :])
        at += 12 + len(body)
    for count in (0, 1, 11, 2**31, 2**32 - 1):
        with pytest.raises(Malformed):
            parse(data[:8] + struct.pack("<I", count) + data[12:])
    for version in (0, 3, 2**32 - 1):
        with pytest.raises(Malformed, match="version"):
            parse(data[:4] + struct.pack("<I", version) + data[8:])


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_nothing_but_an_error_comes_of_mangled_files(
    files: dict[str, tuple[bytes, Parse]], data: st.DataObject
) -> None:
    whole, parse = files[data.draw(st.sampled_from(sorted(files)))]
    mangled = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mangled)))
        change = data.draw(st.sampled_from(["flip", "cut", "insert", "number", "repeat"]))
        if change == "flip" and at < len(mangled):
            mangled[at] ^= data.draw(st.integers(1, 255))
        elif change == "cut":
            del mangled[at : at + data.draw(st.integers(1, 100))]
        elif change == "insert":
            mangled[at:at] = data.draw(st.binary(min_size=1, max_size=64))
        elif change == "number":
            width = data.draw(st.sampled_from([4, 8]))
            mangled[at : at + width] = data.draw(st.integers(0, 2 ** (8 * width) - 1)).to_bytes(width, "little")
        else:
            mangled[at:at] = mangled[at : at + data.draw(st.integers(1, 200))]
    try:
        found = parse(bytes(mangled))
    except Malformed:
        return
    # Taken: then every byte has its place, and what was found is within its limits.
    if isinstance(found, ProvingKey):
        assert len(found.a) == len(found.b1) == len(found.b2) == found.wires
        assert not len(found.coefficients) or found.coefficients["row"].max() < found.domain
    elif isinstance(found, Circuit):
        assert found.starts[-1] == len(found.term_wires) == len(found.term_values)
    else:
        assert isinstance(found, np.ndarray) and to_ints(found[:1]) == [1]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"zkey\1\0\0\0", b"wtns\2\0\0\0", b"r1cs\1\0\0\0", b""]))
def test_noise_is_refused(noise: bytes, start: bytes) -> None:
    for parse in (parse_key, parse_witness, parse_r1cs):
        with pytest.raises(Malformed):
            parse(start + noise)


def test_a_key_is_read_where_it_lies(zkey: bytes, tmp_path: Path) -> None:
    path = tmp_path / "small.zkey"
    path.write_bytes(zkey)
    key = open_key(path)
    offset = sum(12 + len(body) for kind, body in sections_of(zkey) if kind < 9) + 12 + 12
    for view in (key.alpha1, key.delta2, key.ic, key.coefficients, key.a, key.b1, key.b2, key.c, key.h):
        assert not view.flags.owndata and not view.flags.writeable
    assert key.h.tobytes() == zkey[offset : offset + len(key.h) * 64]
    # A new file in the old one's place changes nothing for whoever has the old one open.
    before = key.h.tobytes()
    other = tmp_path / "other"
    other.write_bytes(b"short")
    other.replace(path)
    assert key.h.tobytes() == before
    with pytest.raises(BadData, match="not a proving key"):
        open_key(path)


def test_numbers_of_a_key_are_within_their_fields(zkey: bytes) -> None:
    bodies = dict(sections_of(zkey))
    order, top = BASE_ORDER.to_bytes(32, "little"), (BASE_ORDER - 1).to_bytes(32, "little")
    for kind, name in {3: "ic", 5: "a", 6: "b1", 7: "b2", 8: "c", 9: "h"}.items():
        for at in (0, len(bodies[kind]) - 32):
            replaced = bodies[kind][:at] + order + bodies[kind][at + 32 :]
            with pytest.raises(Malformed, match=f"coordinate {at // 32} of {name} "):
                parse_key(with_section(zkey, kind, replaced))
            parse_key(with_section(zkey, kind, bodies[kind][:at] + top + bodies[kind][at + 32 :]))
    with pytest.raises(Malformed, match="coordinate 3 of delta2"):
        parse_key(with_section(zkey, 2, bodies[2][:-32] + order))
    key = parse_key(zkey)
    limits = [("matrix", 2), ("row", key.domain), ("wire", key.wires)]
    for field, limit in limits:
        for value in (limit - 1, limit, 2**32 - 1):
            entries = np.array(key.coefficients)
            entries[field][-1] = value
            section = struct.pack("<I", len(entries)) + entries.tobytes()
            if value < limit:
                parse_key(with_section(zkey, 4, section))
            else:
                with pytest.raises(Malformed, match=f"{field} {value} of {limit}"):
                    parse_key(with_section(zkey, 4, section))
    entries = np.array(key.coefficients)
    entries["value"][1] = np.frombuffer(SCALAR_ORDER.to_bytes(32, "little"), dtype="<u8")
    with pytest.raises(Malformed, match="coefficient 1 is not below"):
        parse_key(with_section(zkey, 4, struct.pack("<I", len(entries)) + entries.tobytes()))
    parse_key(with_section(zkey, 4, struct.pack("<I", 0)))


def test_headers_that_contradict_themselves_are_refused(zkey: bytes) -> None:
    header = dict(sections_of(zkey))[2]

    def header_with(at: int, number: int) -> bytes:
        return with_section(zkey, 2, header[:at] + struct.pack("<I", number) + header[at + 4 :])

    wires, publics, domain = 72, 76, 80
    for at, number, message in [
        (0, 31, "another curve"), (4, 1, "another curve"), (36, 64, "another curve"), (40, 0, "another curve"),
        (wires, 2**32 - 1, "a point for each wire"), (wires, 2, "public"), (publics, WIRES, "public"),
        (publics, 1, "each public wire"), (domain, 0, "power of two"), (domain, 1, "power of two"),
        (domain, 12, "power of two"), (domain, 2**29, "power of two"), (domain, 2**28, "row of the domain"),
    ]:  # fmt: skip
        with pytest.raises(Malformed, match=message):
            parse_key(header_with(at, number))
    with pytest.raises(Malformed, match="not a Groth16 key"):
        parse_key(with_section(zkey, 1, struct.pack("<I", 2)))


def test_a_ceremonys_history_is_walked(zkey: bytes) -> None:
    contribution = bytes(3 * 64 + 128 + 64 + 4) + struct.pack("<I", 5) + b"\1\3abc"
    start = bytes(64)
    parse_key(with_section(zkey, 10, start + struct.pack("<I", 2) + 2 * contribution))
    for count, body in [
        (0, b"\0"), (1, b""), (1, contribution[:-1]), (2, contribution), (2**32 - 1, contribution),
        (1, contribution[:-9] + struct.pack("<I", 2**32 - 1)),
    ]:  # fmt: skip
        with pytest.raises(Malformed, match="section 10"):
            parse_key(with_section(zkey, 10, start + struct.pack("<I", count) + body))
    with pytest.raises(Malformed, match="no count"):
        parse_key(with_section(zkey, 10, start))


def test_witnesses_are_canonical_and_begin_with_one() -> None:
    assert to_ints(parse_witness(wtns_bytes([1, 0, SCALAR_ORDER - 1]))) == [1, 0, SCALAR_ORDER - 1]
    for values, message in [
        ([1, SCALAR_ORDER], "value 1 is not below"), ([1, 5, 2**256 - 1], "value 2 is not below"),
        ([0, 1], "not 1"), ([2], "not 1"), ([SCALAR_ORDER + 1], "not 1"), ([], "not 1"),
    ]:  # fmt: skip
        with pytest.raises(Malformed, match=message):
            parse_witness(wtns_bytes(values))
    header = dict(sections_of(WTNS))[1]
    for other in (header[:4] + bytes(32) + header[36:], struct.pack("<I", 8) + header[4:]):
        with pytest.raises(Malformed, match="another field"):
            parse_witness(with_section(WTNS, 1, other))
    with pytest.raises(Malformed, match="4294967295 values"):
        parse_witness(with_section(WTNS, 1, header[:36] + b"\xff" * 4))


def test_constraint_systems_keep_within_their_limits() -> None:
    for constraints, message in [
        ([([(WIRES, 1)], [], [])], f"wire {WIRES} of {WIRES}"),
        ([([], [], [(2**32 - 1, 1)])], "wire 4294967295"),
        ([([(0, SCALAR_ORDER)], [], [])], "coefficient 0 is not below"),
    ]:
        with pytest.raises(Malformed, match=message):
            parse_r1cs(r1cs_bytes(constraints))
    empty = parse_r1cs(r1cs_bytes([]))
    assert (empty.constraints, len(empty.term_wires), empty.starts.tolist()) == (0, 0, [0])
    with pytest.raises(Malformed, match="public"):
        parse_r1cs(r1cs_bytes(outputs=3, inputs=3))
    header = dict(sections_of(R1CS))[1]
    for count in (len(CONSTRAINTS) - 1, len(CONSTRAINTS) + 1, 2**20, 2**32 - 1):
        with pytest.raises(Malformed, match="constraints"):
            parse_r1cs(with_section(R1CS, 1, header[:-4] + struct.pack("<I", count)))
    body = dict(sections_of(R1CS))[2]
    for terms in (1000, 2**31, 2**32 - 1):
        with pytest.raises(Malformed):
            parse_r1cs(with_section(R1CS, 2, struct.pack("<I", terms) + body[4:]))
    with pytest.raises(Malformed, match="within a number"):
        parse_r1cs(with_section(R1CS, 2, body + b"\0"))


def test_many_rows_are_read_in_pieces() -> None:
    """More rows than are looked at together, some without a term."""
    number = CHUNK // 2
    constraints = [([(1 + i % 5, i + 1)] * (i % 3), [(0, i + 1)], []) for i in range(number)]
    circuit = parse_r1cs(r1cs_bytes(constraints))
    for i in (0, 1, 2, CHUNK // 3 - 1, CHUNK // 3, CHUNK // 3 + 1, number - 1):
        assert tuple(circuit.row(i, matrix) for matrix in range(ROWS)) == constraints[i]
    assert len(circuit.term_wires) == sum(len(row) for rows in constraints for row in rows)


@given(st.lists(st.one_of(st.integers(0, 2**256 - 1), st.integers(-2, 2).map(lambda i: SCALAR_ORDER + i)), max_size=9))
def test_the_first_number_too_large_is_found(values: list[int]) -> None:
    words = np.frombuffer(b"".join(value.to_bytes(32, "little") for value in values), dtype="<u8").reshape(-1, 4)
    wanted = next((i for i, value in enumerate(values) if value >= SCALAR_ORDER), None)
    assert first_not_below(words, SCALAR_ORDER) == wanted


def test_words_that_agree_but_for_the_lowest_are_told_apart() -> None:
    below, order = (number.to_bytes(32, "little") for number in (SCALAR_ORDER - 1, SCALAR_ORDER))
    for at in (0, CHUNK - 1, CHUNK, 2 * CHUNK):
        data = bytearray(below * (2 * CHUNK + 1))
        data[32 * at : 32 * at + 32] = order
        assert first_not_below(np.frombuffer(data, dtype="<u8").reshape(-1, 4), SCALAR_ORDER) == at


def test_what_is_no_readable_file_is_said_so(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    for name, why in {"absent": "No such file", "empty": "empty", "pipe": "not a file", ".": "not a file"}.items():
        for read in (open_key, read_witness, read_r1cs, constraint_count):
            with pytest.raises(FileRejected, match=why):
                read(tmp_path / name)


def test_constraints_are_counted_without_reading_them(tmp_path: Path) -> None:
    path = tmp_path / "small.r1cs"
    path.write_bytes(R1CS)
    assert constraint_count(path) == len(CONSTRAINTS) == read_r1cs(path).constraints
    path.write_bytes(R1CS[:-1])
    with pytest.raises(Malformed, match=r"small\.r1cs is not a constraint system"):
        constraint_count(path)


def test_an_entry_of_the_matrices_is_packed() -> None:
    assert COEFFICIENT.itemsize == 44
