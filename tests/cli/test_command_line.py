"""The command line itself: arguments, exit codes, what it imports, and what it says when it cannot."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agents.cli import output
from agents.cli.arguments import normalise
from tests.cli.conftest import Agent

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (["provider", "--stake"], ["provider", "--stake=minimum"]),
        (["provider", "--stake", "1000"], ["provider", "--stake", "1000"]),
        (["provider", "--stake", "--quota", "1GiB"], ["provider", "--stake=minimum", "--quota", "1GiB"]),
        (["provider", "--stake=7"], ["provider", "--stake=7"]),
        (["provider", "--stake", "-1"], ["provider", "--stake", "-1"]),
        (["client", "get", "--", "--stake"], ["client", "get", "--", "--stake"]),
        ([], []),
    ],
)
def test_a_bare_stake_is_the_minimum(typed: list[str], read: list[str]) -> None:
    assert normalise(typed) == read


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom agents.cli.main import main\n"
        "assert main(['--help']) == 0\n"
        "heavy = [name for name in ('web3', 'ape', 'numba', 'numpy', 'aiohttp', 'eth_account') if name in sys.modules]\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    for word in ("provider", "validator", "client", "market", "wallet", "devnet", "Exit codes"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("market", "requests"), 5, "agent devnet"),
        (
            ("market", "requests", "--rpc", "http://127.0.0.1:1", "--market", "eip155:31337:0x" + "11" * 20),
            5,
            "127.0.0.1:1",
        ),
        (("market", "requests", "--rpc", "http://127.0.0.1:1", "--market", "nonsense"), 2, "eip155"),
        (("wallet", "balance"), 7, "agent wallet new"),
        (("provider", "--stake", "1,5"), 2, "Type it like 1.5"),
        (("provider", "--quota", "lots"), 2, "20GiB"),
        (("provider", "--stake"), 7, "agent wallet new"),
        (("provider", "--stake", "1000", "--quota", "2GiB"), 7, "agent wallet new"),
        (("provider", "unstake", "some"), 2, "Type it like 1.5"),
        (("client", "get", "hold1aaaa"), 4, "typo"),
        (("client", "get", "bafynonsense"), 4, "not a CID"),
        (("client", "get", "hello"), 4, "begins with bafyrei, a capability with hold1"),
        (("devnet", "faucet", "0xbF19"), 2, "0x and 40 hexadecimal digits"),
        (("devnet", "faucet", "0xbF19e31937F6961A4bd6A7B192138957f16DD148"), 2, "is not an address"),
        (("wallet", "balance", "0xbF19"), 2, "0x and 40 hexadecimal digits"),
        (("client", "store", "x", "--duration", "soon"), 2, "30d"),
        (("keys", "make", "huge"), 2, "devnet, codex"),
        (("keys", "make", "codex"), 3, "scripts/setup"),
        (("nonsense",), 2, "No such command"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, tuple) else "",
)
def test_mistakes_are_explained(lonely: Agent, words: tuple[str, ...], code: int, says: str) -> None:
    done = lonely(*words)
    assert done.code == code, done.err
    assert says in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x7099…79C8"),
        ("2026-11-21 09:33:51 UTC", "11-21 09:33:51 UTC"),
        ("0.000000000001048576 HOLD", "0.00000000000104…"),
        ("0.5 HOLD", "0.5"),
        ("1999.999999999998951424 HOLD", "1999.99…"),
        ("1234567.89 HOLD", "1234567.8…"),
        ("2000 HOLD", "2000 HOLD"),
        ("letters.tar", "letters.tar"),
    ],
)
def test_cells_of_a_narrow_terminal(cell: str, shown: str) -> None:
    assert output.brief(cell) == shown


def test_wallets(lonely: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    password.chmod(0o600)
    monkeypatch.setenv("HOLDFAST_PASSWORD_FILE", str(password))
    assert "agent wallet new" in lonely("wallet", "list").out
    made = lonely("wallet", "new", "mine", "--json")
    assert made.code == 0, made.err
    address = json.loads(made.out)["address"]
    assert lonely("wallet", "list").out == f"name\taddress\nmine\t{address}\n"
    again = lonely("wallet", "new", "mine")
    assert again.code == 7 and "The wallet mine exists" in again.err
    with monkeypatch.context() as unasked:
        unasked.setattr("agents.runtime.accounts.ask_password", lambda prompt: pytest.fail(prompt))
        assert "The wallet mine exists" in lonely("wallet", "new", "mine").err
    password.chmod(0o644)
    open_to_all = lonely("wallet", "new", "other")
    assert open_to_all.code == 7 and "chmod 600" in open_to_all.err
