"""What can be typed wrongly, or be wrong when it is typed: every message says what, why and what to do next."""

import contextlib
import functools
import os
import socket
import time
from pathlib import Path

import pytest
from eth_account import Account

from agents.chain.rpc import Rpc
from agents.chain.wallet import new_wallet
from agents.core.dataset.capability import Capability
from agents.core.dataset.cid import cid_text
from agents.core.units import TOKEN
from agents.runtime import network
from tests.cli.conftest import Agent
from tests.cli.test_files import TERMS
from tests.cli.town import Town


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Something to store."""
    path = tmp_path / "file"
    path.write_bytes(os.urandom(1_000))
    return path


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--slots", "0"), 4, ("at least",)),
        (("--slots", "1", "--parity", "0"), 4, ()),
        (("--slots", "3", "--parity", "-1"), 4, ()),
        (("--slots", "300", "--parity", "2"), 4, ()),
        (("--max-cost", "0.0000001"), 6, ("It costs", "more than --max-cost 0.0000001 HOLD", "raise --max-cost")),
        (("--max-cost", "free"), 2, ("Type it like 1.5",)),
        (("--duration", "90y"), 10, ("stores for 30d at most", "Choose a shorter one")),
        (("--duration", "1m", "--expiry", "2m"), 10, ("--expiry 2m cannot be with --duration 1m",)),
        (("--duration", "1s", "--dry-run"), 10, ("Choose an --expiry",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) and value else "",
)
def test_terms_that_cannot_be(
    agent: Agent, client: str, file: Path, options: tuple[str, ...], code: int, says: tuple[str, ...]
) -> None:
    done = agent("client", "store", str(file), *options)
    assert done.code == code, done.err
    assert done.out == ""
    for part in says:
        assert part in done.err
    assert agent("client", "ls").out == "nothing stored yet\n"


def test_files_that_cannot_be_stored(
    agent: Agent, client: str, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    os.mkfifo(tmp_path / "pipe")
    for path, says in (
        (empty, "is empty: there is nothing to store. Name a file"),
        (tmp_path / "absent", "No such file or directory. Name a readable file"),
        (tmp_path / "pipe", "is no ordinary file"),
        (tmp_path, "is no ordinary file"),
    ):
        done = agent("client", "store", str(path), *TERMS)
        assert done.code == 4, done.err
        assert says in done.err
        assert done.out == ""
    file.write_bytes(os.urandom(3_000_000))
    done = _stored_while_it_shrinks(agent, file, monkeypatch)
    assert "changed while it was read. Store it again once nobody writes to it" in done


def _stored_while_it_shrinks(agent: Agent, file: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    from agents.core.dataset.cipher import Sealed

    real = Sealed.seal

    def seal(self: Sealed, index: int, chunk: bytes, last: bool) -> bytes:
        os.truncate(file, 1_500_000)
        return real(self, index, chunk, last)

    with monkeypatch.context() as once:
        once.setattr(Sealed, "seal", seal)
        done = agent("client", "store", str(file), *TERMS)
    assert done.code == 4 and done.out == ""
    assert agent("client", "ls").out == "nothing stored yet\n"
    return done.err


def test_too_little_money(agent: Agent, town: Town, key: str, file: Path) -> None:
    address = str(Account.from_key(key).address)
    no_tokens = agent("client", "store", str(file), *TERMS)
    assert no_tokens.code == 6
    assert f"the request costs 0.0000028311552 HOLD and {address} has 0 HOLD" in no_tokens.err.replace(",", "")
    assert "agent devnet faucet" in no_tokens.err
    town.give(address, tokens=TOKEN)
    no_gas = agent("client", "store", str(file), *TERMS)
    assert no_gas.code == 6
    assert (
        "ETH in gas" in no_gas.err
        and f"{address} has 0.000000000 ETH" in no_gas.err
        and "Send it some ETH" in no_gas.err
    )
    town.give(address, wei=TOKEN)
    # What it could not pay for was kept: the same order goes through now.
    assert agent("client", "store", str(file), *TERMS).code == 0
    assert agent("client", "ls").out.count("file\tstarted") == 1


def test_keys(agent: Agent, town: Town, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOLDFAST_KEY")
    monkeypatch.setattr(network, "wallets_folder", lambda: tmp_path)
    monkeypatch.setattr("agents.runtime.accounts.wallets_folder", lambda: tmp_path / "wallets")
    none = agent("client", "store", str(file))
    assert none.code == 7 and "agent wallet new" in none.err
    new_wallet(tmp_path / "wallets", "mine", "correct horse", light=True)
    password = tmp_path / "password"
    password.write_text("battery staple\n")
    password.chmod(0o600)
    monkeypatch.setenv("HOLDFAST_PASSWORD_FILE", str(password))
    wrong = agent("client", "store", str(file))
    assert wrong.code == 7
    assert "Wrong password for" in wrong.err and "Try again" in wrong.err and "battery" not in wrong.err
    monkeypatch.setenv("HOLDFAST_KEY", "0x1234")
    typo = agent("provider", "status")
    assert typo.code == 7 and "64 hexadecimal digits" in typo.err and "1234" not in typo.err


def test_chains_that_are_not_there(agent: Agent, town: Town, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = town.network.deployment.reference
    absent = agent("client", "store", str(file), "--rpc", "http://127.0.0.1:1", "--market", reference)
    assert absent.code == 5
    assert "No RPC answers at http://127.0.0.1:1" in absent.err and "agent devnet" in absent.err
    elsewhere = reference.replace("eip155:31337:", "eip155:5:")
    wrong = agent("client", "store", str(file), "--rpc", town.devnet.anvil.url, "--market", elsewhere)
    assert wrong.code == 5
    assert "serves chain 31337, not 5" in wrong.err and "HOLDFAST_MARKET" in wrong.err
    nobody = "eip155:31337:0x" + "22" * 20
    empty = agent("client", "ls", "--rpc", town.devnet.anvil.url, "--market", nobody)
    assert empty.code == 5 and "0x2222" in empty.err


def test_an_rpc_that_hangs(agent: Agent, town: Town, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "Rpc", functools.partial(Rpc, timeout=0.2))
    # The kernel takes the connections, and nobody ever answers them.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for words in (("client", "store", str(file)), ("provider", "unstake")):
            begun = time.monotonic()
            done = agent(*words, "--rpc", url, "--market", town.network.deployment.reference)
            assert done.code == 5
            assert f"The RPC at {url} hangs: it did not answer within 0.2 s" in done.err
            assert "name another with --rpc" in done.err
            assert time.monotonic() - begun < 5


def test_names_with_a_typo(agent: Agent, town: Town) -> None:
    capability = str(Capability(bytes(range(32)), bytes(range(32))))
    other = {"a": "b"}.get(capability[20], "a")
    typo = agent("client", "get", capability[:20] + other + capability[21:])
    assert typo.code == 4
    assert "The capability has a typo" in typo.err and "Copy it again, whole" in typo.err
    assert capability[25:60] not in typo.err
    short = agent("client", "get", capability[:-3])
    assert short.code == 4 and "letters are missing" in short.err
    misspelt = agent("client", "get", "h0ld1" + capability[5:])
    assert misspelt.code == 4 and capability[25:60] not in misspelt.err
    cid = cid_text(bytes(range(32)))
    wrong = agent("client", "get", cid[:30] + ("a" if cid[30] != "a" else "b"))
    assert wrong.code == 4 and "is not a CID" in wrong.err and "Copy it again" in wrong.err
    unknown = agent("client", "get", cid)
    assert unknown.code == 8 and "Nobody has the file's manifest: no slot of it is hosted" in unknown.err
    assert "Check the capability" in unknown.err
    request = agent("client", "status", "ffff")
    assert request.code == 8 and "No request ffff" in request.err and "agent market requests" in request.err


def test_one_command_at_a_time_on_one_directory(agent: Agent, client: str, file: Path, town: Town) -> None:
    from agents.store.files import lock_folder

    with contextlib.closing(lock_folder(town.home / "client" / client.lower(), "agent.lock")):
        refused = agent("client", "store", str(file), *TERMS)
        assert refused.code == 9
        assert "is in use" in refused.err and f"process {os.getpid()}" in refused.err and "--data-dir" in refused.err
        assert agent("client", "ls").code == 0
