"""Whose key signs, and what it holds."""

import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from eth_account.signers.local import LocalAccount

from agents.chain.contracts import Registry, Token
from agents.chain.wallet import (
    KEY_FILE_VARIABLE,
    Wallet,
    find_wallet,
    key_from_environment,
    list_wallets,
    new_path,
    new_wallet,
    open_wallet,
    password_from_file,
    read_key_file,
)  # fmt: skip
from agents.core.errors import KeyTrouble
from agents.runtime.logs import hide
from agents.runtime.network import network, wallets_folder
from agents.runtime.settings import Place

PASSWORD_FILE = "HOLDFAST_PASSWORD_FILE"


def ask_password(prompt: str) -> str:
    """The password from HOLDFAST_PASSWORD_FILE, or typed at a terminal. Raises KeyTrouble."""
    named = os.environ.get(PASSWORD_FILE)
    if named:
        return password_from_file(Path(named))
    if not sys.stdin.isatty():
        raise KeyTrouble(
            "A password is needed", "there is no terminal to type it at", f"Set {PASSWORD_FILE} to a file."
        )
    return getpass.getpass(prompt)


def signing_account(place: Place) -> LocalAccount:
    """The key to sign with: HOLDFAST_KEY, HOLDFAST_KEY_FILE, or a wallet. Raises KeyTrouble."""
    account = None
    if place.wallet is None:
        account = key_from_environment(os.environ)
        if account is None and os.environ.get(KEY_FILE_VARIABLE):
            account = read_key_file(Path(os.environ[KEY_FILE_VARIABLE]))
    if account is None:
        wallet = find_wallet(wallets_folder(), place.wallet)
        account = open_wallet(wallet.path, lambda: ask_password(f"Password of {wallet.name}: "))
    hide(bytes(account.key).hex())
    return account


def own_address(place: Place) -> str:
    """Whose balance or slots are asked after; needs no password."""
    if place.wallet is None:
        account = key_from_environment(os.environ)
        if account is not None:
            return str(account.address)
        if os.environ.get(KEY_FILE_VARIABLE):
            return str(read_key_file(Path(os.environ[KEY_FILE_VARIABLE])).address)
    return find_wallet(wallets_folder(), place.wallet).address


def make_wallet(name: str) -> Wallet:
    """A new key under a password asked twice. Raises KeyTrouble."""
    new_path(wallets_folder(), name)  # before two passwords are typed for nothing
    password = ask_password(f"Password for {name}: ")
    if PASSWORD_FILE not in os.environ and ask_password("Again: ") != password:
        raise KeyTrouble("The two passwords differ", "", "Type the same one twice.")
    return new_wallet(wallets_folder(), name, password)


def all_wallets() -> list[Wallet]:
    """This user's wallets."""
    return list_wallets(wallets_folder())


@dataclass(frozen=True)
class Balance:
    """What an account holds, in base units."""

    address: str
    wei: int
    tokens: int
    credit: int
    """Owed by the market; `agent provider withdraw` takes it."""


async def balance(place: Place, address: str) -> Balance:
    """What ``address`` holds on the chain of ``place``."""
    async with network(place) as found:
        wei = await found.rpc.balance(address)
        tokens = await Token(found.rpc, found.deployment.token).balance_of(address)
        credit = await Registry(found.rpc, found.deployment.registry).credit_of(address)
        return Balance(address, wei, tokens, credit)
