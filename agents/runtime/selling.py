"""What a cache earns: its counter, and its vouchers into money, while it runs or after it was stopped."""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass

from agents.chain.channels import ensure_channels
from agents.core.channels.offers import Offer
from agents.core.channels.terms import DEFAULT_INTERVAL, Terms
from agents.core.errors import HoldfastError
from agents.roles.caching.books import Books
from agents.roles.caching.cashier import Cashier
from agents.roles.caching.debts import Debts
from agents.roles.caching.lanes import LaneBook
from agents.roles.caching.onchain import OnChain
from agents.roles.caching.redeeming import Redeemer
from agents.roles.caching.selling import Selling
from agents.runtime.acting import Session, session, state_file
from agents.runtime.clock import ChainClock
from agents.runtime.follower import Follower
from agents.runtime.settings import Place
from agents.store.state import StateStore

log = logging.getLogger(__name__)

REDEEM_EVERY = 5.0
"""Seconds between two looks at what can be redeemed."""


@dataclass(frozen=True)
class Desk:
    """Where a cache is paid."""

    cashier: Cashier
    selling: Selling
    redeemer: Redeemer


async def open_desk(
    stack: AsyncExitStack, found: Session, price: int, worth: int, least: int | None, clock: ChainClock
) -> Desk:
    """Opened until ``stack`` ends. ``price``: base units per byte; ``worth``, ``least``: as in `CacheSettings`."""
    actor, token = found.actor, found.network.deployment.token
    channels = await ensure_channels(actor.sender, token)
    terms = Terms(price, minimal_deposit=price * DEFAULT_INTERVAL)
    offer = Offer(channels.domain, token, actor.address, terms, await channels.challenge_seconds())
    book = LaneBook(StateStore(found.folder / state_file(found.network, "lanes")), terms)
    debts = Debts(StateStore(found.folder / state_file(found.network, "debts")))
    chain = OnChain(actor, channels)
    cashier = Cashier(offer, chain, book, debts, clock)
    stack.push_async_callback(cashier.close)
    # What a lane is opened for is worth a redemption.
    least = terms.opening if least is None else least
    return Desk(cashier, Selling(cashier), Redeemer(cashier, chain, book, worth, least, clock))


async def keep_redeeming(redeemer: Redeemer) -> None:
    """What is due, for ever."""
    while True:
        try:
            await redeemer.step()
        except HoldfastError as error:  # what is due now is due the next time
            log.warning("vouchers are not redeemed: %s", error)
        except Exception:
            log.exception("redeeming failed")
        await asyncio.sleep(REDEEM_EVERY)


@dataclass(frozen=True)
class Redeemed:
    """What a command redeemed, in base units, and the books after it."""

    amount: int
    books: Books


async def redeem(place: Place) -> Redeemed:
    """Redeem whatever a stopped cache holds vouchers for. Raises DataDirInUse while it runs, Refused, ChainError."""
    async with session(place, "cache") as found, AsyncExitStack() as stack:
        clock = ChainClock((await Follower(found.network).now()).timestamp)
        desk = await open_desk(stack, found, 1, 1, 1, clock)
        await desk.redeemer.step()
        after = desk.cashier.books()
        return Redeemed(desk.redeemer.amount, after)
