"""Traces: what is read is what was written, and a bad line is named."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.core.errors import FileRejected, HoldfastError, StorageTrouble, TraceInvalid
from agents.simulation.caching.mixes import synthetic
from agents.simulation.caching.traces import Trace, read_trace, write_csv

WRITTEN = "t,id,size\n0,a,10\n0.5,b,20\n0.5,a,10\n7,a,11\n"


def requests_of(trace: Trace) -> list[tuple[float, int, int]]:
    return list(zip(trace.times.tolist(), trace.objects.tolist(), trace.lengths.tolist(), strict=True))


@pytest.mark.parametrize("text", [WRITTEN, WRITTEN.partition("\n")[2], WRITTEN.replace("\n", "\r\n"), WRITTEN.rstrip()])
def test_lines_are_read_and_another_size_is_another_object(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text, newline="")
    trace = read_trace(tmp_path / "a.csv")
    assert requests_of(trace) == [(0.0, 0, 10), (0.5, 1, 20), (0.5, 0, 10), (7.0, 2, 11)]
    assert (trace.source, trace.footprint, trace.synthetic, trace.lone) == ("a.csv", 41, False, 2 / 3)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    trace = synthetic(4, 5000, 2)
    write_csv(trace, tmp_path / "b.csv")
    again = read_trace(tmp_path / "b.csv")
    assert [(time, size) for time, _, size in requests_of(again)] == [
        (time, size) for time, _, size in requests_of(trace)
    ]
    assert again.ordinals.tolist() == trace.ordinals.tolist()
    with pytest.raises(StorageTrouble, match="cannot be written"):
        write_csv(trace, tmp_path / "nowhere" / "b.csv")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("1,a", "it has 2 fields, not 3"),
        ("1,a,2,3", "it has 4 fields, not 3"),
        ("", "it has 1 fields, not 3"),
        ("1,,2", "the object has no name"),
        ("soon,a,2", "'soon' is not a time"),
        ("nan,a,2", "'nan' is not a time"),
        ("inf,a,2", "'inf' is not a time"),
        ("1,a,0", "'0' is not a size"),
        ("1,a,-2", "'-2' is not a size"),
        ("1,a,2.5", "'2.5' is not a size"),
        ("1,a,", "'' is not a size"),
        (f"1,a,{1 << 51}", "is not a size"),
        ("1,a,²", "is not a size"),
        ("-1,a,2", "the time -1 comes after 0"),
        ("t,id,size", "'t' is not a time"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "bad.csv").write_text(f"t,id,size\n0,a,10\n{line}\n9,b,1\n")
    with pytest.raises(TraceInvalid) as raised:
        read_trace(tmp_path / "bad.csv")
    assert "line 3 of" in str(raised.value) and why in str(raised.value)


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(b"0,a,10\n1,\xff,10\n")
    with pytest.raises(TraceInvalid, match=r"line 2 of .* UTF-8"):
        read_trace(tmp_path / "bad.csv")


@pytest.mark.parametrize("name", ["no.csv", "no.oracleGeneral", "no.lcs"])
@pytest.mark.parametrize("content", [None, b""])
def test_a_trace_that_is_missing_or_empty_is_refused(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FileRejected):
        read_trace(tmp_path / name)


ORACLE = struct.Struct("<IQIq")
REQUESTS = [(1, 7, 10), (2, 2**63, 20), (2, 7, 10), (3, 7, 0)]


def test_libcachesims_general_format_is_read_without_it(tmp_path: Path) -> None:
    data = b"".join(ORACLE.pack(*request, -1) for request in REQUESTS)
    (tmp_path / "a.oracleGeneral").write_bytes(data)
    trace = read_trace(tmp_path / "a.oracleGeneral")
    assert trace.times.tolist() == [1, 2, 2, 3]
    assert trace.lengths.tolist() == [10, 20, 10, 1]
    assert trace.ordinals.tolist() == [1, 1, 2, 1]
    (tmp_path / "short.oracleGeneral").write_bytes(data[:-1])
    with pytest.raises(TraceInvalid, match="cut short"):
        read_trace(tmp_path / "short.oracleGeneral")
    (tmp_path / "back.oracleGeneral").write_bytes(data + ORACLE.pack(1, 1, 1, -1))
    with pytest.raises(TraceInvalid, match=r"request 5 of .* comes before"):
        read_trace(tmp_path / "back.oracleGeneral")


def test_the_librarys_own_formats_are_read_by_it(tmp_path: Path) -> None:
    path = tmp_path / "a.oracleGeneral.bin"
    path.write_bytes(b"".join(ORACLE.pack(*request, -1) for request in REQUESTS[:3]))
    assert requests_of(read_trace(path)) == [(1.0, 0, 10), (2.0, 1, 20), (2.0, 0, 10)]


@pytest.mark.parametrize("name", ["bad.lcs", "bad.unheard-of"])
def test_what_ends_the_library_does_not_end_us(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"hello " * 40)
    with pytest.raises(HoldfastError, match=r"cannot be read|comes before"):
        read_trace(tmp_path / name)


def test_a_compressed_trace_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.oracleGeneral.zst").write_bytes(b"hello" * 30)
    with pytest.raises(FileRejected, match="Decompress it first"):
        read_trace(tmp_path / "a.oracleGeneral.zst")


def test_a_cut_has_the_first_requests_and_their_objects_alone() -> None:
    trace = synthetic(4, 8000, 4)
    part = trace.cut(3000)
    assert requests_of(part)[-1][::2] == requests_of(trace)[2999][::2]
    assert len(part) == 3000 and set(part.objects.tolist()) == set(range(len(part.sizes)))
    assert part.phases == tuple(phase for phase in trace.phases if phase < 3000) and part.synthetic
    assert trace.cut(9000) is trace


def test_what_is_counted_is_forgotten_with_the_objects_requested_longest_ago() -> None:
    many = 1 << 17
    objects = np.concatenate([[0, 0], np.arange(1, many + 1), [0]]).astype(np.int32)
    trace = Trace(np.zeros(len(objects)), objects, np.ones(many + 1, dtype=np.int64), "made")
    assert trace.ordinals[:2].tolist() == [1, 2] and trace.ordinals[-1] == 1
    assert trace.known[1] == 1 and trace.known[-1] == 1
    nearly = replace(trace, objects=np.delete(objects, 5))
    assert nearly.ordinals[-1] == 3
