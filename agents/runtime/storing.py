"""`agent client store`: a file onto the market, once, however often it is typed and whatever was killed in between."""

import asyncio
import json
import os
import threading
from collections.abc import Callable, Set
from dataclasses import asdict, dataclass

from agents.core.dataset.capability import Capability, parse_capability
from agents.core.dataset.cid import cid_text
from agents.core.errors import FileRejected, NotFound
from agents.core.market.types import Content, Request, RequestState
from agents.core.proofs.profiles import Profile, profile_named
from agents.net.client import PeerClient
from agents.roles.client import Advance, Client
from agents.runtime.acting import Session, session
from agents.runtime.follower import Follower, Moment
from agents.runtime.logs import hide
from agents.runtime.orders import ROLE, Order, OrderBook, state_of
from agents.runtime.pricing import Terms, check_cost, few_hosts, look_at, takers, terms_of
from agents.runtime.quoting import parameters_of
from agents.runtime.refunding import expired
from agents.runtime.settings import Parameters, Place, StoreOrder, Target
from agents.store.spool import Spool, SpooledDataset


@dataclass(frozen=True)
class Stored:
    """A file that is on the market."""

    request: str
    cid: str
    capability: str
    price: int
    ends_at: int
    parameters: Parameters
    ipfs: str | None
    """What IPFS knows it by, where it is a public file: the CID of its UnixFS root."""
    again: bool = False
    """It was stored before, and nothing was paid this time."""


async def store(
    place: Place, order: StoreOrder, advance: Advance, warn: Callable[[str], None], tell: Callable[[Parameters], None]
) -> Stored:
    """Encode, pay, upload, and wait until every slot is filled. Typed again after a kill it goes on where it was.

    ``warn`` is told what may keep the order from being filled, before it is paid; ``tell`` what was chosen for a target.

    Typed again while its request lives it pays nothing and tells the capability again. Raises NotFound when the request
    expires unfilled: then its price was taken back.
    """
    async with session(place, ROLE) as found:
        # What is not under way before the view was taken, and not in it, was never posted.
        under_way = frozenset(found.actor.sender.pending())
        moment = await Follower(found.network).now()
        book, profile = OrderBook(found.state), profile_named(order.profile or found.network.deployment.profile)
        mark = _mark(found.actor.address, order, profile)
        # The market has changed since an order was begun, not least by it: what was chosen then is not chosen again.
        kept = book.live(mark, moment)
        chosen = (kept.parameters if kept else None) or parameters_of(order, profile, moment)
        terms = terms_of(order, chosen, profile, moment.view.config, moment.view.stake)
        if isinstance(order.parameters, Target):
            tell(chosen)
        async with PeerClient(found.network.deployment.reference, found.signer) as peers:
            client = Client(found.actor, peers)
            try:
                return await _Storing(found, client, book, order, mark, terms, advance).run(moment, under_way, warn)
            finally:
                await client.close()


def _mark(address: str, order: StoreOrder, profile: Profile) -> str:
    """File, its size and time of change, and the terms as they were typed: what makes two orders the same."""
    facts = look_at(order.file)
    return json.dumps(
        [address, str(order.file.resolve()), facts.st_size, facts.st_mtime_ns, profile.name, asdict(order.parameters),
         order.duration, order.expiry, order.collateral, order.dispersal, order.encrypt]
    )  # fmt: skip


