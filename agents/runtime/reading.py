"""`agent client get`, `ls` and `status`: a file back, and what became of what was bought. No key, no password."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agents.core.dataset.capability import PREFIX, Capability, parse_capability
from agents.core.dataset.cid import digest_of_cid
from agents.core.market.types import RequestState
from agents.core.market.view import RequestView
from agents.net.client import PeerClient
from agents.roles.download import Advance, download, pour
from agents.runtime.accounts import own_address
from agents.runtime.buying import opened
from agents.runtime.follower import Follower, Moment
from agents.runtime.market import find_request
from agents.runtime.network import network
from agents.runtime.orders import Order, known_orders
from agents.runtime.settings import Place, ReadOrder

LONGEST_CID = 72
"""Characters of a CID: 59 in base32, 72 in hexadecimal; a capability has more."""


def named(name: str) -> Capability:
    """The capability of what was typed: a capability, or the CID of a public file. Raises CapabilityInvalid."""
    typed = name.strip()
    # Errors about a CID repeat it: what may be a capability with a typo at its beginning is not taken for one.
    secret = typed.startswith(PREFIX[:-1]) or len(typed) > LONGEST_CID
    return parse_capability(typed) if secret else Capability(digest_of_cid(typed))


@dataclass(frozen=True)
class Got:
    """A file that was read."""

    path: Path | None
    """None where it was written elsewhere."""
    paid: int
    """Base units signed to caches."""


async def get(place: Place, name: str, target: Path | None, reading: ReadOrder, advance: Advance) -> Got:
    """Read the file of a capability (or of a public file's CID) into ``target``, by default under its own name here.

    Needs no account unless caches are paid: RPC, market and capability are enough.
    """
    capability = named(name)
    async with network(place) as found, opened(place, found, reading) as open_:
        moment = await Follower(found).now()
        async with PeerClient(found.deployment.reference) as peers:
            path = await download(peers, moment.view, capability, target, advance, shop=open_.shop)
        return Got(path, open_.budget.spent)


async def get_into(
    place: Place, name: str, write: Callable[[bytes], object], reading: ReadOrder, advance: Advance
) -> Got:
    """Give the file's bytes to ``write``, in order."""
    capability = named(name)
    async with network(place) as found, opened(place, found, reading) as open_:
        moment = await Follower(found).now()
        async with PeerClient(found.deployment.reference) as peers:
            await pour(peers, moment.view, capability, write, advance, open_.shop)
        return Got(None, open_.budget.spent)


@dataclass(frozen=True)
class Bought:
    """A request of this client, with what its own disk knows of it."""

    request: RequestView
    state: RequestState
    order: Order | None
    """None where the index was lost, or is on another machine."""


@dataclass(frozen=True)
class Purchases:
    """Every request of a client at a moment, newest first."""

    bought: tuple[Bought, ...]
    credit: int
    """Base units the market owes the client."""
    now: int


async def purchases(place: Place) -> Purchases:
    """Every request of this account, from the chain."""
    address = own_address(place)
    async with network(place) as found:
        moment = await Follower(found).now()
        reference = found.deployment.reference
    orders = known_orders(place, address, reference)
    own = [request for request in moment.view.requests.values() if request.client == address]
    own.sort(key=lambda request: -request.created_at)
    bought = tuple(_bought(request, moment, orders) for request in own)
    return Purchases(bought, moment.view.credits.get(address, 0), moment.timestamp)


def _bought(request: RequestView, moment: Moment, orders: dict[str, Order]) -> Bought:
    return Bought(request, request.state(moment.timestamp), orders.get(request.id.hex()))


@dataclass(frozen=True)
class Purchase:
    """One request and where its money is, in base units."""

    bought: Bought
    moment: Moment

    @property
    def claimable(self) -> int:
        """Pay that hosts have earned and not claimed."""
        config, now, request = self.moment.view.config, self.moment.timestamp, self.bought.request
        return sum(request.claimable(index, now, config) for index in range(len(request.slots)))

    @property
    def pots(self) -> int:
        """What slashes and losses put aside for repairers; what they leave is the client's."""
        return 0 if self.bought.request.closed else sum(slot.pot for slot in self.bought.request.slots)

    @property
    def unspent(self) -> int:
        """What of the price nobody was credited."""
        request = self.bought.request
        return 0 if request.closed else request.unspent

    @property
    def refunded(self) -> int:
        """What of the price went back to the client."""
        request = self.bought.request
        return request.refund if request.closed else 0


async def purchase(place: Place, start: str) -> Purchase:
    """The request whose id begins with ``start``. Raises NotFound."""
    async with network(place) as found:
        moment = await Follower(found).now()
        reference = found.deployment.reference
    request = find_request(moment, start)
    orders = known_orders(place, request.client, reference)
    return Purchase(_bought(request, moment, orders), moment)
