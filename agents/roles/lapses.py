"""Reservations that lapsed and cost their bonds: not the same slot again, and not the same client soon."""

import json
from collections.abc import Mapping
from typing import Generic, TypeVar

from agents.chain.journal import Journal
from agents.core.market.view import MarketView, SlotKey

FIRST_REST = 15
"""Seconds after a first failure; twice as many after each further one."""
LONGEST_REST = 3_600
CLIENT_REST = 3_600
"""Seconds after a client uploaded nothing for the first time."""
LONGEST_CLIENT_REST = 86_400
SALES, CLIENTS = "lapsed", "resting-clients"
"""Under which kinds they are remembered."""

K = TypeVar("K")


class Rests(Generic[K]):
    """Who rests until when (chain time), longer after every failure; ``failed`` are failures so far and the end of the rest."""

    def __init__(
        self, first: int = FIRST_REST, longest: int = LONGEST_REST, failed: Mapping[K, tuple[int, int]] | None = None
    ) -> None:
        self._first = first
        self._longest = longest
        self._failed = dict(failed or {})

    def failed(self, key: K, now: int) -> int:
        """One more failure; seconds of rest for it."""
        failures = self.failures(key)[0] + 1
        rest = min(self._first << min(failures - 1, 16), self._longest)
        self._failed[key] = (failures, now + rest)
        return rest

    def failures(self, key: K) -> tuple[int, int]:
        """How often it failed, and until when it rests."""
        return self._failed.get(key, (0, 0))

    def succeeded(self, key: K) -> None:
        """Its failures are forgotten."""
        self._failed.pop(key, None)

    def resting(self, now: int) -> frozenset[K]:
        """Who rests at ``now``."""
        return frozenset(key for key, (_, until) in self._failed.items() if now < until)


class Lapses:
    """What lapsed, as ``memory`` has it: neither a restart nor another request of the same client makes it forgotten."""

    def __init__(self, memory: Journal) -> None:
        self._memory = memory
        self._sales = {sale: _slot_of(sale) for sale in memory.load(SALES)}
        failed = {client: _failure(record) for client, record in memory.load(CLIENTS).items()}
        self._clients: Rests[str] = Rests(CLIENT_REST, LONGEST_CLIENT_REST, failed)

    def add(self, view: MarketView, key: SlotKey, held: bool, now: int) -> None:
        """A reservation of slot ``key`` lapsed; the client is to blame unless it uploaded all of it (``held``)."""
        sale, client = _sale(view, key), view.requests[key[0]].client
        if sale in self._sales:
            return
        self._sales[sale] = key
        self._memory.save(SALES, sale, b"")
        if not held and not view.slot(key).vacated_at:
            if now >= self._clients.failures(client)[1] + LONGEST_CLIENT_REST:
                self._clients.succeeded(client)  # that was long ago
            self._clients.failed(client, now)
            self._memory.save(CLIENTS, client, json.dumps(self._clients.failures(client)).encode())

    def slots(self, view: MarketView) -> frozenset[SlotKey]:
        """Slots that are still in the sale in which a reservation of them lapsed."""
        return frozenset(
            key for sale, key in self._sales.items() if key[0] in view.requests and _sale(view, key) == sale
        )

    def refused(self, view: MarketView, now: int) -> frozenset[bytes]:
        """Requests that wait for uploads of clients who rest."""
        resting = self._clients.resting(now)
        return frozenset(one.id for one in view.requests.values() if one.client in resting and not one.started)

    def forget(self, view: MarketView) -> None:
        """Forget the sales of requests that are over for good."""
        for sale, (id, _) in list(self._sales.items()):
            if id in view.requests and view.requests[id].closed:
                del self._sales[sale]
                self._memory.remove(SALES, sale)


def _sale(view: MarketView, key: SlotKey) -> str:
    return f"{key[0].hex()}:{key[1]}:{view.slot(key).vacated_block}"


def _slot_of(sale: str) -> SlotKey:
    id, index, _ = sale.split(":")
    return bytes.fromhex(id), int(index)


def _failure(record: bytes) -> tuple[int, int]:
    failures, until = json.loads(record)
    return int(failures), int(until)
