"""Storing files and reading them back, as typed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agents.core.dataset.capability import parse_capability
from agents.core.dataset.cid import digest_of
from agents.core.dataset.unixfs import FileTree
from agents.core.units import TOKEN
from agents.runtime import storing
from agents.runtime.orders import OrderBook
from agents.store.spool import Spool
from tests.cli.conftest import Agent
from tests.cli.town import HOSTS, MARKET, Town

TERMS = (
    "--slots",
    "2",
    "--parity",
    "1",
    "--expiry",
    "200",
    "--dispersal",
    "0.99",
    "--duration",
    "2h",
    "--price",
    "1000",
)
ROOT = Path(__file__).parents[2]


def test_a_file_is_stored_listed_and_read_back(agent: Agent, client: str, tmp_path: Path, town: Town) -> None:
    data = os.urandom(300_000)
    file = tmp_path / "letters.tar"
    file.write_bytes(data)
    stored = agent("client", "store", str(file), *TERMS)
    assert stored.code == 0, stored.err
    capability = stored.out.strip()
    assert "Keep the line above" in stored.err

    # The same again pays nothing and tells the same.
    again = agent("client", "store", str(file), *TERMS, "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["capability"] == capability
    assert json.loads(again.out)["again"] is True

    listed = agent("client", "ls")
    assert "letters.tar" in listed.out and "started" in listed.out
    assert capability not in listed.out
    (row,) = json.loads(agent("client", "ls", "--json", "--capabilities").out)
    assert row["capability"] == capability and row["filled"] == 3
    (secretive,) = json.loads(agent("client", "ls", "--json").out)
    assert "capability" not in secretive and secretive["capabilityKnown"] is True

    status = json.loads(agent("client", "status", row["request"][:10], "--json").out)
    assert [slot["state"] for slot in status["slotList"]] == ["filled"] * 3
    assert int(status["price"]) == int(status["paid"]) + int(status["unspent"])
    assert "letters.tar" in agent("client", "status", row["request"][:10]).out

    read = agent("client", "get", capability, "-o", "back.tar")
    assert read.code == 0, read.err
    assert Path("back.tar").read_bytes() == data
    assert not list(Path().glob(".*partial*"))
    log = (town.home / "client" / client.lower() / "agent.log").read_text()
    assert log and capability not in log and capability[6:40] not in log
    _refuses_to_overwrite(agent, capability, file)
    _streams(capability, data, tmp_path)
    _survives_a_lost_index(agent, client, row["request"])


def test_a_public_file_is_known_by_two_names_and_read_by_its_cid(agent: Agent, client: str, tmp_path: Path) -> None:
    data = os.urandom(150_000)
    file = tmp_path / "poem.txt"
    file.write_bytes(data)
    stored = agent("client", "store", str(file), "--no-encrypt", *TERMS)
    assert stored.code == 0, stored.err
    cid = stored.out.strip()
    leaves = [digest_of(data[start : start + 65_536]) for start in range(0, len(data), 65_536)]
    ipfs = str(FileTree(leaves, len(data)).root)
    assert f"IPFS knows it as {ipfs}." in stored.err
    again = json.loads(agent("client", "store", str(file), "--no-encrypt", *TERMS, "--json").out)
    assert (again["cid"], again["ipfs"], again["again"]) == (cid, ipfs, True)
    file.unlink()
    read = agent("client", "get", cid)
    assert read.code == 0, read.err
    assert Path("poem.txt").read_bytes() == data


def _refuses_to_overwrite(agent: Agent, capability: str, file: Path) -> None:
    named = agent("client", "get", capability, "-o", "back.tar")
    assert named.code == 4 and "exists: nothing is overwritten" in named.err
    own = agent("client", "get", capability)  # letters.tar is still in this folder
    assert own.code == 4 and "letters.tar exists" in own.err
    nowhere = agent("client", "get", capability, "-o", "no/such/folder")
    assert nowhere.code == 4 and "is no folder" in nowhere.err
    assert agent("client", "get", capability, "-o", "-", "--json").code == 2
    file.unlink()
    assert agent("client", "get", capability).code == 0
    assert file.exists()


def _streams(capability: str, data: bytes, folder: Path) -> None:
    command = [sys.executable, "-m", "agents", "client", "get", capability, "-o", "-"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == data
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == 9
    assert b"Cannot write to stdout: No space left" in done.stderr


def _survives_a_lost_index(agent: Agent, client: str, request: str) -> None:
    elsewhere = agent("client", "ls", "--json", "--data-dir", "elsewhere")
    (row,) = json.loads(elsewhere.out)
    assert row["request"] == request and row["capabilityKnown"] is False and row["file"] is None
    assert "not known here" in agent("client", "ls", "--data-dir", "elsewhere").out


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, nothing is tidied."""


