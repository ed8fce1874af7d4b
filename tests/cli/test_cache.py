"""`agent cache` as a process: served from hosts, from its disk after a restart, and sold to readers that pay."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account as EthAccount

from agents.chain.anvil import dev_account
from agents.core.dataset.manifest import parse_manifest
from agents.core.units import TOKEN
from tests.cli.conftest import Agent
from tests.cli.test_files import ROOT, TERMS
from tests.cli.town import Town

SIZE = 3_000_000
GIB = 1 << 30
PRICE = 10**9
"""Base units per byte."""


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
def cache(*words: str, **more: str) -> Iterator[Running]:
    """`agent cache` until the block ends; then it must stop at SIGTERM, without a complaint."""
    command = [sys.executable, "-m", "agents", "cache", "--json", *words]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **more, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
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
        elsewhere = {"HOLDFAST_HOME": str(tmp_path / "elsewhere"), "HOLDFAST_RPC": "", "HOLDFAST_MARKET": ""}
        with cache("--origin", first.facts["endpoint"], **elsewhere) as without_chain:
            assert without_chain.facts["address"] is None
            assert without_chain.get(f"/ipfs/{root}") == data
    told = agent("cache", "status", "--data-dir", str(tmp_path / "cache"), "--json")
    facts = json.loads(told.out)
    assert not facts["running"] and facts["requests"]["origin"] >= 3 and "books" not in facts
    with cache(*words) as second:
        assert second.facts["endpoint"] == first.facts["endpoint"]
        assert second.get(f"/ipfs/{root}") == data
    facts = json.loads(agent("cache", "status", "--data-dir", str(tmp_path / "cache"), "--json").out)
    assert facts["requests"] == {"hot": 0, "disk": 3, "origin": 0}
    assert "3 from disk" in agent("cache", "status", "--data-dir", str(tmp_path / "cache")).out


@pytest.mark.parametrize(
    "words",
    [
        ("--policy", "mru"),
        ("--policy", "static:2"),
        ("--policy", "static:two,1KiB"),
        ("--price", "0.0000000001"),
        ("--price", "free"),
        ("--memory", "much"),
        ("--disk", "-1"),
    ],
)
def test_what_cannot_be_is_told_before_anything_starts(lonely: Agent, words: tuple[str, ...]) -> None:
    done = lonely("cache", *words)
    assert done.code == 2, done.err


def test_a_machine_without_a_cache_says_so(lonely: Agent) -> None:
    done = lonely("cache", "status", "--free")
    assert done.code == 8 and "agent cache" in done.err


def test_a_cache_that_sells_is_announced_paid_redeems_and_retires(
    stored: tuple[str, bytes], agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, data = stored
    folder, price = tmp_path / "cache", str(PRICE * GIB / TOKEN)
    words = ("--price", price, "--redeem-at", "0.000001", "--data-dir", str(folder))
    key = "0x" + bytes(dev_account(6).key).hex()
    with cache(*words, HOLDFAST_KEY=key) as running:
        with pytest.raises(urllib.error.HTTPError) as refused:
            running.get(f"/ipfs/{name}")
        assert refused.value.code == 402
        assert json.loads(refused.value.read())["pricePerByte"] == str(PRICE)
        assert agent("client", "channel", "deposit", "1").code == 0
        got = agent("client", "get", name, "-o", "back", "--max-price", price, "--json")
        assert got.code == 0, got.err
        assert Path("back").read_bytes() == data
        paid = int(json.loads(got.out)["paid"])
        books = until_redeemed(agent, folder, paid)
        monkeypatch.setenv("HOLDFAST_KEY", key)
        for command in ("redeem", "retire"):
            assert agent("cache", command, "--data-dir", str(folder)).code == 9, "the cache itself runs there"
    assert books["earned"] == books["redeemed"] == str(paid) and int(books["unpaid"]) == 0
    assert paid == PRICE * books["served"] >= PRICE * SIZE
    assert agent("cache", "redeem", "--data-dir", str(folder)).out == "redeemed 0 HOLD\n"
    told = agent("cache", "status", "--data-dir", str(folder))
    assert "stopped" in told.out and "lanes: 1" in told.out
    retired = agent("cache", "retire", "--data-dir", str(folder))
    assert retired.out == f"{running.facts['endpoint']} is no longer in the directory\n"
    again = agent("cache", "retire", "--data-dir", str(folder))
    assert again.code == 8 and dev_account(6).address in again.err


def test_an_app_pays_for_a_reader_that_has_neither_tokens_nor_gas(
    stored: tuple[str, bytes], agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, data = stored
    folder, price = tmp_path / "cache", str(PRICE * GIB / TOKEN)
    reader = EthAccount.create()
    words = ("--price", price, "--redeem-at", "0.000001", "--data-dir", str(folder))
    with cache(*words, HOLDFAST_KEY="0x" + bytes(dev_account(7).key).hex()):
        assert agent("client", "channel", "deposit", "1").code == 0
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() - 100 * 86_400)  # whose clocks are months slow
        grant = agent("client", "channel", "grant", reader.address, "--limit", "0.5")
        (tmp_path / "grant").write_text(grant.out)
        monkeypatch.setenv("HOLDFAST_KEY", "0x" + bytes(reader.key).hex())
        paying = ("--max-price", price, "--grant", str(tmp_path / "grant"), "--json")
        got = agent("client", "get", name, "-o", "back", *paying)
        monkeypatch.setattr(time, "time", real)
        assert got.code == 0, got.err
        assert Path("back").read_bytes() == data
        paid = int(json.loads(got.out)["paid"])
        assert paid >= PRICE * SIZE
        books = until_redeemed(agent, folder, paid)
    assert books["earned"] == books["redeemed"] == str(paid)


def until_redeemed(agent: Agent, folder: Path, amount: int) -> dict[str, Any]:
    """The books once so much was redeemed."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        books = json.loads(agent("cache", "status", "--data-dir", str(folder), "--json").out).get("books", {})
        if int(books.get("redeemed", "0")) >= amount:
            return dict(books)
        time.sleep(0.2)
    raise AssertionError("nothing was redeemed")
