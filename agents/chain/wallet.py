"""Keys: encrypted keystores, a key file, or the environment; never the value of a flag."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from agents.chain.codec import checksummed
from agents.core.errors import KeyTrouble

KEY_VARIABLE = "HOLDFAST_KEY"
KEY_FILE_VARIABLE = "HOLDFAST_KEY_FILE"
"""Environment variable that may hold a private key as hexadecimal."""

SCRYPT_N = 1 << 18
"""scrypt's cost of a keystore: about a second and 256 MiB to try one password."""

LIGHT_SCRYPT_N = 1 << 12
"""Of a development keystore."""


@dataclass(frozen=True)
class Wallet:
    """One keystore on disk."""

    name: str
    address: str
    path: Path


def new_path(directory: Path, name: str) -> Path:
    """Where a new wallet is kept. Raises KeyTrouble for what is no name, or taken."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise KeyTrouble(f"{name!r} is no name for a wallet", "letters, digits, dot, dash and underscore only", "")
    path = directory / f"{name}.json"
    if path.exists():
        raise KeyTrouble(f"The wallet {name} exists", str(path), "Choose another name.")
    return path


def new_wallet(directory: Path, name: str, password: str, *, light: bool = False, key: bytes | None = None) -> Wallet:
    """Make a keystore (readable by its owner alone) for a fresh key, or for ``key``. Raises KeyTrouble."""
    path = new_path(directory, name)
    if not password:
        raise KeyTrouble("The password is empty", "", "Choose one, or the key is as good as public.")
    account: LocalAccount = Account.from_key(key) if key else Account.create()
    cost = LIGHT_SCRYPT_N if light else SCRYPT_N
    keystore = Account.encrypt(account.key, password, kdf="scrypt", iterations=cost)
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyTrouble(f"The wallet {name} exists", str(path), "Choose another name.") from None
    except OSError as error:
        raise KeyTrouble(f"Cannot write {path}", error.strerror or str(error), "Choose another directory.") from None
    with os.fdopen(handle, "w") as file:
        json.dump(keystore, file)
        file.flush()
        os.fsync(file.fileno())
    return Wallet(name, account.address, path)


def list_wallets(directory: Path) -> list[Wallet]:
    """The keystores in ``directory``, by name; files that are none are passed over."""
    wallets = []
    for path in sorted(directory.glob("*.json")):
        try:
            wallets.append(Wallet(path.stem, _address_in(_read_keystore(path)), path))
        except KeyTrouble:
            continue
    return wallets


def open_wallet(path: Path, password: Callable[[], str]) -> LocalAccount:
    """The account in keystore ``path``; ``password`` is asked once. Raises KeyTrouble."""
    keystore = _read_keystore(path)
    try:
        key = Account.decrypt(keystore, password())
    except ValueError as error:
        if "MAC" in str(error):
            raise KeyTrouble(f"Wrong password for {path}", "the keystore does not open with it", "Try again.") from None
        raise KeyTrouble(f"{path} is no keystore", str(error), "Name another file.") from None
    except (KeyError, TypeError, NotImplementedError) as error:
        raise KeyTrouble(f"{path} is no keystore", repr(error), "Name another file.") from None
    return _account(bytes(key), str(path))


def read_key_file(path: Path) -> LocalAccount:
    """The account whose private key stands in ``path`` as hexadecimal. Raises KeyTrouble."""
    _private(path)
    try:
        return _from_hex(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise KeyTrouble(f"Cannot read the key file {path}", _why(error), "Name another file.") from None


def _why(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def key_from_environment(environment: Mapping[str, str]) -> LocalAccount | None:
    """The account in HOLDFAST_KEY, or None if it is not set. Raises KeyTrouble."""
    text = environment.get(KEY_VARIABLE)
    return _from_hex(text, KEY_VARIABLE) if text else None


def password_from_file(path: Path) -> str:
    """The first line of a password file. Raises KeyTrouble."""
    _private(path)
    try:
        return path.read_text().split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyTrouble(f"Cannot read the password file {path}", _why(error), "Name another file.") from None


def find_wallet(directory: Path, name: str | None) -> Wallet:
    """The wallet called ``name``, or the only one there is. Raises KeyTrouble."""
    wallets = list_wallets(directory)
    if name is not None:
        wallets = [wallet for wallet in wallets if name.lower() in (wallet.name.lower(), wallet.address.lower())]
    if len(wallets) == 1:
        return wallets[0]
    if not wallets:
        what = f"There is no wallet {name}" if name else "There is no wallet"
        new = f"agent wallet new {name}" if name else "agent wallet new"
        do = f"Make one with `{new}`, or set {KEY_VARIABLE} or {KEY_FILE_VARIABLE}."
        raise KeyTrouble(what, f"none in {directory}", do)
    names = ", ".join(wallet.name for wallet in wallets)
    raise KeyTrouble("Which wallet?", f"there are {names}", "Name one with --wallet.")


def _read_keystore(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > 1 << 16:
            raise KeyTrouble(f"{path} is no keystore", "it is too large", "Name another file.")
        found = json.loads(path.read_text())
    except OSError as error:
        raise KeyTrouble(f"Cannot read the keystore {path}", error.strerror or str(error), "Name another.") from None
    except ValueError:
        raise KeyTrouble(f"{path} is no keystore", "it is not JSON", "Name another file.") from None
    if not isinstance(found, dict) or "crypto" not in {str(key).lower() for key in found}:
        raise KeyTrouble(f"{path} is no keystore", "it has no crypto section", "Name another file.")
    return found


def _address_in(keystore: Mapping[str, object]) -> str:
    text = str(keystore.get("address", "")).removeprefix("0x")
    if not re.fullmatch(r"[0-9a-fA-F]{40}", text):
        raise KeyTrouble("The keystore names no address", "", "Name another file.")
    return checksummed("0x" + text)


def _private(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # The read that follows says why.
    if mode & 0o077:
        raise KeyTrouble(f"{path} can be read by others", f"its mode is {mode & 0o777:o}", f"Type: chmod 600 {path}")


def _from_hex(text: str, source: str) -> LocalAccount:
    digits = text.strip().removeprefix("0x")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digits):
        # The text is not shown: it may be a key with a typo.
        raise KeyTrouble(f"{source} holds no private key", "a key is 64 hexadecimal digits", "Correct it.")
    return _account(bytes.fromhex(digits), source)


def _account(key: bytes, source: str) -> LocalAccount:
    try:
        account: LocalAccount = Account.from_key(key)
    except ValueError:
        raise KeyTrouble(f"{source} holds no private key", "the number is out of range", "Correct it.") from None
    return account
