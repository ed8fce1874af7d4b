"""Keys come from keystores, files or the environment, and every mistake has a clear message without the key in it."""

from pathlib import Path

import pytest

from agents.chain.wallet import (
    find_wallet,
    key_from_environment,
    list_wallets,
    new_wallet,
    open_wallet,
    password_from_file,
    read_key_file,
)
from agents.core.errors import KeyTrouble

KEY = "ab" * 32


def test_a_wallet_opens_with_its_password_only(tmp_path: Path) -> None:
    made = new_wallet(tmp_path, "alice", "correct", light=True)
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert list_wallets(tmp_path) == [made]
    assert open_wallet(made.path, lambda: "correct").address == made.address
    with pytest.raises(KeyTrouble, match=r"Wrong password for .*alice\.json"):
        open_wallet(made.path, lambda: "wrong")


def test_a_wallet_is_never_overwritten_and_needs_a_password(tmp_path: Path) -> None:
    new_wallet(tmp_path, "alice", "p", light=True)
    with pytest.raises(KeyTrouble, match="The wallet alice exists"):
        new_wallet(tmp_path, "alice", "p", light=True)
    with pytest.raises(KeyTrouble, match="password is empty"):
        new_wallet(tmp_path, "bob", "", light=True)
    with pytest.raises(KeyTrouble, match="no name for a wallet"):
        new_wallet(tmp_path, "../bob", "p", light=True)


def test_the_wallet_meant_is_found_or_asked_for(tmp_path: Path) -> None:
    with pytest.raises(KeyTrouble, match="agent wallet new"):
        find_wallet(tmp_path, None)
    alice = new_wallet(tmp_path, "alice", "p", light=True)
    assert find_wallet(tmp_path, None) == alice
    bob = new_wallet(tmp_path, "bob", "p", light=True)
    assert find_wallet(tmp_path, bob.address.lower()) == bob
    with pytest.raises(KeyTrouble, match="there are alice, bob"):
        find_wallet(tmp_path, None)
    with pytest.raises(KeyTrouble, match="no wallet carol"):
        find_wallet(tmp_path, "carol")


def test_a_key_comes_from_a_private_file_or_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"0x{KEY}\n")
    path.chmod(0o600)
    account = key_from_environment({"HOLDFAST_KEY": KEY})
    assert account is not None
    assert read_key_file(path).address == account.address
    assert key_from_environment({}) is None
    path.chmod(0o644)
    with pytest.raises(KeyTrouble, match=r"can be read by others.*chmod 600"):
        read_key_file(path)


def test_a_key_with_a_typo_is_refused_without_being_shown() -> None:
    with pytest.raises(KeyTrouble, match="HOLDFAST_KEY holds no private key") as caught:
        key_from_environment({"HOLDFAST_KEY": KEY[:-1]})
    assert KEY[:20] not in str(caught.value)
    with pytest.raises(KeyTrouble, match="out of range"):
        key_from_environment({"HOLDFAST_KEY": "ff" * 32})


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"crypto": {}, "version": 3}'])
def test_a_file_that_is_no_keystore_is_called_so(tmp_path: Path, content: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(content)
    with pytest.raises(KeyTrouble, match="no keystore"):
        open_wallet(path, lambda: "p")
    assert list_wallets(tmp_path) == []


def test_a_password_file_gives_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("secret words\nmore\n")
    path.chmod(0o600)
    assert password_from_file(path) == "secret words"
    with pytest.raises(KeyTrouble, match="Cannot read the password file"):
        password_from_file(tmp_path / "absent")
