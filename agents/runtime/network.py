"""Which chain and which market: what was named, or the devnet that runs on this machine."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.chain.deploy import Deployment, discover
from agents.chain.devnet import Descriptor, read_descriptor
from agents.chain.rpc import Rpc
from agents.core.errors import ChainUnavailable, Misuse
from agents.runtime.logs import hide_url
from agents.runtime.settings import Place


def home() -> Path:
    """Where this user's agents keep everything: HOLDFAST_HOME, or ~/.holdfast."""
    named = os.environ.get("HOLDFAST_HOME")
    return Path(named) if named else Path.home() / ".holdfast"


def devnet_folder() -> Path:
    """Where the devnet of this machine keeps its chain."""
    return home() / "devnet"


def wallets_folder() -> Path:
    """Where this user's keystores are."""
    return home() / "wallets"


def running_devnet(directory: Path | None = None) -> Descriptor | None:
    """The devnet that runs in ``directory`` (default: this user's), if one does."""
    return read_descriptor(directory or devnet_folder())


@dataclass(frozen=True)
class Network:
    """A market within reach."""

    rpc: Rpc
    deployment: Deployment


def is_chain_named(place: Place) -> bool:
    """Whether there is a chain to talk to at all."""
    return bool(place.rpc or place.market) or running_devnet() is not None


@asynccontextmanager
async def network(place: Place) -> AsyncIterator[Network]:
    """Connect to the market of ``place``.

    Raises ChainUnavailable where neither a market was named nor a devnet runs, Misuse where only half of one was named, and
    whatever the connection raises.
    """
    devnet = None if place.rpc and place.market else running_devnet()
    url = place.rpc or (devnet.rpc if devnet else None)
    if url is None:
        raise ChainUnavailable(
            "No chain to talk to",
            "no --rpc was named and no devnet runs here",
            "Start one with `agent devnet`, or set HOLDFAST_RPC and HOLDFAST_MARKET.",
        )
    reference = place.market or (devnet.deployment.reference if devnet else None)
    if reference is None:
        raise Misuse("No market named", f"only the chain at {url} is known", "Set HOLDFAST_MARKET too.")
    hide_url(url)
    async with Rpc(url) as rpc:
        yield Network(rpc, await discover(rpc, reference))
