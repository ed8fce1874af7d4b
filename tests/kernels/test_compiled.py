"""The cache of machine code: found again, mended when damaged, shared by processes that compile at once."""

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agents.kernels.cache import PACKAGE, cache_folder, numba_folder
from agents.kernels.compiled import compiled
from agents.kernels.poseidon2 import kernel_named

SOURCE = """
define i64 @twice(i64 %x) {
  %y = shl i64 %x, 1
  ret i64 %y
}
"""


def twice(value: int) -> int:
    code = compiled(SOURCE)
    return int(ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code.address("twice"))(value))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "holdfast"


def test_code_is_kept_and_found(folder: Path) -> None:
    assert twice(21) == 42
    (kept,) = folder.iterdir()
    before = kept.stat().st_mtime_ns
    assert twice(4) == 8
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_damaged_code_is_compiled_anew(folder: Path, damage: bytes | None) -> None:
    assert twice(1) == 2
    (kept,) = folder.iterdir()
    good = kept.read_bytes()
    flipped = bytearray(good)
    flipped[len(flipped) // 2] ^= 1
    kept.write_bytes(bytes(flipped) if damage is None else damage)
    assert twice(5) == 10
    assert len(kept.read_bytes()) == len(good)


def test_a_folder_that_cannot_be_written_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert cache_folder().is_dir()
    assert twice(3) == 6


def test_a_full_disk_leaves_no_debris(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert twice(6) == 12
    assert list(folder.iterdir()) == []


def test_a_user_without_a_home_has_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert cache_folder().is_dir()
    assert twice(7) == 14


def test_numba_keeps_code_beside_the_sources_or_with_the_user(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert numba_folder().parent == PACKAGE / "__pycache__"
    unwritable = tmp_path / "installed"
    unwritable.mkdir()
    (unwritable / "__pycache__").write_text("a file where the folder should be")
    assert numba_folder(unwritable).parent == folder


def test_numba_files_cut_short_are_compiled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = tmp_path / "good"
    shutil.copytree(compiled_by_numba(), good / numba_folder().name)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(good))
    files = [path for path in good.rglob("*.nbi") if path.name.startswith("portable.")]
    assert files
    for path in files:
        path.write_bytes(b"")
    monkeypatch.setenv("NUMBA_OPT", "0")  # machine code as good as any for one hash, in less time
    script = (
        "import numpy as np; from agents.kernels.poseidon2 import kernel_named; "
        "print(int(kernel_named('portable').hash_cells(np.zeros((1, 31), np.uint8))[0, 0]))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=240)
    assert int(done.stdout) == int(kernel_named("portable").hash_cells(np.zeros((1, 31), np.uint8))[0, 0]), done.stderr


def compiled_by_numba() -> Path:
    """Numba's cache with the portable kernel in it."""
    kernel_named("portable")
    return numba_folder()


def test_processes_that_compile_at_once_agree_and_a_later_one_need_not(folder: Path) -> None:
    script = (
        "from tests.kernels.test_compiled import twice\n"
        "from agents.kernels.forms import best_form\n"
        "from agents.kernels.group import group\n"
        "from agents.kernels.limbs import from_ints, to_ints\n"
        "from agents.kernels.msm import multiply_and_add\n"
        "from agents.kernels.ntt import ntt\n"
        "from agents.kernels.poseidon2 import available_kernels, kernel_named\n"
        "from tests.kernels.points import words_of\n"
        "import numpy as np\n"
        "kernel = kernel_named(available_kernels()[0])\n"
        "print(twice(8), int(kernel.hash_cells(np.zeros((1, 31), np.uint8))[0, 0]))\n"
        "print(multiply_and_add(group(best_form(), False), words_of(False, [1, 2, -5]), from_ints([3, 4, 2])))\n"
        "print(to_ints(ntt(best_form(), from_ints(range(64))))[0])\n"
    )
    root = Path(__file__).parents[2]

    def started() -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE, text=True)

    running = [started() for _ in range(2)]
    answers = {process.communicate(timeout=240)[0] for process in running}
    assert len(answers) == 1
    (answer,) = answers
    first, second, third = answer.splitlines()
    assert first.startswith("16 ") and second == "(1, 2)" and int(third) == sum(range(64))
    kept = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(kept) >= 4 and all(name.endswith(".o") for name in kept)
    assert started().communicate(timeout=240)[0] == answer
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == kept
