"""What a provider has staked, holds and earned, and how it takes its money out: short commands beside a running provider.

They keep a journal in a folder of their own: the data directory of a running provider is locked, and its nonces are no
secret to the chain, which is asked for the next one.
"""

import os
from dataclasses import dataclass, replace

from agents.chain.blocks import latest
from agents.chain.codec import checksummed
from agents.chain.contracts import Market, ProviderRecord, Registry
from agents.chain.cursor import Batch, EventCursor
from agents.chain.logs import MarketEvent, market_decoder
from agents.chain.reverts import Reverted
from agents.chain.transactions import Call, Receipt
from agents.core.errors import Misuse, NotEnoughTokens, NotFound
from agents.core.market.ledger import Ledger, Line, ledger_of
from agents.core.market.types import SlotState, slot_id
from agents.core.market.view import ProviderView, locked_for
from agents.core.proofs.pace import ProvingLoad
from agents.core.units import format_amount, format_duration, format_time
from agents.roles.actor import Actor
from agents.runtime.accounts import own_address
from agents.runtime.acting import Session, agent_folder, session
from agents.runtime.follower import Follower, Moment
from agents.runtime.load import told_load
from agents.runtime.network import Network, network
from agents.runtime.settings import Place
from agents.store.folders import SlotName
from agents.store.mending import Health, told_health
from agents.store.slots import slot_folder

ACCOUNT = "account"
"""Role whose folder holds the journal of commands that act once and end."""


def beside(place: Place) -> Place:
    """``place`` with a data directory that no running agent has locked."""
    return replace(place, data_dir=place.data_dir / ACCOUNT) if place.data_dir else place


def parse_address(text: str) -> str:
    """An account's address, checksummed. Raises Misuse."""
    try:
        found = checksummed(text.strip())
    except ValueError:
        found = ""
    # All in one case there is no checksum to check; with one, a typo shows.
    if not found or text.strip() not in (found, found.lower(), found.upper().replace("X", "x", 1)):
        raise Misuse(
            f"{text!r} is not an address", "an address is 0x and 40 hexadecimal digits", "Copy it again, whole."
        )
    return found


# --- looking ---


@dataclass(frozen=True)
class HeldSlot:
    """A slot a provider reserved or hosts; amounts in base units, times in UNIX seconds."""

    request: str
    index: int
    state: str
    last_proof: int
    """0: none yet."""
    misses: int
    claimable: int
    locked: int
    until: int
    """When the reservation or the request ends."""
    name: SlotName
    """Of its folder on disk."""
    health: Health | None = None
    """What was found on disk last, where this machine has it and looked."""


@dataclass(frozen=True)
class Standing:
    """A provider's stake and slots at ``now``."""

    provider: ProviderView
    credit: int
    slots: tuple[HeldSlot, ...]
    now: int
    load: ProvingLoad | None = None
    """How busy its prover is, where it runs on this machine."""

    @property
    def claimable(self) -> int:
        """Pay that can be claimed now, over all slots."""
        return sum(slot.claimable for slot in self.slots)


async def standing(place: Place) -> Standing:
    """How this account stands as a provider. Raises NotFound if it is none."""
    address = own_address(place)
    async with network(place) as found:
        standing = _standing(await Follower(found).now(), address)
    folder = agent_folder(place, "provider", address)
    slots = tuple(replace(slot, health=told_health(slot_folder(folder, slot.name))) for slot in standing.slots)
    return replace(standing, slots=slots, load=told_load(folder))


def _standing(moment: Moment, address: str) -> Standing:
    provider = moment.view.providers.get(address)
    if provider is None:
        raise _no_provider(address)
    return Standing(provider, moment.view.credits.get(address, 0), tuple(_held(moment, address)), moment.timestamp)


def _no_provider(address: str) -> NotFound:
    return NotFound(
        f"{address} is no provider of this market", "it never registered", "Start it with `agent provider --stake`."
    )


def _held(moment: Moment, address: str) -> list[HeldSlot]:
    config, now = moment.view.config, moment.timestamp
    return [
        HeldSlot(
            request=request.id.hex(),
            index=index,
            state=slot.state.name.lower(),
            last_proof=slot.proven_at,
            misses=len(slot.missed),
            claimable=request.claimable(index, now, config),
            locked=locked_for(request, index, config),
            until=slot.held_until if slot.state is SlotState.RESERVED else request.slot_end(index, now),
            name=SlotName(request.content.cid, index),
        )
        for request in moment.view.requests.values()
        for index, slot in enumerate(request.slots)
        if slot.host == address
    ]


@dataclass(frozen=True)
class Earnings:
    """What the market gave an account and took from it, in base units."""

    provider: str
    lines: dict[Line, int]
    """Why it is richer or poorer, from the market's books."""
    claimable: int
    """Pay that can be claimed now."""
    credit: int
    """Credited and not withdrawn."""

    @property
    def paid(self) -> int:
        """Pay credited so far."""
        return self.lines.get(Line.PAY, 0)

    @property
    def slashed(self) -> int:
        """Collateral lost to missed proofs, as a positive number."""
        return -self.lines.get(Line.SLASH, 0)

    @property
    def net(self) -> int:
        """All lines together."""
        return sum(self.lines.values())


async def books(found: Network) -> Ledger:
    """The market's ledger, every amount checked against the rules. Raises LedgerMismatch, ChainLies."""
    deployment = found.deployment
    addresses = (deployment.marketplace, deployment.registry)
    cursor = EventCursor(found.rpc, addresses, market_decoder(*addresses), deployment.block)
    events: list[MarketEvent] = []
    async for step in cursor.catch_up():
        if isinstance(step, Batch):
            events += step.events
        else:
            events = [event for event in events if event.at.block_number <= step.to_block]
    market, registry = Market(found.rpc, deployment.marketplace), Registry(found.rpc, deployment.registry)
    return ledger_of(events, await market.config(), await registry.config())


