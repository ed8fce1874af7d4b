"""One devnet with hosts for the whole room, and `agent` as a user types it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from eth_account import Account

from agents.chain.deploy import Deployment, discover
from agents.chain.rpc import Rpc
from agents.chain.sender import Sender
from agents.cli.main import main
from agents.core.units import TOKEN
from agents.runtime import network
from agents.runtime.follower import Follower
from tests.cli.town import Town


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


Agent = Callable[..., Done]


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    place = Town(tmp_path_factory.mktemp("town"))
    try:
        yield place
    finally:
        place.end()


@pytest.fixture
def key() -> str:
    """A fresh account's key."""
    return "0x" + bytes(Account.create().key).hex()


@pytest.fixture
def client(town: Town, key: str) -> str:
    """The address of a fresh account with tokens and gas."""
    address = str(Account.from_key(key).address)
    town.give(address, tokens=1_000 * TOKEN, wei=TOKEN)
    return address


async def _of_devnet_profile(rpc: Rpc, reference: str) -> Deployment:
    """The town's verifier is of no profile: commands are told that it is the devnet's."""
    return replace(await discover(rpc, reference), profile="devnet")


@pytest.fixture
def lonely(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Agent:
    """Type a command as a new user, in a folder and a home of their own, where nothing runs."""
    for name in [name for name in os.environ if name.startswith("HOLDFAST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def type_in(*words: str) -> Done:
        capsys.readouterr()
        code = main(list(words))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Done(code, out, err)

    return type_in


@pytest.fixture
def agent(lonely: Agent, town: Town, key: str, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """Type a command as the user of ``key``, with the town's devnet running."""
    monkeypatch.setenv("HOLDFAST_HOME", str(town.home))
    monkeypatch.setenv("HOLDFAST_KEY", key)
    monkeypatch.setattr(network, "discover", _of_devnet_profile)
    # The town's blocks come ten times as fast as others: look as often.
    monkeypatch.setitem(Sender.__init__.__kwdefaults__, "poll", 0.05)
    monkeypatch.setattr(Follower.__init__, "__defaults__", (0.1,))
    return lonely
