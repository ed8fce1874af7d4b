"""`agent client extend`: time added to requests, once as a command or again and again before they end."""

import asyncio
from dataclasses import dataclass

from agents.chain.contracts import Token
from agents.core.agents.client import AutoExtend, Extend, extension, why_not
from agents.core.errors import Misuse, Refused, TooDear
from agents.core.units import format_amount
from agents.roles.actor import check_funds
from agents.roles.extending import EXTENSIONS, Extending
from agents.roles.extending import extend as send
from agents.runtime.accounts import own_address
from agents.runtime.acting import AtWork, Ready, Session, session, work
from agents.runtime.earning import ACCOUNT, beside
from agents.runtime.follower import Follower, Moment
from agents.runtime.market import find_request
from agents.runtime.network import network
from agents.runtime.settings import Place

TOLD = "told"
"""Kind of the record of an extension whose outcome was told: one sent by a command that was killed has none."""

COST = ("the extension", "add less time")
"""What costs something, and what else can be done than to fund the account."""


@dataclass(frozen=True)
class Extended:
    """A request that lasts longer."""

    request: str
    paid: int
    """Base units paid now, or that it would cost."""
    ends_at: int
    again: bool = False
    """An earlier command sent it and was stopped before it could tell; this one sent nothing."""


async def quote(place: Place, start: str, extra: int, max_cost: int | None) -> Extended:
    """What ``extra`` seconds more of a request would cost. Raises NotFound, Refused, TooDear, NotEnoughTokens."""
    address = own_address(place)
    async with network(place) as found:
        moment = await Follower(found).now()
        duty = _duty(moment, start, address, extra, max_cost)
        await check_funds(Token(found.rpc, found.deployment.token), address, duty.price, *COST)
    return Extended(duty.request.hex(), duty.price, duty.ends_at + extra)


async def extend(place: Place, start: str, extra: int, max_cost: int | None) -> Extended:
    """Add ``extra`` seconds to the request whose id begins with ``start``; anybody's may be extended.

    Typed again after a kill it tells what became of the first one. Raises as `quote`, and NotEnoughGas.
    """
    async with session(beside(place), ACCOUNT) as found:
        moment = await Follower(found.network).now()
        earlier = _untold(found, find_request(moment, start).id)
        duty = earlier or _duty(moment, start, found.actor.address, extra, max_cost)
        if earlier is None:
            await check_funds(found.actor.token, found.actor.address, duty.price, *COST)
        await send(found.actor, duty)
        found.state.save(TOLD, duty.key, b"")
        # Somebody else may have extended it just before: it ends when the chain says, not when this one reckoned.
        after = (await Follower(found.network).now()).view.requests[duty.request]
        ends_at = [one.until for one in after.extensions if one.funder == found.actor.address][-1]
        return Extended(duty.request.hex(), duty.price, ends_at, again=earlier is not None)


def _untold(found: Session, request: bytes) -> Extend | None:
    """The extension of ``request`` that a command sent and did not live to tell of."""
    told = found.state.load(TOLD)
    sent = found.actor.sender.effects(f"{EXTENSIONS}{request.hex()}:")
    for key in sent:
        if key not in told:
            return Extend(request, int(key.rpartition(":")[2]), 0, 0)
    return None


def _duty(moment: Moment, start: str, address: str, extra: int, max_cost: int | None) -> Extend:
    request = find_request(moment, start)
    why = why_not(request, address, extra, moment.timestamp, moment.view.config)
    if why:
        raise Refused(
            f"Request {request.id.hex()[:12]} cannot be extended so", why, "See it with `agent client status REQUEST`."
        )
    duty = extension(request, extra)
    if max_cost is not None and duty.price > max_cost:
        raise TooDear(
            f"It costs {format_amount(duty.price)}", f"more than --max-cost {format_amount(max_cost)}",
            "Add less time, or raise --max-cost.",
        )  # fmt: skip
    return duty


async def look_after(place: Place, policy: AutoExtend, start: str | None, ready: Ready, verbose: bool) -> None:
    """Extend requests of this account, or the one whose id begins with ``start``, before they end; until stopped."""
    async with session(place, "extender", verbose) as found:
        requests = None
        if start is not None:
            request = find_request(await Follower(found.network).now(), start)
            if request.client != found.actor.address:
                raise Misuse(
                    f"Request {request.id.hex()[:12]} is {request.client}'s",
                    "--auto-extend looks after the account's own",
                    "Extend it once with `agent client extend REQUEST --by TIME`.",
                )
            requests = [request.id]
        ready(AtWork("extender", found.actor.address, found.folder))
        await work(found, Extending(found.actor, policy, requests))


def run_look_after(place: Place, policy: AutoExtend, start: str | None, ready: Ready, verbose: bool) -> None:
    """`look_after`, to its end."""
    asyncio.run(look_after(place, policy, start, ready, verbose))
