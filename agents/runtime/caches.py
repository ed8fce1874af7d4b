"""`agent market caches`: the caches of the chain's directory, each asked for its summary."""

import asyncio
from typing import Any

from agents.chain.blocks import latest
from agents.core.errors import PeerError
from agents.core.units import format_price
from agents.net.caches import CacheClient, Met
from agents.net.client import Patience
from agents.net.endpoint import Peer
from agents.runtime.buying import announced
from agents.runtime.clock import ChainClock
from agents.runtime.market import Listing
from agents.runtime.network import network
from agents.runtime.settings import Place

AT_ONCE = 16
QUICKLY = Patience(connect=3.0, answer=3.0, document=10.0, block=3.0)


async def caches(place: Place) -> Listing:
    """Every cache, those that answer first. Raises ChainUnavailable, Misuse."""
    async with network(place) as found:
        peers = await announced(found)
        clock = ChainClock((await latest(found.rpc)).timestamp)
    limit = asyncio.Semaphore(AT_ONCE)
    async with CacheClient(QUICKLY, found.deployment.reference) as client:

        async def met(peer: Peer) -> Met | PeerError:
            try:
                async with limit:
                    return await client.summary(peer, clock())
            except PeerError as fault:
                return fault

        answers = await asyncio.gather(*map(met, peers))
    asked = sorted(zip(peers, answers, strict=True), key=lambda each: isinstance(each[1], PeerError))
    data = [_facts(peer, answer) for peer, answer in asked]
    return Listing(("cache", "endpoint", "a GiB", "segments", "answers in"), tuple(map(_row, data)), data)


def _facts(peer: Peer, answer: Met | PeerError) -> dict[str, Any]:
    facts: dict[str, Any] = {"cache": peer.address, "endpoint": peer.endpoint}
    if isinstance(answer, PeerError):
        return facts | {"fault": str(answer), "pricePerByte": None, "segments": None, "seconds": None}
    summary = answer.summary
    return facts | {
        "fault": None,
        "pricePerByte": str(summary.price),
        "segments": summary.holdings.count,
        "seconds": round(answer.latency, 4),
    }


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    if facts["fault"] is not None:
        return (facts["cache"], facts["endpoint"], "-", "-", "not at all")
    price, answered = format_price(int(facts["pricePerByte"])), f"{facts['seconds'] * 1000:.0f} ms"
    return (facts["cache"], facts["endpoint"], price, str(facts["segments"]), answered)
