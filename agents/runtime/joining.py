"""A provider's place in the market: its port and endpoint, its registration and its stake."""

from typing import Protocol

from agents.chain.contracts import ProviderRecord
from agents.core.errors import HoldfastError, Misuse, NotEnough, NotEnoughTokens
from agents.core.market.types import StakeConfig
from agents.core.units import format_amount
from agents.net.endpoint import checked_endpoint
from agents.roles.actor import Actor
from agents.runtime.acting import Say, mined
from agents.store.state import StateStore

PORT = "port"
EFFECTS = ("register:", "endpoint:", "approve:", "deposit:")
"""How the keys of what is sent here begin."""


class Server(Protocol):
    """What listens."""

    async def start(self, listen: str = ..., port: int = ...) -> int:
        """The port, a free one for 0. Raises HoldfastError when it is taken."""


class Listening(Protocol):
    """Where."""

    @property
    def listen(self) -> str:
        """Host and port."""

    @property
    def endpoint(self) -> str | None:
        """URL under which others reach it; None: made of ``listen``."""


async def listen(state: StateStore, server: Server, settings: Listening, say: Say) -> str:
    """Start ``server``; its endpoint. A port picked once is kept, for it is what the chain says, unless it is taken.

    Raises Misuse where it cannot listen on what was typed.
    """
    host, _, text = settings.listen.rpartition(":")
    if not host or not text.isdecimal():
        raise Misuse(f"{settings.listen!r} is no place to listen", "", "Type it like 0.0.0.0:9000.")
    typed, kept = int(text), int(state.load(PORT).get(PORT) or b"0")
    try:
        try:
            port = await server.start(host, typed or kept)
        except HoldfastError as taken:
            if typed or not kept:
                raise
            port = await server.start(host)
            say(f"warning: {taken.what}: {taken.why}; port {port} is used from now on")
    except HoldfastError as error:
        raise Misuse(error.what, error.why, error.do) from None
    state.save(PORT, PORT, str(port).encode())
    return checked_endpoint(settings.endpoint or f"http://{host}:{port}")


async def join(actor: Actor, rules: StakeConfig, endpoint: str, stake: int | None, say: Say) -> None:
    """Register and stake, as far as that was not done before.

    ``stake`` is as in `ProviderSettings`. Who has stake locked goes on without what is lacking: slots that are not proven
    would cost the rest of it. Raises Misuse, NotEnoughTokens, NotEnoughGas, Refused, ChainError.
    """
    wanted = rules.min_stake if stake == 0 else (stake or 0)
    if wanted and wanted < rules.min_stake:
        raise Misuse(f"{format_amount(wanted)} are too little", f"the minimum is {format_amount(rules.min_stake)}")
    await mined(actor.sender, EFFECTS, say)
    known = await actor.registry.provider_of(actor.address)
    try:
        await _register(actor, known, endpoint, say)
        await _top_up(actor, known.free + known.locked, wanted, rules, say)
    except (Misuse, NotEnough) as lack:
        if not known.locked:
            raise
        say(f"warning: {lack}")
        say(f"{format_amount(known.locked)} are locked for slots that must be proven: it goes on with what it has")


async def _register(actor: Actor, known: ProviderRecord, endpoint: str, say: Say) -> None:
    if not known.registered_block:
        await actor.sender.send(actor.registry.register(endpoint), f"register:{endpoint}")
        say(f"registered as {actor.address}")
    elif known.endpoint != endpoint:
        block = await actor.rpc.block_number()
        await actor.sender.send(actor.registry.set_endpoint(endpoint), f"endpoint:{endpoint}:{block}")
        say(f"reached at {endpoint} from now on")


async def _top_up(actor: Actor, held: int, wanted: int, rules: StakeConfig, say: Say) -> None:
    """Deposit what ``held`` lacks of ``wanted``; 0 wants nothing, but the minimum must be there."""
    if not wanted and held < rules.min_stake:
        need = format_amount(rules.min_stake)
        what = "This provider has no stake" if not held else f"Only {format_amount(held)} are staked"
        raise Misuse(what, f"{need} are needed at least", "Start it with --stake.")
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
    # Nothing of this kind is pending, so another mark is another deposit.
    mark = f"{held}:{missing}:{await actor.rpc.block_number()}"
    await actor.sender.send(actor.token.approve(actor.deployment.registry, missing), f"approve:{mark}")
    await actor.sender.send(actor.registry.deposit(missing), f"deposit:{mark}")
    say(f"staked {format_amount(missing)}")
