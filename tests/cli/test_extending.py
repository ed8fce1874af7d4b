"""`agent client extend`: time added by whoever pays, once however often it is typed, and again before it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from eth_account import Account

from agents.core.units import TOKEN
from tests.cli.conftest import Agent
from tests.cli.test_files import ROOT, TERMS
from tests.cli.test_resume import STORED
from tests.cli.town import Town

STOPPED = """
import sys
from agents.cli.main import main
from agents.chain.sender import Sender
from agents.runtime import network
from tests.cli.conftest import _of_devnet_profile
network.discover = _of_devnet_profile
real = Sender.send
async def send(self, call, key):
    receipt = await real(self, call, key)
    if key.startswith("extend:"):
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    return receipt
Sender.send = send
sys.exit(main(sys.argv[1:]))
"""

MISTAKES: tuple[tuple[tuple[str, ...], str], ...] = (
    ((), "Which request?"),
    (("--auto-extend",), "needs --max-cost"),
    (("REQUEST", "--before", "1d"), "--before goes with --auto-extend"),
    (("REQUEST", "--by", "1s"), "60 seconds at least"),
    (("REQUEST", "--by", "40d"), "seconds at most"),
    (("REQUEST", "--by", "2h", "--max-cost", "0"), "more than --max-cost"),
    (("ffff0000",), "No request ffff0000"),
    (("--auto-extend", "--dry-run", "--max-cost", "1"), "do not go together"),
)


@pytest.fixture
def request_id(agent: Agent, client: str, tmp_path: Path) -> str:
    """A started request of the account."""
    (tmp_path / "note").write_bytes(os.urandom(1000))
    done = agent("client", "store", "note", *TERMS, "--json")
    assert done.code == 0, done.err
    return str(json.loads(done.out)["request"])


def facts(agent: Agent, request: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(agent("client", "status", request, "--json").out)
    return found


def test_a_request_lasts_as_long_as_somebody_pays(
    agent: Agent, key: str, request_id: str, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = facts(agent, request_id)
    quoted = json.loads(agent("client", "extend", request_id, "--by", "2h", "--dry-run", "--json").out)
    assert facts(agent, request_id)["endsAt"] == before["endsAt"], "a dry run sends nothing"
    done = agent("client", "extend", request_id[:10], "--by", "2h", "--json")
    assert done.code == 0, done.err
    made = json.loads(done.out)
    assert made == quoted | {"request": request_id}
    assert made["endsAt"] == int(str(before["endsAt"])) + 7200 == facts(agent, request_id)["endsAt"]

    # A stranger's money does as well.
    stranger = Account.create()
    town.give(stranger.address, tokens=10 * TOKEN, wei=TOKEN)
    monkeypatch.setenv("HOLDFAST_KEY", "0x" + bytes(stranger.key).hex())
    agent("client", "extend", request_id, "--by", "1h")
    assert facts(agent, request_id)["endsAt"] == made["endsAt"] + 3600
    shown = agent("client", "status", request_id).out
    assert stranger.address in shown and "extended" in shown

    monkeypatch.setenv("HOLDFAST_KEY", key)
    for words, says in MISTAKES:
        done = agent("client", "extend", *[word.replace("REQUEST", request_id) for word in words])
        assert done.code != 0
        assert says in done.err, done.err
    assert facts(agent, request_id)["endsAt"] == made["endsAt"] + 3600
    # Its client alone has it looked after.
    monkeypatch.setenv("HOLDFAST_KEY", "0x" + bytes(stranger.key).hex())
    done = agent("client", "extend", request_id, "--auto-extend", "--max-cost", "1")
    assert done.code != 0 and "looks after the account's own" in done.err


def test_a_command_that_was_killed_has_paid_once(agent: Agent, request_id: str) -> None:
    before = int(str(facts(agent, request_id)["endsAt"]))
    words = ["client", "extend", request_id, "--by", "2h"]
    killed = subprocess.run(
        [sys.executable, "-c", STOPPED, *words], cwd=ROOT, capture_output=True, check=False, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = agent(*words)
    assert again.code == 0 and "already" in again.err
    assert facts(agent, request_id)["endsAt"] == before + 7200
    # And once it was told, typing it again means it again.
    agent(*words)
    assert facts(agent, request_id)["endsAt"] == before + 2 * 7200


def test_it_looks_after_requests_within_its_budget(agent: Agent, request_id: str) -> None:
    start = int(str(facts(agent, request_id)["endsAt"]))
    price = int(json.loads(agent("client", "extend", request_id, "--by", "2h", "--dry-run", "--json").out)["price"])
    budget = f"{2 * price / TOKEN:.18f}"
    words = ["client", "extend", "--auto-extend", "--by", "2h", "--before", "30d", "--max-cost", budget, "--json"]
    running = subprocess.Popen([sys.executable, "-c", STORED, *words], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while facts(agent, request_id)["endsAt"] != start + 2 * 7200:
            assert time.monotonic() < deadline, "it was never extended twice"
            assert running.poll() is None
            time.sleep(0.3)
        time.sleep(2)  # some twenty blocks more
        assert facts(agent, request_id)["endsAt"] == start + 2 * 7200, "the budget is spent"
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 0
    assert running.stdout is not None
    assert json.loads(running.stdout.read())["role"] == "extender"
