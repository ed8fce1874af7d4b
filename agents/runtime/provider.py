"""`agent provider` and `agent validator`: joining the market and working on it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agents.artefacts.files import verification_key
from agents.core.agents.provider_duties import Policy
from agents.core.errors import Misuse, NotEnoughTokens
from agents.core.market.view import MarketView
from agents.core.proofs.profiles import profile_named
from agents.core.units import format_amount
from agents.net.client import PeerClient
from agents.net.endpoint import checked_endpoint
from agents.net.server import PeerServer
from agents.proving.development import verification_key as key_of
from agents.proving.prover import prover_for
from agents.proving.service import ProvingService
from agents.roles.hosting import Hosting
from agents.roles.provider import Provider
from agents.roles.validator import Validator
from agents.runtime.acting import Say, Session, session, until_stopped
from agents.runtime.follower import Follower, Moment
from agents.runtime.settings import ProviderSettings, ValidatorSettings
from agents.store.slots import SlotStore

PORT = "port"


@dataclass(frozen=True)
class AtWork:
    """An agent that is ready."""

    role: str
    address: str
    folder: Path
    """Its data and its log."""
    endpoint: str | None = None


Ready = Callable[[AtWork], None]


async def provide(settings: ProviderSettings, say: Say, ready: Ready, verbose: bool) -> None:
    """Run a provider until it is stopped; ``ready`` is called once."""
    async with session(settings.place, "provider", verbose) as found:
        store = SlotStore(found.folder, settings.quota)
        profile = profile_named(found.network.deployment.profile)
        zkey = settings.proving.zkey
        key = verification_key(profile.name) if zkey is None else key_of(zkey)
        proving = ProvingService(prover_for(profile, zkey, settings.proving.executable), profile, key)
        reference = found.network.deployment.reference
        policy = Policy(settings.quota, settings.min_price, settings.max_duration)
        async with PeerClient(reference, found.signer) as peers:
            provider = Provider(found.actor, store, proving, peers, policy)
            first = await Follower(found.network).now()
            hosting = Hosting(found.actor.address, store, _view_of(provider, first.view), profile.name)
            server = PeerServer(hosting, reference)
            endpoint = await _listen(found, server, settings)
            try:
                await _join(found, first.view, endpoint, settings.stake, say)
                ready(AtWork("provider", found.actor.address, found.folder, endpoint))

                async def step(moment: Moment) -> None:
                    await provider.step(moment.view, moment.block, moment.timestamp, moment.reorged)

                await until_stopped(found, step)
            finally:
                await server.stop()
                await provider.close()
                await proving.close()
                store.close()


def _view_of(provider: Provider, first: MarketView) -> Callable[[], MarketView]:
    return lambda: provider.view or first


async def _listen(found: Session, server: PeerServer, settings: ProviderSettings) -> str:
    """Start the server; its endpoint. A port picked once is kept, for it is what the chain says."""
    host, _, text = settings.listen.rpartition(":")
    if not host or not text.isdecimal():
        raise Misuse(f"{settings.listen!r} is no place to listen", "", "Type it like 0.0.0.0:9000.")
    kept = found.state.load(PORT).get(PORT)
    port = int(text) or int(kept or b"0")
    try:
        port = await server.start(host, port)
    except OSError as error:
        raise Misuse(
            f"Cannot listen on {host}:{port}", error.strerror or str(error), "Choose another --listen."
        ) from None
    found.state.save(PORT, PORT, str(port).encode())
    return checked_endpoint(settings.endpoint or f"http://{host}:{port}")


async def _join(found: Session, view: MarketView, endpoint: str, stake: int | None, say: Say) -> None:
    """Register and stake, as far as that was not done before."""
    actor, known = found.actor, view.providers.get(found.actor.address)
    if known is None:
        await actor.lane.send(actor.registry.register(endpoint), f"register:{endpoint}")
        say(f"registered as {actor.address}")
    elif known.endpoint != endpoint:
        await actor.lane.send(actor.registry.set_endpoint(endpoint), f"endpoint:{endpoint}:{view.last}")
    held = known.free + known.locked if known else 0
    wanted = view.stake.min_stake if stake == 0 else (stake or 0)
    if stake is None and held < view.stake.min_stake:
        need = format_amount(view.stake.min_stake)
        raise Misuse("This provider has no stake", f"{need} are needed at least", "Start it with --stake.")
    if wanted and wanted < view.stake.min_stake:
        raise Misuse(f"{format_amount(wanted)} are too little", f"the minimum is {format_amount(view.stake.min_stake)}")
    missing = wanted - held
    if missing <= 0:
        return
    balance = await actor.token.balance_of(actor.address)
    if balance < missing:
        raise NotEnoughTokens(
            "There are not enough tokens to stake",
            f"{format_amount(missing)} are needed and {actor.address} has {format_amount(balance)}",
            "Fund the account; on a devnet: `agent devnet faucet ADDRESS`.",
        )
    mark = f"{held}:{missing}:{view.last.block_number if view.last else 0}"
    await actor.lane.send(actor.token.approve(found.network.deployment.registry, missing), f"approve:{mark}")
    await actor.lane.send(actor.registry.deposit(missing), f"deposit:{mark}")
    say(f"staked {format_amount(missing)}")


def run_provider(settings: ProviderSettings, say: Say, ready: Ready, verbose: bool = False) -> None:
    """Run a provider until it is stopped."""
    asyncio.run(provide(settings, say, ready, verbose))


async def validate(settings: ValidatorSettings, ready: Ready, verbose: bool) -> None:
    """Run a validator until it is stopped; ``ready`` is called once."""
    async with session(settings.place, "validator", verbose) as found:
        validator = Validator(found.actor)
        ready(AtWork("validator", found.actor.address, found.folder))

        async def step(moment: Moment) -> None:
            await validator.step(moment.view, moment.block, moment.timestamp, moment.reorged)

        try:
            await until_stopped(found, step)
        finally:
            await validator.close()


def run_validator(settings: ValidatorSettings, ready: Ready, verbose: bool = False) -> None:
    """Run a validator until it is stopped."""
    asyncio.run(validate(settings, ready, verbose))