class _Storing:
    """One order on its way."""

    def __init__(
        self,
        found: Session,
        client: Client,
        book: OrderBook,
        order: StoreOrder,
        mark: str,
        terms: Terms,
        advance: Advance,
    ) -> None:
        self._found = found
        self._client = client
        self._book = book
        self._order = order
        self._mark = mark
        self._terms = terms
        self._advance = advance
        self._spool = Spool(found.folder / "spool")

    async def run(self, moment: Moment, under_way: Set[str], warn: Callable[[str], None]) -> Stored:
        """Do what is left to do. ``under_way``: effects sent by an earlier process and not mined."""
        self._book.sweep(self._spool, self._mark, moment)
        kept = self._book.live(self._mark, moment)
        if kept is not None and state_of(kept, moment) is RequestState.STARTED:
            return self._stored(kept, moment, again=True)
        posted = kept is not None and state_of(kept, moment) is RequestState.NEW
        if not posted and (kept is None or f"post:{kept.request}" not in under_way):
            check_cost(self._order, self._terms.ask)
            await self._client.check_funds(self._terms.ask.price)
            few = few_hosts(takers(moment)(self._terms.ask.collateral), self._terms.ask.slots)
            if few:
                warn(few)
        if kept is None:
            kept, dataset = await self._begin()
        else:
            hide(kept.capability)
            dataset = await self._dataset(kept, posted)
        request = self._request(dataset, kept.nonce)
        if not posted:
            await self._client.post(request)
        return self._stored(kept, await self._until_started(request, dataset))

    async def _begin(self) -> tuple[Order, SpooledDataset]:
        """Encode the file under a key of its own. Key and nonce are on disk before anything is paid."""
        key = os.urandom(32) if self._order.encrypt else None
        dataset = await self._encode(key)
        capability, nonce = str(Capability(dataset.manifest.digest, key)), os.urandom(32).hex()
        hide(capability)
        request = self._request(dataset, nonce)
        chosen = json.dumps(asdict(self._terms.parameters)) if isinstance(self._order.parameters, Target) else ""
        ipfs = str(dataset.manifest.ipfs or "")
        kept = Order(request.id.hex(), str(self._order.file.resolve()), self._mark, nonce, capability, chosen, ipfs)
        self._book.add(kept)
        return kept, dataset

    async def _encode(self, key: bytes | None) -> SpooledDataset:
        order, spool, stopped = self._order, self._spool, threading.Event()
        slots, parity = self._terms.parameters.slots, self._terms.parameters.parity

        def advance(what: str, done: int, total: int) -> None:
            # Called by the thread that encodes: nothing else ends a thread, and Ctrl-C would wait for the whole file.
            if stopped.is_set():
                raise asyncio.CancelledError
            self._advance(what, done, total)

        try:
            return await asyncio.to_thread(spool.encode, order.file, slots, parity, key, self._terms.profile, advance)
        finally:
            stopped.set()

    async def _dataset(self, kept: Order, posted: bool) -> SpooledDataset:
        """The order's slots, made again under its key where the spool has lost them. Raises FileRejected."""
        capability = parse_capability(kept.capability)
        try:
            found = self._spool.find(capability.manifest)
            if found.whole:
                return found
        except NotFound:
            pass
        again = await self._encode(capability.key)
        if again.manifest.digest == capability.manifest:
            return again
        # Sealed under a key that is another plaintext's, it must never leave this disk.
        again.remove()
        if not posted:
            self._book.drop(kept)
        raise FileRejected(
            f"{self._order.file} is not what was ordered",
            "its bytes changed since, and the slots made of them are gone",
            "Put the old bytes back, or wait until the request expires and is refunded; then store it again."
            if posted
            else "Nothing was paid: type the command again to store it as it is now.",
        )

    def _request(self, dataset: SpooledDataset, nonce: str) -> Request:
        content = Content(dataset.manifest.digest, dataset.manifest.dataset_root)
        return Request(self._found.actor.address, self._terms.ask, content, self._order.expiry, bytes.fromhex(nonce))

    async def _until_started(self, request: Request, dataset: SpooledDataset) -> Moment:
        """Upload to whoever reserves, until every slot is filled. Raises NotFound when that is too late."""
        async for moment in Follower(self._found.network).follow():
            seen = moment.view.requests.get(request.id)
            if seen is None:
                continue
            state = seen.state(moment.timestamp)
            if state.terminal and not seen.started:
                dataset.remove()
                raise await expired(self._found.actor, self._found.network, request.id)
            if state is not RequestState.NEW:
                dataset.remove()
                return moment
            self._client.upload(moment.view, seen, dataset, self._advance)
            filled = sum(bool(slot.filled_at) for slot in seen.slots)
            self._advance("waiting for hosts", filled, len(seen.slots))
        raise AssertionError("a chain is followed for ever")

    def _stored(self, kept: Order, moment: Moment, again: bool = False) -> Stored:
        cid = cid_text(parse_capability(kept.capability).manifest)
        request = moment.view.requests[bytes.fromhex(kept.request)]
        parameters = self._terms.parameters
        ends_at, ipfs = request.ends_at, kept.ipfs or None
        return Stored(kept.request, cid, kept.capability, request.deposit, ends_at, parameters, ipfs, again)
