"""Traces of requests: a time, an object and its size each.

An object that comes with another size is another object, as it is wherever content has its digest for a name.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from agents.core.admission.policy import REMEMBERED
from agents.core.errors import FileRejected, StorageTrouble, TraceInvalid
from agents.kernels.caches import memory

HEADER = "t,id,size"
LARGEST = 1 << 50
"""Bytes that an object can have."""

KNOWN = 1 << 20
"""Objects of a generation of the filter that keeps first requests off the disk."""


@dataclass(frozen=True, eq=False)
class Trace:
    """Requests in order. Objects are numbered from 0."""

    times: Any
    """float64 seconds, one a request, never falling."""
    objects: Any
    """int32, one a request."""
    sizes: Any
    """int64 bytes, one an object."""
    source: str
    """Where it comes from, for people."""
    phases: tuple[int, ...] = (0,)
    """The first request of each phase, where that is known."""
    synthetic: bool = False
    """Whether it was made up."""

    def __len__(self) -> int:
        """Requests."""
        return len(self.objects)

    @property
    def footprint(self) -> int:
        """Bytes of all objects."""
        return int(self.sizes.sum())

    @cached_property
    def lengths(self) -> Any:
        """Bytes asked for, int64, one a request."""
        return self.sizes[self.objects]

    @cached_property
    def lone(self) -> float:
        """The share of objects that are requested once."""
        counts = np.bincount(self.objects, minlength=len(self.sizes))
        return float((counts == 1).sum() / len(self.sizes))

    @cached_property
    def _recalled(self) -> tuple[Any, Any]:
        return memory(len(self.sizes), REMEMBERED, KNOWN).recall(self.objects)

    @property
    def ordinals(self) -> Any:
        """int32: which of its object's requests each is, from 1, as a cache remembers that counts REMEMBERED objects."""
        return self._recalled[0]

    @property
    def known(self) -> Any:
        """uint8 0 or 1: whether a cache's filter knows the object already."""
        return self._recalled[1]

    def cut(self, requests: int) -> "Trace":
        """The first so many requests."""
        if requests >= len(self):
            return self
        numbers, objects = np.unique(self.objects[:requests], return_inverse=True)
        return Trace(
            self.times[:requests], objects.astype(np.int32), self.sizes[numbers], self.source,
            tuple(phase for phase in self.phases if phase < requests), self.synthetic,
        )  # fmt: skip


def read_trace(path: Path) -> Trace:
    """The trace in a file, by the end of its name: .csv, .oracleGeneral, else whatever libcachesim reads.

    Raises FileRejected, TraceInvalid, ToolMissing.
    """
    if path.suffix == ".csv":
        return read_csv(path)
    if path.suffix == ".oracleGeneral":
        return read_oracle(path)
    from agents.simulation.caching.library import read_library

    return numbered(read_library(path, ORACLE), path)


class _Numbering:
    """Requests as they are read; objects get their numbers in the order in which they come."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.objects: list[int] = []
        self._numbers: dict[tuple[str | int, int], int] = {}

    def add(self, time: float, name: str | int, size: int) -> None:
        self.times.append(time)
        self.objects.append(self._numbers.setdefault((name, size), len(self._numbers)))

    def trace(self, source: str) -> Trace:
        sizes = np.fromiter((size for _, size in self._numbers), dtype=np.int64, count=len(self._numbers))
        return Trace(np.array(self.times), np.array(self.objects, dtype=np.int32), sizes, source)


def read_csv(path: Path) -> Trace:
    """Lines ``t,id,size``: seconds that never fall, a name without commas, whole bytes from 1; a header if one likes.

    Raises FileRejected, TraceInvalid.
    """
    found, before = _Numbering(), -math.inf
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if number == 1 and line.strip() == HEADER.encode():
                    continue
                time, name, size = _fields(path, number, line)
                if time < before:
                    raise _wrong(path, number, f"the time {time:g} comes after {before:g}", "Sort the lines by time.")
                before = time
                found.add(time, name, size)
    except OSError as error:
        raise FileRejected(f"{path} cannot be read", str(error), "Name a file of lines t,id,size.") from error
    if not found.times:
        raise FileRejected(f"{path} has no requests", "", "Name a file of lines t,id,size.")
    return found.trace(path.name)


def _fields(path: Path, number: int, line: bytes) -> tuple[float, str, int]:
    """What one line says. Raises TraceInvalid."""
    try:
        fields = line.decode().rstrip("\r\n").split(",")
    except UnicodeDecodeError:
        raise _wrong(path, number, "it is not text in UTF-8") from None
    if len(fields) != 3:
        raise _wrong(path, number, f"it has {len(fields)} fields, not 3", f"A line is {HEADER}.")
    time, name, size = fields
    if not name:
        raise _wrong(path, number, "the object has no name")
    try:
        seconds = float(time)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise _wrong(path, number, f"{time!r} is not a time", "A time is a number of seconds.")
    if not (size.isascii() and size.isdigit()) or not 1 <= int(size) <= LARGEST:
        raise _wrong(path, number, f"{size!r} is not a size", f"A size is whole bytes, from 1 to {LARGEST}.")
    return seconds, name, int(size)


def _wrong(path: Path, number: int, why: str, do: str = "") -> TraceInvalid:
    return TraceInvalid(f"line {number} of {path} is not a request", why, do)


def write_csv(trace: Trace, path: Path) -> None:
    """Write ``trace`` as `read_csv` reads it, its objects named by their numbers. Raises StorageTrouble."""

    def lines() -> Iterator[str]:
        yield HEADER + "\n"
        requests = zip(trace.times.tolist(), trace.objects.tolist(), trace.lengths.tolist(), strict=True)
        yield from (f"{time!r},{thing},{size}\n" for time, thing, size in requests)

    try:
        with path.open("w", encoding="ascii") as file:
            file.writelines(lines())
    except OSError as error:
        raise StorageTrouble(
            f"{path} cannot be written", str(error), "Free some room, or name another file."
        ) from error


ORACLE = np.dtype([("time", "<u4"), ("name", "<u8"), ("size", "<u4"), ("next", "<i8")])
"""A request in libcachesim's oracleGeneral."""


def read_oracle(path: Path) -> Trace:
    """A trace in libcachesim's oracleGeneral, not compressed; requests without a size count as of one byte.

    Raises FileRejected, TraceInvalid.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileRejected(f"{path} cannot be read", str(error), "Name a trace.") from error
    if not data:
        raise FileRejected(f"{path} has no requests", "", "Is it a trace?")
    if len(data) % ORACLE.itemsize:
        raise TraceInvalid(
            f"{path} is cut short", f"{len(data)} bytes are no whole number of requests", "Is it compressed still?"
        )
    return numbered(np.frombuffer(data, dtype=ORACLE), path)


def numbered(requests: Any, path: Path) -> Trace:
    """The trace of ``requests``, an array of ORACLE. Raises TraceInvalid."""
    back = np.flatnonzero(np.diff(requests["time"].astype(np.int64)) < 0)
    if len(back):
        raise TraceInvalid(f"request {back[0] + 2} of {path} comes before the one before it", "", "Is it a trace?")
    _, name = np.unique(requests["name"], return_inverse=True)
    lengths, length = np.unique(np.maximum(requests["size"], 1), return_inverse=True)
    pairs, objects = np.unique(name * len(lengths) + length, return_inverse=True)
    sizes = lengths[pairs % len(lengths)].astype(np.int64)
    return Trace(requests["time"].astype(np.float64), objects.astype(np.int32), sizes, path.name)
