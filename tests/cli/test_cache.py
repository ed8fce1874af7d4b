"""`agent cache` as a process: served from hosts, from its disk after a restart, and sold to readers that pay."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents.core.dataset.manifest import parse_manifest
from tests.cli.conftest import Agent
from tests.cli.test_files import ROOT, TERMS
from tests.cli.town import Town

SIZE = 3_000_000


@dataclass
class Running:
    """A cache at work."""

    process: "subprocess.Popen[str]"
    facts: dict[str, Any]

    def get(self, path: str) -> bytes:
        """What it answers."""
        with urllib.request.urlopen(self.facts["endpoint"] + path, timeout=30) as answer:
            return bytes(answer.read())


@contextmanager
def cache(*words: str) -> Iterator[Running]:
    """`agent cache` until the block ends; then it must stop at SIGTERM, without a complaint."""
    command = [sys.executable, "-m", "agents", "cache", "--json", *words]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        told = ""
        while not told.endswith("}\n"):
            line = process.stdout.readline()
            assert line, "it ended before it was ready"
            told += line
        yield Running(process, json.loads(told))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def stored(agent: Agent, client: str, tmp_path: Path) -> tuple[str, bytes]:
    """The CID of a public file's manifest, and the file's bytes."""
    file = tmp_path / "film.bin"
    file.write_bytes(os.urandom(SIZE))
    done = agent("client", "store", str(file), "--no-encrypt", *TERMS)
    assert done.code == 0, done.err
    return re.findall(r"baf\w+", done.out)[0], file.read_bytes()


def test_a_free_cache_needs_no_wallet_and_serves_from_its_disk_after_a_restart(
    stored: tuple[str, bytes], agent: Agent, town: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HOLDFAST_KEY")
    name, data = stored
    words = ("--data-dir", str(tmp_path / "cache"), "--policy", "static:2,64KiB")
    with cache(*words) as first:
        assert first.facts["address"] is None
        root = parse_manifest(first.get(f"/ipfs/{name}")).ipfs
        for _ in range(3):
            assert first.get(f"/ipfs/{root}") == data
    told = agent("cache", "status", "--data-dir", str(tmp_path / "cache"), "--json")
    facts = json.loads(told.out)
    assert not facts["running"] and facts["requests"]["origin"] >= 3 and "books" not in facts
    with cache(*words) as second:
        assert second.facts["endpoint"] == first.facts["endpoint"]
        assert second.get(f"/ipfs/{root}") == data
    facts = json.loads(agent("cache", "status", "--data-dir", str(tmp_path / "cache"), "--json").out)
    assert facts["requests"] == {"hot": 0, "disk": 3, "origin": 0}
    assert "3 from disk" in agent("cache", "status", "--data-dir", str(tmp_path / "cache")).out
