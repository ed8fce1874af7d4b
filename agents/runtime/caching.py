"""`agent cache`: serving what others store, for money or for nothing."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from agents.chain.channels import ensure_channels
from agents.chain.directory import Directory, ensure_directory
from agents.core.admission.model import Model, model_of
from agents.core.channels.offers import Offer
from agents.core.channels.terms import Terms
from agents.core.errors import HoldfastError
from agents.core.market.view import MarketView
from agents.net.caches import CacheClient
from agents.net.client import PeerClient
from agents.net.gateway.server import Gateway, Summaries
from agents.roles.caching.hosts import SlotHosts
from agents.roles.caching.lanes import LaneBook
from agents.roles.caching.onchain import OnChain, announce
from agents.roles.caching.origin import Origin
from agents.roles.caching.policies import Policy, Wanted, policy_of
from agents.roles.caching.redeeming import Redeemer
from agents.roles.caching.selling import Selling
from agents.roles.caching.shelf import CachingShelf, hot_capacity
from agents.roles.caching.telling import Identity, Telling
from agents.roles.caching.upstream import FreeCache
from agents.runtime.acting import AtWork, Outpost, Ready, Say, Session, followed, outpost, session, state_file
from agents.runtime.cache_report import CacheReport
from agents.runtime.follower import Follower, Moment
from agents.runtime.joining import listen
from agents.runtime.settings import CacheSettings
from agents.store.cache.disk import DiskCache
from agents.store.state import StateStore

log = logging.getLogger(__name__)

REDEEM_EVERY = 5.0
"""Seconds between two looks at what can be redeemed."""
REPORT_EVERY = 1.0
"""Seconds between two reports."""


async def cache(settings: CacheSettings, say: Say, ready: Ready, verbose: bool) -> None:
    """Run a cache until it is stopped; ``ready`` is called once."""
    async with AsyncExitStack() as stack:
        seller: Session | None = None
        if settings.price:
            seller = await stack.enter_async_context(session(settings.place, "cache", verbose))
            post = Outpost(seller.network, seller.folder, seller.state)
        else:
            post = await stack.enter_async_context(outpost(settings.place, "cache", verbose))
        shelves, clock = await _shelves(stack, post, settings), ChainClock()
        selling = await _selling(stack, seller, settings, clock) if seller else None
        directory = await ensure_directory(seller.actor.lane) if seller else None
        summaries = _summaries(seller, directory, shelves.shelf, settings) if seller and directory else None
        gateway = Gateway(shelves.shelf, selling, summaries=summaries)
        stack.push_async_callback(gateway.stop)
        endpoint = await listen(post.state, gateway, settings, say)
        if seller and directory and await announce(seller.actor, directory, endpoint):
            say(f"announced at {endpoint}")
        report = CacheReport(post.folder, shelves.shelf, shelves.disk, selling)
        stack.callback(report.end)
        reporting = asyncio.create_task(_every(REPORT_EVERY, report.tell))
        stack.callback(reporting.cancel)
        ready(AtWork("cache", seller.actor.address if seller else None, post.folder, endpoint))

        async def step(moment: Moment) -> None:
            clock.see(moment)
            shelves.learn(moment.view)

        await followed(post.network, step, seller.actor.lane.recheck if seller else None)


def run_cache(settings: CacheSettings, say: Say, ready: Ready, verbose: bool = False) -> None:
    """Run a cache until it is stopped."""
    _policy(settings)  # a typo is told before a password is asked for
    asyncio.run(cache(settings, say, ready, verbose))


class ChainClock:
    """UNIX seconds by this machine's clock, or by the chain's where that is ahead: lanes end when the chain says so."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def see(self, moment: Moment) -> None:
        """A block came."""
        self._ahead = max(0.0, moment.timestamp - time.time())


@dataclass
class _Shelves:
    """What there is to be served."""

    shelf: CachingShelf
    disk: DiskCache
    origin: Origin
    view: MarketView

    def learn(self, view: MarketView) -> None:
        self.view = view
        self.origin.catalogue.learn(view)


def _policy(settings: CacheSettings) -> Policy:
    def shipped() -> Model:
        from agents.artefacts.files import admission_model

        return model_of(admission_model())

    return policy_of(Wanted(settings.policy, settings.objective, settings.epoch), shipped)


async def _shelves(stack: AsyncExitStack, post: Outpost, settings: CacheSettings) -> _Shelves:
    policy = _policy(settings)
    admission = await asyncio.to_thread(policy.admission, hot_capacity(settings.memory))
    disk = stack.enter_context(await asyncio.to_thread(DiskCache, post.folder / "objects", settings.disk))
    peers = await stack.enter_async_context(PeerClient(post.network.deployment.reference))
    client = await stack.enter_async_context(CacheClient())
    first = await Follower(post.network).now()
    hosts = SlotHosts(peers, lambda: found.view, time.monotonic)
    upstreams = [FreeCache(client, url, hosts.reputations) for url in settings.origins]
    origin = Origin(hosts, disk, upstreams)
    shelf = CachingShelf(origin, disk, settings.memory, admission, policy.order)
    stack.push_async_callback(shelf.close)
    found = _Shelves(shelf, disk, origin, first.view)
    origin.catalogue.learn_kept()
    found.learn(first.view)
    return found


async def _selling(stack: AsyncExitStack, found: Session, settings: CacheSettings, clock: ChainClock) -> Selling:
    actor = found.actor
    channels = await ensure_channels(actor.lane, found.network.deployment.token)
    terms = Terms(price=settings.price)
    terms = Terms(price=settings.price, minimal_deposit=terms.cost(terms.interval))
    offer = Offer(
        channels.domain, found.network.deployment.token, actor.address, terms, await channels.challenge_seconds()
    )
    book = LaneBook(StateStore(found.folder / state_file(found.network, "lanes")), terms)
    chain = OnChain(actor, channels)
    selling = Selling(offer, chain, book, clock)
    stack.push_async_callback(selling.close)
    redeeming = asyncio.create_task(_redeeming(Redeemer(selling, chain, book, settings.redeem_at, clock)))
    stack.callback(redeeming.cancel)
    return selling


def _summaries(found: Session, directory: Directory, shelf: CachingShelf, settings: CacheSettings) -> Summaries:
    identity = Identity(found.network.deployment.chain_id, directory.address, settings.price)
    return Telling(shelf, identity, found.signer, time.time).newest


async def _redeeming(redeemer: Redeemer) -> None:
    while True:
        try:
            await redeemer.step()
        except HoldfastError as error:  # what is due now is due the next time
            log.warning("vouchers are not redeemed: %s", error)
        except Exception:
            log.exception("redeeming failed")
        await asyncio.sleep(REDEEM_EVERY)


async def _every(seconds: float, work: Callable[[], None]) -> None:
    while True:
        await asyncio.to_thread(work)
        await asyncio.sleep(seconds)
