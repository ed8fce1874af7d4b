"""What a client ordered, kept on its own disk for good: which file became which request, and the capability nobody else has.

The chain has every request, so a lost index loses no list, only the names of the files and their capabilities.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from agents.core.dataset.capability import parse_capability
from agents.core.market.types import RequestState
from agents.runtime.follower import Moment
from agents.runtime.network import home
from agents.runtime.settings import Parameters, Place
from agents.store.spool import Spool
from agents.store.state import StateStore

ROLE = "client"
KIND = "purchases"


@dataclass(frozen=True)
class Order:
    """One order: written before anything is paid, never removed."""

    request: str
    """Id of its request, as hexadecimal."""
    file: str
    """Absolute path of the file when it was ordered."""
    mark: str
    """File, its size and time of change, and the terms: the same again is the same order."""
    nonce: str
    """Of the request, as hexadecimal."""
    capability: str = field(repr=False)
    chosen: str = ""
    """The parameters that were chosen for its target, as JSON; empty where they were typed."""

    ipfs: str = ""
    """What IPFS knows a public file by; empty for encrypted files, and for orders of before there was such a name."""

    @property
    def parameters(self) -> Parameters | None:
        """What was chosen for its target; None where it was typed."""
        return Parameters(**json.loads(self.chosen)) if self.chosen else None

    @property
    def name(self) -> str:
        """The file's name."""
        return Path(self.file).name


class OrderBook:
    """The orders in an agent's state."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self.orders = {key: Order(**json.loads(record)) for key, record in state.load(KIND).items()}
        """By request."""

    def add(self, order: Order) -> None:
        """Keep ``order``; it is on disk when this returns."""
        self._state.save(KIND, order.request, json.dumps(asdict(order)).encode())
        self.orders[order.request] = order

    def drop(self, order: Order) -> None:
        """Forget an order whose request was never posted."""
        self._state.remove(KIND, order.request)
        self.orders.pop(order.request, None)

    def live(self, mark: str, moment: Moment) -> Order | None:
        """The order of ``mark`` whose request has not ended, or was not posted yet."""
        same = [order for order in self.orders.values() if order.mark == mark]
        posted = [order for order in same if state_of(order, moment) is not RequestState.NONE]
        alive = [order for order in posted if not state_of(order, moment).terminal]
        unposted = [order for order in same if order not in posted]
        return next(iter(alive + unposted), None)

    def sweep(self, spool: Spool, mark: str, moment: Moment) -> None:
        """Free the disk of datasets nobody waits for: all but those of ``mark`` and of requests not filled yet."""
        waited = [
            order for order in self.orders.values() if order.mark == mark or state_of(order, moment) is RequestState.NEW
        ]
        spool.keep({parse_capability(order.capability).manifest for order in waited})


def state_of(order: Order, moment: Moment) -> RequestState:
    """The state of its request; NONE while it is not on the chain."""
    request = moment.view.requests.get(bytes.fromhex(order.request))
    return RequestState.NONE if request is None else request.state(moment.timestamp)


def known_orders(place: Place, address: str, reference: str) -> dict[str, Order]:
    """The orders of ``address`` on a market, by request, read beside whatever runs; empty where the index is lost."""
    folder = place.data_dir or home() / ROLE / address.lower()
    path = folder / f"{reference.replace(':', '-')}.db"
    if not path.exists():
        return {}
    state = StateStore(path)
    try:
        return OrderBook(state).orders
    finally:
        state.close()
