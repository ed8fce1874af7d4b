"""Lists of what is on the market, made of the chain's events alone."""

from dataclasses import dataclass
from typing import Any

from agents.core import units
from agents.core.dataset.cid import cid_text
from agents.core.errors import NotFound
from agents.core.market.types import SlotState
from agents.core.market.view import RequestView
from agents.runtime.follower import Follower, Moment
from agents.runtime.network import network
from agents.runtime.settings import Place


@dataclass(frozen=True)
class Listing:
    """A table for people and the same as data."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    data: list[dict[str, Any]]


async def moment(place: Place) -> Moment:
    """The market of ``place`` as it is now."""
    async with network(place) as found:
        return await Follower(found).now()


def _left(until: int, now: int) -> str:
    return units.format_duration(until - now) if until > now else "over"


def request_facts(request: RequestView, now: int) -> dict[str, Any]:
    """A request as data; amounts as strings."""
    filled = sum(slot.state is SlotState.FILLED for slot in request.slots)
    return {
        "request": request.id.hex(),
        "client": request.client,
        "state": request.state(now).name.lower(),
        "closed": request.closed,
        "cid": cid_text(request.content.cid),
        "slots": len(request.slots),
        "filled": filled,
        "vacant": request.vacant,
        "slotSize": request.ask.slot_size,
        "price": str(request.deposit),
        "endsAt": request.end(now),
    }


def requests(now: Moment) -> Listing:
    """Every request, newest first."""
    ordered = sorted(now.view.requests.values(), key=lambda request: -request.created_at)
    data = [request_facts(request, now.timestamp) for request in ordered]
    rows = tuple(
        (
            row["request"][:12],
            row["state"] + (", closed" if row["closed"] else ""),
            f"{row['filled']}/{row['slots']}",
            units.format_size(row["slotSize"]),
            units.format_amount(int(row["price"])),
            _left(row["endsAt"], now.timestamp),
        )
        for row in data
    )
    return Listing(("request", "state", "filled", "slot", "price", "ends in"), rows, data)


def find_request(now: Moment, start: str) -> RequestView:
    """The request whose id begins with ``start``. Raises NotFound."""
    found = [
        request for id, request in now.view.requests.items() if id.hex().startswith(start.lower().removeprefix("0x"))
    ]
    if len(found) != 1:
        why = "none begins so" if not found else f"{len(found)} begin so"
        raise NotFound(f"No request {start}", why, "List them with `agent market requests`.")
    return found[0]


def slots(now: Moment, start: str) -> Listing:
    """The slots of one request."""
    request = find_request(now, start)
    data = []
    for index, slot in enumerate(request.slots):
        data.append(
            {
                "slot": index,
                "state": slot.state.name.lower(),
                "host": slot.host,
                "lastProof": slot.proven_at,
                "misses": len(slot.missed),
                "claimable": str(request.claimable(index, now.timestamp, now.view.config)),
                "pot": str(slot.pot),
            }
        )
    rows = tuple(
        (
            str(index), slot.state.name.lower(), slot.host or "-",
            units.format_time(slot.proven_at) if slot.proven_at else "-", str(len(slot.missed)),
            units.format_amount(request.claimable(index, now.timestamp, now.view.config)),
        )
        for index, slot in enumerate(request.slots)
    )  # fmt: skip
    return Listing(("slot", "state", "host", "last proof", "misses", "claimable"), rows, data)


def providers(now: Moment) -> Listing:
    """Every provider that ever registered."""
    held: dict[str, int] = {}
    for request in now.view.requests.values():
        for slot in request.slots:
            if slot.host is not None:
                held[slot.host] = held.get(slot.host, 0) + 1
    data = [
        {
            "provider": provider.address,
            "endpoint": provider.endpoint,
            "free": str(provider.free),
            "locked": str(provider.locked),
            "slots": held.get(provider.address, 0),
        }
        for provider in sorted(now.view.providers.values(), key=lambda provider: provider.registered_block)
    ]
    rows = tuple(
        (
            str(row["provider"]), str(row["endpoint"]), units.format_amount(int(str(row["free"]))),
            units.format_amount(int(str(row["locked"]))), str(row["slots"]),
        )
        for row in data
    )  # fmt: skip
    return Listing(("provider", "endpoint", "free stake", "locked", "slots"), rows, data)
