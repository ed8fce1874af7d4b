"""`agent cache`: serving what others store, for money or for nothing."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from agents.chain.directory import Directory, ensure_directory, find_directory
from agents.core.market.view import MarketView
from agents.net.caches import CacheClient
from agents.net.client import Patience, PeerClient
from agents.net.gateway.server import Gateway, Summaries
from agents.roles.caching.hosts import SlotHosts
from agents.roles.caching.onchain import announce, retire
from agents.roles.caching.origin import Origin
from agents.roles.caching.policies import Policy, Wanted, policy_of
from agents.roles.caching.shelf import CachingShelf, hot_capacity
from agents.roles.caching.telling import Identity, Telling
from agents.roles.caching.upstream import FreeCache
from agents.runtime.acting import AtWork, Outpost, Ready, Say, Session, followed, outpost, session, unless_stopped
from agents.runtime.cache_report import CacheReport
from agents.runtime.clock import ChainClock
from agents.runtime.follower import Follower, Moment
from agents.runtime.joining import listen
from agents.runtime.network import is_chain_named
from agents.runtime.selling import Desk, keep_redeeming, open_desk
from agents.runtime.settings import CacheSettings, Place
from agents.runtime.shipped import shipped_model
from agents.store.cache.disk import DiskCache

PATIENCE = Patience(connect=5.0, answer=10.0, document=30.0, block=10.0)
"""With hosts: there are others, and readers wait."""
REPORT_EVERY = 1.0
"""Seconds between two reports."""


async def cache(settings: CacheSettings, say: Say, ready: Ready, verbose: bool) -> None:
    """Run a cache until it is stopped; ``ready`` is called once."""
    async with AsyncExitStack() as stack:
        seller: Session | None = None
        if settings.price or settings.announce:
            seller = await stack.enter_async_context(session(settings.place, "cache", verbose))
            post = Outpost(seller.network, seller.folder, seller.state)
        else:
            chain = not settings.origins or is_chain_named(settings.place)
            post = await stack.enter_async_context(outpost(settings.place, "cache", chain, verbose))
            if not chain:
                say("no chain is named: what the caches named with --origin have is all there is")
        shelves, clock = await _shelves(stack, post, settings), ChainClock()
        desk = await _desk(stack, seller, settings, clock) if seller and settings.price else None
        directory = await ensure_directory(seller.actor.sender) if seller else None
        summaries = _summaries(seller, directory, shelves.shelf, settings, clock) if seller and directory else None
        gateway = Gateway(shelves.shelf, desk.selling if desk else None, summaries=summaries)
        stack.push_async_callback(gateway.stop)
        endpoint = await listen(post.state, gateway, settings, say)
        if seller and directory and await announce(seller.actor, directory, endpoint):
            say(f"announced at {endpoint}")
        report = CacheReport(post.folder, shelves.shelf, shelves.disk, desk.cashier if desk else None)
        stack.callback(report.end)
        reporting = asyncio.create_task(_every(REPORT_EVERY, report.tell))
        stack.callback(reporting.cancel)
        ready(AtWork("cache", seller.actor.address if seller else None, post.folder, endpoint))

        async def step(moment: Moment) -> None:
            clock.see(moment.timestamp)
            shelves.learn(moment.view)

        if post.network is None:
            await unless_stopped(asyncio.Event().wait())
        else:
            await followed(post.network, step, seller.actor.sender.recheck if seller else None)


def run_cache(settings: CacheSettings, say: Say, ready: Ready, verbose: bool = False) -> None:
    """Run a cache until it is stopped."""
    _policy(settings)  # a typo is told before a password is asked for
    asyncio.run(cache(settings, say, ready, verbose))


@dataclass(frozen=True)
class Retired:
    """A cache that nobody finds any more."""

    address: str
    endpoint: str
    """Where it was reached."""


async def retire_cache(place: Place) -> Retired:
    """Take a stopped cache off the directory. Raises DataDirInUse while it runs, NotFound, Refused, ChainError."""
    async with session(place, "cache") as found:
        directory = await find_directory(found.network.rpc)
        return Retired(found.actor.address, await retire(found.actor, directory))


@dataclass
class _Shelves:
    """What there is to be served."""

    shelf: CachingShelf
    disk: DiskCache
    origin: Origin
    view: MarketView | None = None

    def learn(self, view: MarketView) -> None:
        self.view = view
        self.origin.catalogue.learn(view)


def _policy(settings: CacheSettings) -> Policy:
    return policy_of(Wanted(settings.policy, settings.objective, settings.epoch), shipped_model)


async def _shelves(stack: AsyncExitStack, post: Outpost, settings: CacheSettings) -> _Shelves:
    policy = _policy(settings)
    admission = await asyncio.to_thread(policy.admission, hot_capacity(settings.memory))
    disk = stack.enter_context(await asyncio.to_thread(DiskCache, post.folder / "objects", settings.disk))
    market = post.network.deployment.reference if post.network else ""
    peers = await stack.enter_async_context(PeerClient(market, patience=PATIENCE))
    client = await stack.enter_async_context(CacheClient())
    first = await Follower(post.network).now() if post.network else None
    hosts = SlotHosts(peers, lambda: found.view, time.monotonic)
    upstreams = [FreeCache(client, url, hosts.reputations) for url in settings.origins]
    origin = Origin(hosts, disk, upstreams)
    shelf = CachingShelf(origin, disk, settings.memory, admission, policy.order)
    stack.push_async_callback(shelf.close)
    found = _Shelves(shelf, disk, origin)
    origin.catalogue.learn_kept()
    if first is not None:
        found.learn(first.view)
    return found


async def _desk(stack: AsyncExitStack, found: Session, settings: CacheSettings, clock: ChainClock) -> Desk:
    desk = await open_desk(stack, found, settings.price, settings.redeem_at, settings.redeem_least, clock)
    stack.callback(asyncio.create_task(keep_redeeming(desk.redeemer)).cancel)
    return desk


def _summaries(
    found: Session, directory: Directory, shelf: CachingShelf, settings: CacheSettings, clock: ChainClock
) -> Summaries:
    identity = Identity(found.network.deployment.chain_id, directory.address, settings.price)
    return Telling(shelf, identity, found.signer, clock).newest


async def _every(seconds: float, work: Callable[[], None]) -> None:
    while True:
        await asyncio.to_thread(work)
        await asyncio.sleep(seconds)
