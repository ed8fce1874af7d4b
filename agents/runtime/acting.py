"""Long-running agents: data directory, log, chain, account, and a stop at SIGTERM that loses nothing."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from agents.chain.sender import POLL, Sender
from agents.core.errors import ChainUnavailable
from agents.core.market.view import MarketView
from agents.net.signing import AccountSigner
from agents.roles import drill
from agents.roles.actor import Actor
from agents.runtime.accounts import signing_account
from agents.runtime.follower import Follower, Moment
from agents.runtime.logs import logged
from agents.runtime.network import Network, home, network
from agents.runtime.settings import Place
from agents.store.files import lock_folder
from agents.store.state import StateStore

log = logging.getLogger(__name__)

Say = Callable[[str], None]


@dataclass(frozen=True)
class AtWork:
    """An agent that is ready."""

    role: str
    address: str | None
    """None for one without an account."""
    folder: Path
    """Its data and its log."""
    endpoint: str | None = None


Ready = Callable[[AtWork], None]


class Agent(Protocol):
    """A role that has one thing to do: what is due after a block."""

    async def step(self, view: MarketView, block: int, now: int, reorged: bool = False) -> None:
        """Start what is due after ``block``."""

    async def close(self) -> None:
        """Stop what is under way."""


@dataclass(frozen=True)
class Session:
    """An account at work on a market."""

    network: Network
    actor: Actor
    signer: AccountSigner
    folder: Path
    state: StateStore


def agent_folder(place: Place, role: str, address: str) -> Path:
    """The data directory of the agent of an account."""
    return place.data_dir or home() / role / address.lower()


def free_folder(place: Place, role: str) -> Path:
    """The data directory of an agent without an account."""
    return place.data_dir or home() / role / "free"


@asynccontextmanager
async def session(place: Place, role: str, verbose: bool = False) -> AsyncIterator[Session]:
    """Everything an agent acts with, below its own data directory. Raises DataDirInUse while another one uses it."""
    drill.check()
    account = signing_account(place)
    folder = agent_folder(place, role, account.address)
    # The lock comes first: two senders that take up the same journal would send everything twice.
    with closing(lock_folder(folder, "agent.lock")), logged(folder, role, verbose):
        async with network(place) as found:
            # One market's nonces and effects mean nothing on another.
            state = StateStore(folder / state_file(found))
            actor = Actor(found.rpc, found.deployment, account, state)
            try:
                await actor.sender.resume()
                yield Session(found, actor, AccountSigner(account), folder, state)
            finally:
                await actor.sender.close()
                state.close()


@dataclass(frozen=True)
class Outpost:
    """An agent without an account, watching a market; without a network, none."""

    network: Network | None
    folder: Path
    state: StateStore


@asynccontextmanager
async def outpost(place: Place, role: str, chain: bool, verbose: bool = False) -> AsyncIterator[Outpost]:
    """What an agent needs that sends no transactions, with or without a ``chain`` to watch.

    Raises DataDirInUse while another one uses its data directory.
    """
    folder = free_folder(place, role)
    with closing(lock_folder(folder, "agent.lock")), logged(folder, role, verbose):
        async with network(place) if chain else nullcontext() as found:
            with closing(StateStore(folder / (state_file(found) if found else "no-market.db"))) as state:
                yield Outpost(found, folder, state)


async def mined(sender: Sender, effects: tuple[str, ...], say: Say) -> None:
    """Wait for what an earlier process sent and did not see mined: only then the chain tells what is missing.

    ``effects``: how the keys of what matters begin.
    """
    told = False
    while any(key.startswith(effects) for key in sender.pending()):
        if not told:
            say("waiting for what was sent before the last stop")
        told = True
        await sender.resume()  # one that failed for want of gas may be paid for by now
        await asyncio.sleep(POLL)


def state_file(found: Network, kind: str = "") -> str:
    """Name of the database of an agent's state on one market."""
    return found.deployment.reference.replace(":", "-") + (f"-{kind}" if kind else "") + ".db"


async def until_stopped(found: Session, step: Callable[[Moment], Awaitable[None]]) -> None:
    """Run ``step`` after every block until SIGTERM or SIGINT; a chain that cannot be reached is waited for."""
    await followed(found.network, step, found.actor.sender.recheck)


async def followed(
    network: Network,
    step: Callable[[Moment], Awaitable[None]],
    recheck: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """The same; ``recheck`` comes before the step where the chain went back."""

    async def follow() -> None:
        reorged = False
        async for moment in Follower(network).follow():
            reorged = reorged or moment.reorged
            try:
                if reorged and recheck is not None:
                    await recheck()
                await step(replace(moment, reorged=reorged))
                reorged = False
            except ChainUnavailable as error:
                # What this block asked for is asked for by the next one too.
                log.warning("waiting for the chain: %s", error)

    await unless_stopped(follow())


async def unless_stopped(work: Coroutine[Any, Any, object]) -> None:
    """Go on with ``work`` until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stopped.wait())
    done, _ = await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (working, stopping):
        task.cancel()
    await asyncio.gather(working, stopping, return_exceptions=True)
    if working in done:
        working.result()


async def work(found: Session, agent: Agent) -> None:
    """Have ``agent`` step after every block until it is stopped."""

    async def step(moment: Moment) -> None:
        await agent.step(moment.view, moment.block, moment.timestamp, moment.reorged)

    try:
        await until_stopped(found, step)
    finally:
        await agent.close()
