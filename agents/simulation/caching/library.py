"""Traces in the formats that only libcachesim reads: in a process of its own, which that library may end as it likes."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from agents.core.errors import FileRejected, ToolMissing, TraceInvalid

COMPRESSED = (".zst", ".zstd", ".gz")
TIMEOUT_SECONDS = 600.0

PROGRAM = """
import itertools, sys
import libcachesim, numpy
path, folder, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
reader = libcachesim.TraceReader(path, libcachesim.TraceType.UNKNOWN_TRACE)
requests = itertools.islice(reader, most)
rows = numpy.array([(r.clock_time, r.obj_id, r.obj_size) for r in requests if r.valid], dtype=numpy.uint64)
numpy.save(folder + "/rows.npy", rows.reshape(-1, 3))
"""
"""A request takes a byte of a file at least, so that no more are read than there can be."""


def read_library(path: Path, kind: Any) -> Any:
    """The requests in ``path``, whose format libcachesim tells by the name: an array of the dtype ``kind``.

    Raises FileRejected, ToolMissing, TraceInvalid.
    """
    if path.suffix in COMPRESSED:
        raise FileRejected(f"{path} is compressed", "", "Decompress it first.")
    if not path.is_file() or not (most := path.stat().st_size):
        raise FileRejected(f"{path} is empty or no file", "", "Name a trace.")
    if find_spec("libcachesim") is None:
        raise ToolMissing(
            f"{path.name} cannot be read here",
            "of traces, only .csv and .oracleGeneral can be without libcachesim",
            "Type: pip install libcachesim",
        )
    with TemporaryDirectory(prefix="holdfast-") as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM, str(path), folder, str(most)],
                capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise TraceInvalid(f"{path} takes too long to read", str(error), "Is it a trace?") from error
        rows = Path(folder) / "rows.npy"
        if done.returncode or not rows.is_file():
            said = (done.stderr or done.stdout).strip().splitlines()
            raise TraceInvalid(f"{path} cannot be read", said[-1] if said else "libcachesim gave up", "Is it a trace?")
        found = np.load(rows)
    if not len(found):
        raise FileRejected(f"{path} has no requests", "", "Is it a trace?")
    requests = np.zeros(len(found), dtype=kind)
    requests["time"], requests["name"], requests["size"] = found.T
    return requests
