"""What a read may use beyond the hosts of slots: caches, and money for those that ask for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from agents.chain.blocks import latest
from agents.chain.channels import find_channels
from agents.chain.directory import find_directory
from agents.core.channels.grants import PREFIX, parse_grant
from agents.core.channels.lanes import MAX_AMOUNT
from agents.core.errors import HoldfastError, KeyTrouble, Misuse, WrongChain
from agents.net.caches import CacheClient
from agents.net.client import Patience
from agents.net.endpoint import Peer, checked_endpoint
from agents.net.signing import AccountSigner
from agents.roles.buying.caches import Caches
from agents.roles.buying.funds import ChannelFunds
from agents.roles.buying.lanes import Lanes
from agents.roles.buying.shop import Shop
from agents.roles.buying.wallet import Budget, Wallet
from agents.runtime.accounts import signing_account
from agents.runtime.acting import state_file
from agents.runtime.clock import ChainClock
from agents.runtime.network import Network, home
from agents.runtime.settings import Place, ReadOrder
from agents.store.files import lock_folder
from agents.store.state import StateStore

MOST_CACHES = 1000
"""Of the directory: it costs its authors gas alone, so it may be long."""
IMPATIENCE = 10 << 20
"""Bytes at the highest price that a second of waiting is worth."""


PATIENCE = Patience(connect=5.0, answer=15.0, document=30.0, block=15.0)
"""With caches: there are others, and the hosts."""


@dataclass(frozen=True)
class Open:
    """A shop that is open."""

    shop: Shop
    budget: Budget


@asynccontextmanager
async def opened(place: Place, found: Network, reading: ReadOrder) -> AsyncIterator[Open]:
    """The caches for one read. Raises Misuse, KeyTrouble, VoucherInvalid, WrongChain, DataDirInUse.

    A paid read holds a lock: two at once would sign the same lane's vouchers against one another.
    """
    folder = home() / "reader"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    budget = Budget(MAX_AMOUNT if reading.max_cost is None else reading.max_cost)
    named = [Peer(checked_endpoint(url), "") for url in reading.caches]
    with closing(StateStore(folder / state_file(found, "caches"))) as known:
        async with CacheClient(PATIENCE, found.deployment.reference) as client:
            clock = ChainClock((await latest(found.rpc)).timestamp)
            caches = Caches(client, known, clock)
            if reading.announced:
                await caches.refresh(await announced(found))
            if not reading.max_price:
                yield Open(Shop(client, caches, None, 0, worth=1.0, named=named), budget)
                return
            signer = AccountSigner(signing_account(place))
            funds = await _funds(found, signer.address, reading.grant, clock)
            mine = place.data_dir or folder / signer.address.lower()
            worth = float(reading.max_price * IMPATIENCE)
            with closing(lock_folder(mine, "reader.lock")), closing(StateStore(mine / state_file(found))) as state:
                lanes = Lanes(client, state, Wallet(signer, funds, budget), reading.max_price, clock)
                yield Open(Shop(client, caches, lanes, reading.max_price, worth, named), budget)


async def announced(found: Network) -> list[Peer]:
    """The caches of the chain's directory that can be reached at all; none where the chain has no directory."""
    try:
        directory = await find_directory(found.rpc)
        listed = await directory.caches(MOST_CACHES)
    except WrongChain:
        return []
    peers = []
    for each in listed:
        try:
            peers.append(Peer(checked_endpoint(each.endpoint), each.cache))
        except HoldfastError:
            continue  # what it announced is no address: its loss
    return peers


async def _funds(found: Network, reader: str, grant: str | None, clock: ChainClock) -> ChannelFunds:
    channels = await find_channels(found.rpc, found.deployment)
    if grant is None:
        return ChannelFunds(channels, found.deployment.token, reader)
    domain, signed = parse_grant(_text_of(grant))
    if domain != channels.domain:
        raise Misuse("The grant is for another market", "its chain or contract is another", "Ask its sponsor.")
    if signed.grant.reader != reader:
        raise KeyTrouble("The grant is another reader's", f"it names {signed.grant.reader}", "Use that account.")
    account = await channels.account_of(signed.grant.sponsor)
    if signed.grant.epoch != account.epoch or signed.grant.expiry <= clock():
        raise Misuse("The grant is over", "it expired, or its sponsor took the deposit out", "Ask for another.")
    return ChannelFunds(channels, found.deployment.token, signed.grant.sponsor, signed)


def _text_of(grant: str) -> str:
    """The grant itself, or what is in the file of that name."""
    if grant.strip().startswith(PREFIX):
        return grant
    try:
        return Path(grant).read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = f"it does not begin with {PREFIX}, and is no file ({error})"
        raise Misuse(f"Cannot read the grant {grant}", why, "Give the line its sponsor gave you.") from error
