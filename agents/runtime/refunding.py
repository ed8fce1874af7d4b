"""What a request leaves its client: closing requests that are over, and taking the money back."""

from collections.abc import Iterable

from agents.chain.reverts import Reverted
from agents.core.agents.validator import CloseRequest, CloseReservation, SettleSlot, duties
from agents.core.errors import NotFound
from agents.core.market.types import slot_id
from agents.core.market.view import RequestView
from agents.core.units import format_amount, format_time
from agents.roles.actor import Actor
from agents.runtime.acting import session
from agents.runtime.earning import ACCOUNT, Withdrawal, beside, pay_out
from agents.runtime.follower import Follower, Moment
from agents.runtime.network import Network
from agents.runtime.settings import Place


async def close_over(actor: Actor, moment: Moment, requests: Iterable[bytes]) -> None:
    """Do what anybody may do to bring ``requests`` to their end; what is not due yet, or was done by others, is left."""
    wanted = set(requests)
    for duty in duties(moment.view, moment.block, moment.timestamp, {}):
        if duty.request not in wanted:
            continue
        if isinstance(duty, CloseReservation):
            call = actor.market.close_reservation(slot_id(duty.request, duty.index))
        elif isinstance(duty, SettleSlot):
            call = actor.market.settle(slot_id(duty.request, duty.index))
        elif isinstance(duty, CloseRequest):
            call = actor.market.close_request(duty.request)
        else:
            continue
        try:
            await actor.sender.send(call, duty.key)
        except Reverted:
            continue  # a validator was quicker


async def refund(actor: Actor, network: Network, id: bytes) -> RequestView:
    """Bring request ``id`` as far towards its end as can be now; how it stands then."""
    while True:
        moment = await Follower(network).now()
        before = moment.view.requests[id]
        await close_over(actor, moment, [id])
        after = (await Follower(network).now()).view.requests[id]
        if after.closed or after == before:
            return after


async def expired(actor: Actor, network: Network, id: bytes) -> NotFound:
    """Take back the price of a request that was not filled in time; the error that tells what came of it."""
    request = await refund(actor, network, id)
    what, why = "Not every slot found a host in time", f"request {id.hex()} expired"
    do = "Offer a better price or a longer --expiry, or ask for fewer slots: `agent market providers` lists the hosts."
    if request.closed:
        paid = await pay_out(actor, actor.address)
        return NotFound(what, f"{why}; its price is refunded: {format_amount(paid)} are back at {actor.address}", do)
    market = (await Follower(network).now()).view.config
    at = format_time(request.expires_at + market.settle_seconds)
    hosts = f"{why}; some slots were filled, and their hosts are paid for that time at {at}"
    return NotFound(what, hosts, "Type `agent client withdraw` then: it takes the rest of the price back.")


async def take_back(place: Place, to: str | None) -> Withdrawal:
    """Close every request of this account that is over, then pay all that is owed to ``to`` (default: the account)."""
    async with session(beside(place), ACCOUNT) as found:
        moment = await Follower(found.network).now()
        over = [
            request.id
            for request in moment.view.requests.values()
            if request.client == found.actor.address and not request.closed and request.state(moment.timestamp).terminal
        ]
        for id in over:
            await refund(found.actor, found.network, id)
        target = to or found.actor.address
        return Withdrawal(target, await pay_out(found.actor, target), 0, 0)
