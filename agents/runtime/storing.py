"""`agent client`: store a file until its request has started, read one back, and what was stored."""

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

from agents.core.dataset.capability import Capability, parse_capability
from agents.core.dataset.cid import cid_text, digest_of_cid
from agents.core.dataset.cipher import Header, cipher_for, sealed_size
from agents.core.dataset.layout import layout_for
from agents.core.errors import FileRejected, NotFound, TooDear
from agents.core.market.types import BPS, Ask, Content, Request, RequestState
from agents.core.proofs.profiles import profile_named
from agents.core.units import format_amount
from agents.net.client import PeerClient
from agents.roles.client import Advance, Client
from agents.roles.download import download
from agents.runtime.acting import Session, session
from agents.runtime.follower import Follower
from agents.runtime.logs import hide
from agents.runtime.network import network
from agents.runtime.settings import Place, StoreOrder
from agents.store.spool import Spool

ORDERS = "orders"


@dataclass(frozen=True)
class Stored:
    """A file that is on the market."""

    request: str
    cid: str
    capability: str
    price: int
    ends_at: int


@dataclass(frozen=True)
class Quote:
    """What an order costs."""

    slots: int
    slot_bytes: int
    price: int
    collateral: int
    """What each host locks."""


async def _ask(found: Session, order: StoreOrder, slot_bytes: int) -> Ask:
    stake = await found.actor.registry.config()
    collateral = order.collateral if order.collateral is not None else stake.stake_per_byte
    return Ask(
        proof_probability=order.proof_probability,
        slots=order.slots + order.parity,
        max_slot_loss=order.parity,
        repair_threshold=order.repair_threshold,
        dispersal=round(order.dispersal * BPS),
        slot_size=slot_bytes,
        duration=order.duration,
        price_per_byte_per_second=order.price,
        collateral_per_byte=collateral,
    )


async def _quoted(found: Session, order: StoreOrder) -> tuple[Ask, Quote]:
    profile = profile_named(order.profile or found.network.deployment.profile)
    try:
        size = order.file.stat().st_size
    except OSError as error:
        raise FileRejected(f"Cannot read {order.file}", error.strerror or str(error), "Name a readable file.") from None
    if size == 0:
        raise FileRejected(f"{order.file} is empty", "there is nothing to store", "Name a file with something in it.")
    plain = len(Header(size, order.file.name).to_bytes()) + size
    cipher = cipher_for(bytes(32) if order.encrypt else None)
    layout = layout_for(sealed_size(plain, cipher), order.slots, order.parity, profile)
    ask = await _ask(found, order, layout.slot_bytes)
    if order.max_cost is not None and ask.price > order.max_cost:
        raise TooDear(
            f"It costs {format_amount(ask.price)}", f"more than --max-cost {format_amount(order.max_cost)}",
            "Store for a shorter time, at a lower price, or raise --max-cost.",
        )  # fmt: skip
    return ask, Quote(layout.slots, layout.slot_bytes, ask.price, ask.collateral)


async def quote(place: Place, order: StoreOrder) -> Quote:
    """What ``order`` costs; nothing is sent."""
    async with session(place, "client") as found:
        return (await _quoted(found, order))[1]


async def store(place: Place, order: StoreOrder, advance: Advance) -> Stored:
    """Encode, pay, upload, and wait until every slot is filled. Typed again after a kill it goes on where it was.

    Raises NotFound when the request expires unfilled: then its price is refunded.
    """
    async with session(place, "client") as found:
        ask, _ = await _quoted(found, order)
        spool = Spool(found.folder / "spool")
        mark = json.dumps([str(order.file.resolve()), order.file.stat().st_mtime_ns, ask.as_abi(), order.encrypt])
        kept = found.state.load(ORDERS).get(mark)
        if kept is None:
            key = os.urandom(32) if order.encrypt else None
            profile = profile_named(order.profile or found.network.deployment.profile)
            dataset = await asyncio.to_thread(
                spool.encode, order.file, order.slots, order.parity, key, profile, advance
            )
            # Key and nonce are on disk before anything is paid: a kill between the two costs nothing.
            kept = json.dumps([str(Capability(dataset.manifest.digest, key)), os.urandom(32).hex()]).encode()
            found.state.save(ORDERS, mark, kept)
        text, nonce = json.loads(kept)
        hide(text)
        dataset = spool.find(parse_capability(text).manifest)
        content = Content(dataset.manifest.digest, dataset.manifest.dataset_root)
        request = Request(found.actor.address, ask, content, order.expiry, bytes.fromhex(nonce))
        async with PeerClient(found.network.deployment.reference, found.signer) as peers:
            client = Client(found.actor, peers)
            ends_at = 0
            try:
                await client.post(request)
                async for moment in Follower(found.network).follow():
                    seen = moment.view.requests.get(request.id)
                    if seen is None:
                        continue
                    state = seen.state(moment.timestamp)
                    if state is RequestState.STARTED:
                        ends_at = seen.ends_at
                        break
                    if state.terminal:
                        found.state.remove(ORDERS, mark)
                        raise NotFound(
                            "Not every slot found a host in time",
                            f"request {request.id.hex()} is {state.name.lower()}; its price is refunded when it is closed",
                            "Offer a better price or a longer --expiry.",
                        )
                    client.upload(moment.view, seen, dataset, advance)
                    advance("waiting for hosts", sum(bool(slot.filled_at) for slot in seen.slots), ask.slots)
            finally:
                await client.close()
        found.state.remove(ORDERS, mark)
        dataset.remove()
        return Stored(request.id.hex(), cid_text(content.cid), text, ask.price, ends_at)


async def get(place: Place, name: str, target: Path | None, advance: Advance) -> Path:
    """Read the file of a capability (or of a public file's CID) into ``target``, by default under its own name here.

    Needs no account: RPC, market and capability are enough.
    """
    capability = parse_capability(name) if name.startswith("hold1") else Capability(digest_of_cid(name))
    async with network(place) as found:
        moment = await Follower(found).now()
        async with PeerClient(found.deployment.reference) as peers:
            return await download(peers, moment.view, capability, target, advance)