def test_a_kill_before_the_capability_is_printed_loses_nothing(
    agent: Agent, client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "diary"
    file.write_bytes(os.urandom(100_000))

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as once:
        once.setattr(storing._Storing, "_stored", killed)
        with pytest.raises(Killed):
            agent("client", "store", str(file), *TERMS)
    told = agent("client", "store", str(file), *TERMS)
    assert told.code == 0, told.err
    assert "stored already" in told.err and "nothing was paid" in told.err
    assert agent("client", "get", told.out.strip(), "-o", "back").code == 0
    assert Path("back").read_bytes() == file.read_bytes()
    assert len(json.loads(agent("client", "ls", "--json").out)) == 1


def test_an_order_whose_spool_is_gone_is_made_again(
    agent: Agent, client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, town: Town
) -> None:
    file = tmp_path / "notes"
    file.write_bytes(os.urandom(150_000))

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as once:
        once.setattr(storing._Storing, "_until_started", killed)
        once.setattr(OrderBook, "sweep", lambda *_: None)
        town.reserving = False
        try:
            with pytest.raises(Killed):
                agent("client", "store", str(file), *TERMS)
        finally:
            town.reserving = True
    (row,) = json.loads(agent("client", "ls", "--json", "--capabilities").out)
    assert row["state"] == "new" and row["capabilityKnown"]
    folder = town.home / "client" / client.lower() / "spool"
    Spool(folder).find(parse_capability(row["capability"]).manifest).remove()

    # Other bytes under the same name and time are not what was paid for.
    old, times = file.read_bytes(), file.stat()
    file.write_bytes(os.urandom(150_000))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    changed = agent("client", "store", str(file), *TERMS)
    assert changed.code == 4 and "is not what was ordered" in changed.err
    assert list(folder.iterdir()) == []
    file.write_bytes(old)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    told = agent("client", "store", str(file), *TERMS)
    assert told.code == 0, told.err
    assert told.out.strip() == row["capability"]
    assert agent("wallet", "balance", client, "--json").code == 0
    assert len(json.loads(agent("client", "ls", "--json").out)) == 1


def test_a_request_nobody_fills_is_closed_and_refunded(agent: Agent, client: str, tmp_path: Path, town: Town) -> None:
    file = tmp_path / "lonely"
    file.write_bytes(b"is anybody there?")
    before = json.loads(agent("wallet", "balance", client, "--json").out)
    town.reserving = False
    try:
        done = agent("client", "store", str(file), *TERMS[:4], "--expiry", "10", "--duration", "10m")
    finally:
        town.reserving = True
    assert done.code == 8
    assert "Not every slot found a host in time" in done.err
    assert "its price is refunded" in done.err and f"are back at {client}" in done.err
    after = json.loads(agent("wallet", "balance", client, "--json").out)
    assert after["tokens"] == before["tokens"] == str(1_000 * TOKEN) and after["credit"] == "0"
    (row,) = json.loads(agent("client", "ls", "--json").out)
    assert row["state"] == "cancelled" and row["closed"] is True
    nothing = agent("client", "withdraw")
    assert nothing.code == 0 and nothing.out == "0 HOLD\n"
    assert "refunded" in agent("client", "status", row["request"]).out


def test_a_request_filled_in_part_is_refunded_once_its_hosts_are_paid(
    agent: Agent, client: str, tmp_path: Path, town: Town
) -> None:
    file = tmp_path / "wanted"
    file.write_bytes(b"four hosts, five slots")
    town.expire_once_filled(client, len(HOSTS))
    done = agent("client", "store", str(file), *TERMS, "--slots", "3", "--parity", "2")
    assert done.code == 8, done.err
    assert "some slots were filled" in done.err and "agent client withdraw" in done.err
    assert agent("client", "withdraw").out == "0 HOLD\n"  # too early: nothing is closed

    town.later(MARKET.settle_seconds)
    taken = agent("client", "withdraw", "--json")
    assert taken.code == 0, taken.err
    (row,) = json.loads(agent("client", "ls", "--json").out)
    status = json.loads(agent("client", "status", row["request"], "--json").out)
    assert row["closed"] is True and 0 < int(status["paid"]) < int(status["price"])
    assert int(status["refunded"]) == int(status["price"]) - int(status["paid"])
    assert json.loads(taken.out)["withdrawn"] == status["refunded"]
    balance = json.loads(agent("wallet", "balance", client, "--json").out)
    assert int(balance["tokens"]) == 1_000 * TOKEN - int(status["paid"]) and balance["credit"] == "0"


def test_dry_run_tells_everything_and_sends_nothing(agent: Agent, client: str, tmp_path: Path) -> None:
    file = tmp_path / "big"
    file.write_bytes(bytes(100_000))
    quoted = agent("client", "store", str(file), *TERMS, "--dry-run", "--json")
    assert quoted.code == 0, quoted.err
    facts = json.loads(quoted.out)
    assert facts["slots"] == 3 and facts["slotSize"] == 131_072 and facts["storedSize"] == 3 * 131_072
    assert facts["price"] == str(3 * 131_072 * 7200 * 1000) and facts["collateral"] == "131072"
    assert facts["balance"] == str(1_000 * TOKEN) and facts["allowance"] == "0"
    assert facts["hosts"] == 4 and facts["warnings"] == [] and int(facts["gas"]) > 0
    many = agent("client", "store", str(file), "--slots", "6", "--dry-run")
    assert many.code == 0 and "8 providers with stake free for a slot are needed" in many.err and "has 4" in many.err
    assert agent("client", "ls").out == "nothing stored yet\n"