async def earnings(place: Place) -> Earnings:
    """What this account earned as a provider, by the books. Raises NotFound if it is none."""
    address = own_address(place)
    async with network(place) as found:
        ledger = await books(found)
        head = await latest(found.rpc)
    stand = _standing(Moment(ledger.view, head.number, head.timestamp), address)
    return Earnings(address, ledger.lines(address), stand.claimable, stand.credit)


# --- acting ---


@dataclass(frozen=True)
class Withdrawal:
    """Money taken out of the market, in base units."""

    to: str
    amount: int
    claimed: int
    """Of it, running pay that was claimed on the way."""
    unbonded: int
    """Of it, stake whose unbonding was over."""


async def withdraw(place: Place, to: str | None) -> Withdrawal:
    """Claim running pay and unbonded stake, then pay all that is owed to ``to`` (default: the account itself)."""
    async with session(beside(place), ACCOUNT) as found:
        moment = await Follower(found.network).now()
        claimed = await _claim_all(found, moment)
        unbonded = await _collect(found.actor)
        target = to or found.actor.address
        return Withdrawal(target, await pay_out(found.actor, target), claimed, unbonded)


async def _claim_all(found: Session, moment: Moment) -> int:
    """Claim what every hosted slot has earned; how much that was when it was looked at."""
    actor, claimed = found.actor, 0
    for slot in _held(moment, actor.address):
        if not slot.claimable:
            continue
        id = slot_id(bytes.fromhex(slot.request), slot.index)
        try:
            await _once(actor, f"claim:{id.hex()}", actor.market.claim(id))
        except Reverted:
            continue  # settled, lost or claimed by the running provider meanwhile: what it gave is credit already
        claimed += slot.claimable
    return claimed


async def _collect(actor: Actor) -> int:
    """Turn unbonded stake into credit if its delay is over; how much."""
    provider = await actor.registry.provider_of(actor.address)
    if not provider.unbonding or (await latest(actor.rpc)).timestamp < provider.release_at:
        return 0
    await _once(actor, "collect", actor.registry.collect_unbonded())
    return provider.unbonding


async def pay_out(actor: Actor, to: str) -> int:
    """Pay all credit of ``actor`` to ``to``; how much. Nothing is sent where nothing is owed."""
    credit = await actor.registry.credit_of(actor.address)
    if credit:
        await _once(actor, f"withdraw:{to}", actor.registry.withdraw(to))
    return credit


async def _once(actor: Actor, kind: str, call: Call) -> Receipt:
    """Send ``call``, unless an earlier command was killed over one of the same kind: then that one is followed."""
    unfinished = (key for key in actor.sender.pending() if key.startswith(f"{kind}:"))
    return await actor.sender.send(call, next(unfinished, f"{kind}:{os.urandom(8).hex()}"))


@dataclass(frozen=True)
class Unstaking:
    """Stake on its way out, in base units."""

    unbonding: int
    release_at: int
    """When it can be withdrawn; 0 where nothing is unbonding."""
    withdrawn: int
    """What went to the wallet now: earlier stake whose delay was over, and other credit with it."""
    started: bool = False
    """Whether this command started it."""


async def unstake(place: Place, amount: int | None) -> Unstaking:
    """Start to take ``amount`` of free stake out, or all of it that may leave; finish what was started earlier.

    Raises NotFound, NotEnoughTokens.
    """
    async with session(beside(place), ACCOUNT) as found:
        actor = found.actor
        before = await actor.registry.provider_of(actor.address)
        if not any(before.id):
            raise _no_provider(actor.address)
        if await _collect(actor):
            return Unstaking(0, 0, await pay_out(actor, actor.address))
        if before.unbonding and amount in (None, before.unbonding):
            return Unstaking(before.unbonding, before.release_at, 0)
        wanted = await _removable(actor, before, amount)
        await _once(actor, "unstake", actor.registry.unstake(wanted))
        after = await actor.registry.provider_of(actor.address)
        return Unstaking(after.unbonding, after.release_at, 0, started=True)


async def _removable(actor: Actor, provider: ProviderRecord, amount: int | None) -> int:
    """How much to unstake. Raises NotEnoughTokens."""
    config, now = await actor.registry.config(), (await latest(actor.rpc)).timestamp
    if provider.unbonding:
        # The registry knows one release time an account: a second unstaking would start the first one's delay anew.
        left = format_duration(provider.release_at - now)
        raise NotEnoughTokens(
            f"{format_amount(provider.unbonding)} are unbonding already",
            f"they are free at {format_time(provider.release_at)}, and unstaking more now would start their delay anew",
            f"Type `agent provider unstake` again in {left}; then unstake more.",
        )
    bound = config.min_stake if provider.locked else 0
    free = max(0, min(provider.free, provider.free + provider.locked - bound))
    wanted = free if amount is None else amount
    if wanted > free or not wanted:
        raise NotEnoughTokens(
            f"{format_amount(amount)} cannot be unstaked" if amount else "No stake can be taken out",
            f"{format_amount(free)} can: {format_amount(provider.free)} are free, {format_amount(provider.locked)} are "
            f"locked for slots, and {format_amount(config.min_stake)} must stay while any are locked",
            "Unstake less, or wait until the slots are settled.",
        )
    return wanted
