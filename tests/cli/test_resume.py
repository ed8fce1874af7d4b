"""Reading that was stopped goes on where it was: after a kill, and after the disk was full."""

import asyncio
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from pathlib import Path

import pytest

from agents.core.errors import FileRejected
from agents.net.errors import PeerDown
from agents.net.fetch import SlotSource, Stripe, fetch_any_k
from agents.runtime.reading import get_into
from agents.runtime.settings import Place, ReadOrder
from agents.store.partial import PartialFile
from tests.cli.conftest import Agent
from tests.cli.test_files import ROOT, TERMS
from tests.cli.town import Town

SIZE = 2_000_000
"""16 stripes of two slots."""

KILLED = """
import os, signal, sys
from agents.store import partial
from agents.cli.main import main
partial.NOTE_EVERY = 1
real, count = partial.PartialFile.write, 0
def write(self, pieces):
    global count
    real(self, pieces)
    count += 1
    if count == 5:
        os.kill(os.getpid(), signal.SIGKILL)
partial.PartialFile.write = write
main(sys.argv[1:])
"""

STORED = """
import sys
from agents.cli.main import main
from agents.runtime import network
from tests.cli.conftest import _of_devnet_profile
network.discover = _of_devnet_profile
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def stored(agent: Agent, client: str, tmp_path: Path) -> tuple[str, bytes]:
    """A capability, and the bytes it reads."""
    file = tmp_path / "film"
    file.write_bytes(os.urandom(SIZE))
    done = agent("client", "store", str(file), *TERMS)
    assert done.code == 0, done.err
    return done.out.strip(), file.read_bytes()


def test_a_stopped_reading_goes_on(agent: Agent, stored: tuple[str, bytes], tmp_path: Path) -> None:
    capability, data = stored
    command = [sys.executable, "-c", KILLED, "client", "get", capability, "-o", str(tmp_path / "back")]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "back").exists()
    (note,) = tmp_path.glob(".*.partial.note")
    (partial,) = tmp_path.glob(".*.partial")
    kept = [path.read_bytes() for path in (partial, note)]

    again = agent("client", "get", capability, "-o", "back")
    assert again.code == 0, again.err
    assert again.err.startswith("reading 31%\n")  # 5 of 16
    assert Path("back").read_bytes() == data
    assert not list(tmp_path.glob(".*.partial*"))

    # A note that cannot be of this file is not believed, nor is one without its file.
    for text in (b'{"size": 1, "stripes": 5}', b'{"size"', kept[1].replace(b" 5}", b"99}")):
        partial.write_bytes(kept[0][:-1] + b"x")
        note.write_bytes(text)
        Path("back").unlink()
        fresh = agent("client", "get", capability, "-o", "back")
        assert fresh.err.startswith("reading 0%\n"), fresh.err
        assert Path("back").read_bytes() == data


def test_a_store_that_encodes_ends_at_once_when_it_is_stopped(agent: Agent, client: str, tmp_path: Path) -> None:
    file = tmp_path / "long"
    with file.open("wb") as opened:
        opened.truncate(40 << 20)  # seconds to encode, wherever
    command = [sys.executable, "-c", STORED, "client", "store", str(file), *TERMS]
    # As from a terminal, though whatever runs the tests may be in the background, where SIGINT is ignored.
    hearing = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=hearing) as storing:
        assert storing.stderr is not None
        said = [next(storing.stderr)]
        storing.send_signal(signal.SIGINT)
        said += storing.stderr
        assert storing.wait(timeout=60) == 130, said
    assert said[0].startswith("encrypting 0%")
    assert said[-1] == "stopped\n"
    assert not any(line.startswith("coding") for line in said)


def test_a_stream_goes_on_without_the_host_it_began_with(
    stored: tuple[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    capability, data = stored
    alone: list[int] = []

    async def failing(own: Sequence[SlotSource], k: int, count: int, size: int) -> AsyncGenerator[Stripe, None]:
        alone.append(own[0].slot_index)
        done = 0
        async for stripe in fetch_any_k(own, k, count, size):
            if own[0].slot_index == 0 and done == 3:
                raise PeerDown("http://gone", "the connection was refused")
            yield stripe
            done += 1

    monkeypatch.setattr("agents.roles.download.fetch_any_k", failing)
    out = io.BytesIO()
    asyncio.run(get_into(Place(), capability, out.write, ReadOrder(), lambda *_: None))
    assert out.getvalue() == data
    assert alone == [0, 1]


TINY = """
set -e
mkdir "$1"; mount -t tmpfs -o size=1100k tmpfs "$1"
"$2" -m agents client get "$3" -o "$1/back" 2>"$4/first" && exit 90
test $? -eq 9
test ! -e "$1/back"
mount -o remount,size=64M "$1"
"$2" -m agents client get "$3" -o "$1/back" >"$4/printed" 2>"$4/second"
cat "$1/back"
"""


def test_a_full_disk_keeps_what_was_read(stored: tuple[str, bytes], tmp_path: Path, town: Town) -> None:
    capability, data = stored
    # A user namespace lets anybody mount a tmpfs of their own; root needs none.
    alone = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
    shell = [*alone, "unshare", "--mount", "sh", "-c", TINY, "sh"]
    command = [*shell, str(tmp_path / "tiny"), sys.executable, capability, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=120)
    first = (tmp_path / "first").read_text()
    assert done.returncode == 0, (done.returncode, done.stderr, first)
    assert "The disk of" in first and "is full. Make room and start again; nothing is lost" in first
    assert not (tmp_path / "second").read_text().startswith("reading 0%")
    assert done.stdout == data


def test_two_readings_of_one_file_are_told_apart(tmp_path: Path) -> None:
    with PartialFile(tmp_path, b"d" * 32, 10, 1) as partial:
        with (
            pytest.raises(Exception, match="another process reads the same file"),
            PartialFile(tmp_path, b"d" * 32, 10, 1),
        ):
            pass
        partial.write([(0, b"0123456789")])
        target = tmp_path / "taken"
        target.write_text("mine")
        with pytest.raises(FileRejected, match="nothing is overwritten"):
            partial.finish(target)
        assert target.read_text() == "mine"
        partial.finish(tmp_path / "free")
    assert (tmp_path / "free").read_bytes() == b"0123456789"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["free", "taken"]
    shutil.rmtree(tmp_path)
