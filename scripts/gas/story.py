"""The life of a request from sale to refunds, with every call of the market in it."""

from agents.core.market.types import slot_id
from agents.core.units import TOKEN
from scripts.gas.ground import CLIENT, DURATION, EXPIRY, FUNDER, HOSTS, MARKET, SLOTS, STAKE, VALIDATOR, Ground

WHENEVER = 2**40 - 1
"""A host that serves as long as anybody pays."""


async def tell(ground: Ground, nonce: int) -> None:
    """The story, once."""
    request = await _sell(ground, nonce)
    await _keep(ground, request)
    await _repair(ground, request)
    await _extend(ground, request)
    await _end(ground, request)


async def _sell(ground: Ground, nonce: int) -> bytes:
    """A request is posted and all its slots are filled."""
    market, request = ground.market, ground.request(nonce, SLOTS, max_slot_loss=2)
    await ground.send(CLIENT, market.request_storage(request), "requestStorage")
    await ground.wait(EXPIRY // 2)
    await ground.send(HOSTS[0], market.reserve_slot(request.id, 0), "reserveSlot (the first of a request)")
    await ground.wait(MARKET.reserve_seconds)
    forfeit = market.close_reservation(slot_id(request.id, 0))
    await ground.send(VALIDATOR, forfeit, "closeReservation (forfeit)")
    await ground.fill(request.id, 0, HOSTS[0])
    await ground.fill(request.id, 1, HOSTS[1], "reserveSlot", "fillSlot")
    await ground.fill(request.id, 2, HOSTS[2], "", "fillSlot (the last one)")
    return request.id


async def _keep(ground: Ground, request: bytes) -> None:
    """One host proves, one does not and loses its slot."""
    market, kept, lost = ground.market, slot_id(request, 0), slot_id(request, 1)
    for _ in range(2):
        period = await ground.next_period()
        proof = await ground.prove(request, 0, period)
        await ground.send(HOSTS[0], market.submit_proof(kept, period, proof), "submitProof")
    await ground.send(HOSTS[0], market.claim(kept), "claim")
    await ground.next_period()
    await ground.send(VALIDATOR, market.mark_proof_missing(lost, period - 1), "markProofMissing (the first miss)")
    await ground.send(VALIDATOR, market.mark_proof_missing(lost, period), "markProofMissing")
    await ground.next_period()
    last = market.mark_proof_missing(lost, period + 1)
    await ground.send(VALIDATOR, last, "markProofMissing (the slot is lost)")


async def _repair(ground: Ground, request: bytes) -> None:
    """Another host takes the lost slot, for a bounty."""
    await ground.wait(MARKET.repair_window)
    await ground.fill(request, 1, HOSTS[3], "reserveSlot (repair)", "fillSlot (repair)")


async def _extend(ground: Ground, request: bytes) -> None:
    """The client and a stranger add time; one host leaves when its own is over, and another takes its slot."""
    market = ground.market
    await ground.send(CLIENT, market.extend_request(request, DURATION), "extendRequest")
    await ground.send(HOSTS[0], market.accept_extension(slot_id(request, 0), WHENEVER), "acceptExtension")
    await ground.send(FUNDER, market.extend_request(request, DURATION), "extendRequest (by another)")
    for slot, host in ((0, HOSTS[0]), (1, HOSTS[3])):
        await ground.send(
            host, market.accept_extension(slot_id(request, slot), WHENEVER), "acceptExtension (two at once)"
        )
    await ground.wait(DURATION + MARKET.settle_seconds)
    await ground.send(VALIDATOR, market.settle(slot_id(request, 2)), "settle (the host leaves)")
    await ground.wait(MARKET.repair_window)
    await ground.fill(request, 2, HOSTS[4], "", "fillSlot (of a slot that was left)")


async def _end(ground: Ground, request: bytes) -> None:
    """Everybody is paid."""
    market, registry = ground.market, ground.registry
    await ground.wait(2 * DURATION)
    for slot in range(SLOTS):
        await ground.send(VALIDATOR, market.settle(slot_id(request, slot)), "settle")
    await ground.send(CLIENT, market.close_request(request), "closeRequest (three parts)")
    host = HOSTS[0]
    await ground.send(host, registry.deposit(10 * TOKEN), "deposit")
    await ground.send(host, registry.unstake(10 * TOKEN), "unstake")
    await ground.wait(STAKE.unbonding_seconds)
    await ground.send(host, registry.collect_unbonded(), "collectUnbonded")
    await ground.send(host, registry.withdraw(ground.senders[host].address), "withdraw")
