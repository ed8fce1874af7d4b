"""Many requests of one slot each: one host proves all of its slots at once, and others miss theirs together."""

from agents.core.market.types import slot_id
from scripts.gas.ground import CLIENT, EXPIRY, HOSTS, MARKET, VALIDATOR, Ground

PROVER, ABSENT = HOSTS[0], HOSTS[1:9]
LARGE, SMALL = 32, 8


async def sail(ground: Ground, nonce: int) -> None:
    """Fill the slots, prove ``LARGE`` and then ``SMALL`` of them in a batch, mark ``SMALL`` others until they are lost."""
    proven, missed = await _launch(ground, nonce)
    periods = []
    for count in (LARGE, SMALL, 0):
        periods.append(await ground.next_period())
        if count:
            await _prove(ground, proven[:count], periods[-1])
    await ground.next_period()
    slots = [slot_id(request, 0) for request in missed]
    for period, which in zip(periods, (" (first misses)", "", " (the slots are lost)"), strict=True):
        name = f"markProofsMissing, each of {SMALL}{which}"
        await ground.send(VALIDATOR, ground.market.mark_proofs_missing(slots, period), name, share=SMALL)


async def _launch(ground: Ground, nonce: int) -> tuple[list[bytes], list[bytes]]:
    hosts = [PROVER] * LARGE + list(ABSENT)
    market, requests = ground.market, []
    for at in range(len(hosts)):
        request = ground.request(nonce + at, slots=1, max_slot_loss=0)
        await ground.send(CLIENT, market.request_storage(request))
        requests.append(request.id)
    await ground.wait(EXPIRY // 2)
    assert MARKET.reserve_seconds > 2 * len(hosts), "they are all reserved before the first is filled"
    for host, request in zip(hosts, requests, strict=True):
        await ground.send(host, market.reserve_slot(request, 0))
    period = await ground.next_period()
    for host, request in zip(hosts, requests, strict=True):
        proof = await ground.prove(request, 0, period)
        await ground.send(host, market.fill_slot(slot_id(request, 0), proof))
    return requests[:LARGE], requests[LARGE:]


async def _prove(ground: Ground, requests: list[bytes], period: int) -> None:
    proofs = [await ground.prove(request, 0, period) for request in requests]
    call = ground.market.submit_proofs([slot_id(request, 0) for request in requests], proofs)
    await ground.send(PROVER, call, f"submitProofs, each of {len(requests)}", share=len(requests))
