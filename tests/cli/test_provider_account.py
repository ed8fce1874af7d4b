"""What a provider asks after and takes out, typed beside the process that runs it."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.chain.anvil import dev_account
from agents.core.proofs.pace import ProvingLoad
from agents.core.units import TOKEN
from agents.runtime.load import LoadReport
from agents.runtime.network import home
from tests.cli.conftest import Agent, Done
from tests.cli.test_files import TERMS
from tests.cli.town import HOSTS, Town


def until(look: Callable[[], dict[str, object]], wanted: Callable[[dict[str, object]], bool]) -> dict[str, object]:
    """What ``look`` shows once it is ``wanted``."""
    deadline = time.monotonic() + 60
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.2)
    return seen


def test_status_earnings_and_withdraw(
    agent: Agent, client: str, town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rent"
    file.write_bytes(os.urandom(100_000))
    town.proving = True
    try:
        assert agent("client", "store", str(file), *TERMS).code == 0
        request = json.loads(agent("client", "ls", "--json").out)[0]["request"]
        slots = json.loads(agent("client", "status", request, "--json").out)["slotList"]
        (index,) = [index for index in HOSTS if dev_account(index).address == slots[0]["host"]]
        monkeypatch.setenv("HOLDFAST_KEY", "0x" + bytes(dev_account(index).key).hex())

        def look() -> dict[str, object]:
            done = agent("provider", "status", "--json")
            assert done.code == 0, done.err
            return dict(json.loads(done.out))

        seen = until(look, lambda seen: int(str(seen["claimable"])) > 0)
    finally:
        town.proving = False
    held = [slot for slot in seen["slots"] if slot["request"] == request]  # type: ignore[attr-defined]
    assert [slot["state"] for slot in held] == ["filled"] and held[0]["slot"] == 0 and held[0]["lastProof"]
    assert int(str(seen["free"])) + int(str(seen["locked"])) == 1_000 * TOKEN
    assert int(held[0]["locked"]) == 131_072
    text = agent("provider", "status").out
    assert "free " in text and "claimable" in text and request[:12] in text
    assert seen["proving"] is None and "proving " not in text  # no `agent provider` of this account runs here
    folder = home() / "provider" / dev_account(index).address.lower()
    folder.mkdir(parents=True)
    load = ProvingLoad(waiting=1, running=2, capacity=2, due_in=3.5, per_minute=40, seconds=1.5, refused=0)
    LoadReport(folder, lambda: load).tell()
    assert look()["proving"] == load.as_json() and f"proving    {load}\n" in agent("provider", "status").out

    before = json.loads(agent("provider", "earnings", "--json").out)
    assert int(before["claimable"]) > 0 and before["slashed"] == "0"
    target = "0x" + "11" * 20
    taken = agent("provider", "withdraw", "--to", target, "--json")
    assert taken.code == 0, taken.err
    facts = json.loads(taken.out)
    assert facts["to"] == target and int(facts["withdrawn"]) >= int(facts["claimed"]) > 0
    assert json.loads(agent("wallet", "balance", target, "--json").out)["tokens"] == facts["withdrawn"]
    after = json.loads(agent("provider", "earnings", "--json").out)
    assert int(after["paid"]) - int(before["paid"]) == int(facts["claimed"])
    assert after["credit"] == "0" and "pay" in agent("provider", "earnings").out
    typo = agent("provider", "withdraw", "--to", target[:-1])
    assert typo.code == 2 and "40 hexadecimal digits" in typo.err


def test_stake_comes_out_in_two_steps(agent: Agent, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    host = town.hosts[3]
    monkeypatch.setenv("HOLDFAST_KEY", "0x" + bytes(host.account.key).hex())
    too_much = agent("provider", "unstake", "5000")
    assert too_much.code == 6 and "5000 HOLD cannot be unstaked" in too_much.err and "Unstake less" in too_much.err
    tokens = balance(agent, host.actor.address)

    started = agent("provider", "unstake", "50", "--json")
    assert started.code == 0, started.err
    facts = json.loads(started.out)
    assert facts["unbonding"] == str(50 * TOKEN) and facts["started"] is True
    assert balance(agent, host.actor.address) == tokens

    paid = eventually(lambda: agent("provider", "unstake", "50"), lambda done: "paid to the wallet" in done.out)
    assert paid.code == 0
    status = json.loads(agent("provider", "status", "--json").out)
    assert status["unbonding"] == "0" and status["releaseAt"] is None and status["credit"] == "0"
    assert int(status["free"]) + int(status["locked"]) == 950 * TOKEN
    assert balance(agent, host.actor.address) - tokens >= 50 * TOKEN


def eventually(look: Callable[[], Done], wanted: Callable[[Done], bool]) -> Done:
    deadline = time.monotonic() + 60
    while not wanted(done := look()):
        assert time.monotonic() < deadline, done
        assert done.code == 0 and "can be withdrawn at" in done.out, done
        time.sleep(0.2)
    return done


def balance(agent: Agent, address: str) -> int:
    return int(json.loads(agent("wallet", "balance", address, "--json").out)["tokens"])


def test_who_is_no_provider_is_told_so(agent: Agent, client: str) -> None:
    for words in (("status",), ("earnings",), ("unstake",)):
        done = agent("provider", *words)
        assert done.code == 8 and "is no provider of this market: it never registered" in done.err
        assert "agent provider --stake" in done.err
    empty = agent("provider", "withdraw")
    assert empty.code == 0 and empty.out == "0 HOLD\n" and "Nothing is owed" in empty.err
    # What was typed before the subcommand counts.
    absent = agent("provider", "--rpc", "http://127.0.0.1:1", "status")
    assert absent.code == 5 and "127.0.0.1:1" in absent.err
