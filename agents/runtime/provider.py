"""`agent provider` and `agent validator`: joining the market and working on it."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from agents.artefacts.files import verification_key
from agents.core.agents.provider_duties import Policy
from agents.core.market.view import MarketView
from agents.core.proofs.profiles import profile_named
from agents.net.client import PeerClient
from agents.net.server import PeerServer
from agents.proving.files.zkey import verification_key as key_of
from agents.proving.service import ProvingService
from agents.roles.fitting import Fitting
from agents.roles.hosting import Hosting
from agents.roles.provider import Provider
from agents.roles.validator import Validator
from agents.runtime.acting import AtWork, Ready, Say, session, until_stopped, work
from agents.runtime.follower import Follower, Moment
from agents.runtime.joining import join, listen
from agents.runtime.load import LoadReport
from agents.runtime.proving import executor_for
from agents.runtime.settings import ProviderSettings, ValidatorSettings
from agents.store.slots import SlotStore


async def provide(settings: ProviderSettings, say: Say, ready: Ready, verbose: bool) -> None:
    """Run a provider until it is stopped; ``ready`` is called once."""
    async with session(settings.place, "provider", verbose) as found, AsyncExitStack() as stack:
        profile = profile_named(found.network.deployment.profile)
        zkey = settings.proving.zkey
        key = verification_key(profile.name) if zkey is None else key_of(zkey)
        store = SlotStore(found.folder, settings.quota)
        stack.callback(store.close)
        proving = ProvingService(await executor_for(profile, settings.proving), profile, key)
        stack.push_async_callback(proving.close)
        report = LoadReport(found.folder, proving.load)
        stack.callback(report.end)
        reference = found.network.deployment.reference
        policy = Policy(settings.quota, settings.min_price, settings.max_duration)
        peers = await stack.enter_async_context(PeerClient(reference, found.signer))
        fitting = Fitting(profile.name)
        provider = Provider(found.actor, store, proving, peers, policy, fitting, found.state, settings.scrub_every)
        stack.push_async_callback(provider.close)
        first = await Follower(found.network).now()
        hosting = Hosting(found.actor.address, store, _view_of(provider, first.view), fitting)
        server = PeerServer(hosting, reference)
        stack.push_async_callback(server.stop)
        endpoint = await listen(found.state, server, settings, say)
        await join(found.actor, first.view.stake, endpoint, settings.stake, say)
        ready(AtWork("provider", found.actor.address, found.folder, endpoint))

        async def step(moment: Moment) -> None:
            await provider.step(moment.view, moment.block, moment.timestamp, moment.reorged)
            report.tell()

        await until_stopped(found, step)


def _view_of(provider: Provider, first: MarketView) -> Callable[[], MarketView]:
    return lambda: provider.view or first


def run_provider(settings: ProviderSettings, say: Say, ready: Ready, verbose: bool = False) -> None:
    """Run a provider until it is stopped."""
    asyncio.run(provide(settings, say, ready, verbose))


async def validate(settings: ValidatorSettings, ready: Ready, verbose: bool) -> None:
    """Run a validator until it is stopped; ``ready`` is called once."""
    async with session(settings.place, "validator", verbose) as found:
        validator = Validator(found.actor)
        ready(AtWork("validator", found.actor.address, found.folder))
        await work(found, validator)


def run_validator(settings: ValidatorSettings, ready: Ready, verbose: bool = False) -> None:
    """Run a validator until it is stopped."""
    asyncio.run(validate(settings, ready, verbose))
