"""`agent client channel`: the deposit that caches are paid from."""

from dataclasses import dataclass

from agents.chain.blocks import latest
from agents.chain.channels import Channels, Deposit, ensure_channels, find_channels
from agents.core.channels.grants import grant_text
from agents.core.channels.lanes import Grant, SignedGrant
from agents.core.errors import Misuse
from agents.core.units import format_amount, format_time
from agents.net.signing import AccountSigner
from agents.roles.actor import Actor, check_funds
from agents.runtime.accounts import own_address, signing_account
from agents.runtime.acting import Say, mined, session
from agents.runtime.clock import ChainClock
from agents.runtime.earning import ACCOUNT, beside
from agents.runtime.network import network
from agents.runtime.settings import Place

EFFECT = "channel:"
"""How the keys of what is sent here begin."""


@dataclass(frozen=True)
class Standing:
    """A payer's account, and when its money can be had."""

    payer: str
    deposit: Deposit
    challenge: int
    """Seconds between `close` and `withdraw`."""


async def standing(place: Place, payer: str | None) -> Standing:
    """The account of ``payer`` (default: one's own). Raises WrongChain."""
    who = payer or own_address(place)
    async with network(place) as found:
        channels = await find_channels(found.rpc, found.deployment)
        return Standing(who, await channels.account_of(who), await channels.challenge_seconds())


async def fill_up(place: Place, amount: int, payer: str | None, say: Say) -> Standing:
    """Have ``amount`` free in the deposit of ``payer`` (default: one's own): what is missing is put in, now and once.

    But first what expired lanes keep is taken back: nobody else does that.
    Raises Misuse, NotEnoughTokens, NotEnoughGas, Refused, ChainError.
    """
    if amount <= 0:
        raise Misuse("Nothing is to be deposited", "the amount is 0", "Type how much is to be there.")
    async with session(beside(place), ACCOUNT) as found:
        actor = found.actor
        who = payer or actor.address
        channels = await ensure_channels(actor.sender, actor.deployment.token)
        await mined(actor.sender, (EFFECT,), say)
        before = await channels.account_of(who)
        if before.closes_at:
            at = format_time(before.closes_at)
            raise Misuse(
                "The deposit is being taken out", f"until {at}", "Type `channel withdraw` then, and start anew."
            )
        missing = amount - before.pool
        if missing > 0 and before.reserved:
            missing -= await _take_back(actor, channels, who, missing, say)
        if missing > 0:
            await check_funds(actor.token, actor.address, missing, "the deposit", "deposit less")
            await _deposit(actor, channels, who, missing)
            say(f"deposited {format_amount(missing)}")
        return Standing(who, await channels.account_of(who), await channels.challenge_seconds())


async def _take_back(actor: Actor, channels: Channels, payer: str, wanted: int, say: Say) -> int:
    """Have expired lanes of ``payer`` give ``wanted`` back to its pool, those that keep most first; how much they gave."""
    now = (await latest(actor.rpc)).timestamp
    lanes = [lane for lane in await channels.lanes_of(payer, actor.deployment.block) if lane.expiry <= now]
    covers = zip(lanes, await channels.covers_of(lanes), strict=True)
    kept = [(cover.reserved, lane) for lane, cover in covers if cover.reserved and lane.epoch == cover.epoch]
    taken = 0
    for amount, lane in sorted(kept, key=lambda each: -each[0]):
        if taken < wanted:
            await actor.sender.send(channels.reclaim(lane), f"{EFFECT}reclaim:{lane.id.hex()}")
            say(f"took {format_amount(amount)} back from an expired lane")
            taken += amount
    return taken


async def _deposit(actor: Actor, channels: Channels, payer: str, amount: int) -> None:
    # Nothing of this kind is pending, so another block is another deposit.
    mark = f"{payer}:{amount}:{await actor.rpc.block_number()}"
    if await actor.token.allowance(actor.address, channels.address) < amount:
        await actor.sender.send(actor.token.approve(channels.address, amount), f"{EFFECT}approve:{mark}")
    await actor.sender.send(channels.deposit(payer, amount), f"{EFFECT}deposit:{mark}")


async def close(place: Place) -> Standing:
    """Begin to take the whole deposit out; again it tells when that can be done. Raises Misuse, Refused, ChainError."""
    async with session(beside(place), ACCOUNT) as found:
        actor = found.actor
        channels = await find_channels(actor.rpc, actor.deployment)
        before = await channels.account_of(actor.address)
        if not before.closes_at:
            if before.pool + before.reserved == 0:
                raise Misuse("There is no deposit", f"{actor.address} has nothing in the channels", "")
            await actor.sender.send(channels.close(), f"{EFFECT}close:{before.epoch}")
        after = await channels.account_of(actor.address)
        return Standing(actor.address, after, await channels.challenge_seconds())


async def withdraw(place: Place, to: str | None) -> int:
    """Take the whole deposit out to ``to`` (default: the account), once the challenge is over; base units.

    Raises Misuse, Refused, ChainError.
    """
    async with session(beside(place), ACCOUNT) as found:
        actor = found.actor
        channels = await find_channels(actor.rpc, actor.deployment)
        before = await channels.account_of(actor.address)
        if not before.closes_at:
            raise Misuse("The deposit is not closing", "caches may still redeem", "Type `agent client channel close`.")
        now = (await latest(actor.rpc)).timestamp
        if now < before.closes_at:
            raise Misuse(
                "It is too early",
                f"until {format_time(before.closes_at)} caches may redeem what was signed",
                "Type it again then.",
            )
        await actor.sender.send(channels.withdraw(to or actor.address), f"{EFFECT}withdraw:{before.epoch}")
        return before.pool + before.reserved


async def grant(place: Place, reader: str, limit: int, seconds: int) -> str:
    """A grant's line: ``reader`` may use ``limit`` of this account's deposit for ``seconds``. Sends nothing."""
    if limit <= 0 or seconds <= 0:
        raise Misuse("Such a grant is of no use", "it is for nothing, or over at once", "Name a limit and a time.")
    signer = AccountSigner(signing_account(place))
    async with network(place) as found:
        channels = await find_channels(found.rpc, found.deployment)
        account = await channels.account_of(signer.address)
        clock = ChainClock((await latest(found.rpc)).timestamp)
    made = Grant(signer.address, reader, limit, account.epoch, int(clock()) + seconds)
    return grant_text(channels.domain, SignedGrant(made, signer.sign_digest(made.digest(channels.domain))))
