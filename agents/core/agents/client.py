"""A client's duty while its files are stored: to add time before they end, within a budget."""

from collections.abc import Iterable
from dataclasses import dataclass

from agents.core.market.types import MarketConfig, RequestState
from agents.core.market.view import RequestView

MAX_EXTENSIONS = 16
"""Extensions of a request by different funders; the last place is the client's (Marketplace.sol)."""


@dataclass(frozen=True)
class AutoExtend:
    """When to extend requests, by how much, and for how much in all."""

    extra: int
    """Seconds added at once."""
    at_least_left: int
    """Seconds: a request with less left is extended. Hosts need some of them to notice and accept."""
    budget: int
    """Base units that the account may have spent on extensions of the requests it looks after, ever and altogether."""


@dataclass(frozen=True)
class Extend:
    """Add ``extra`` seconds to a request that ends at ``ends_at``, for ``price`` base units."""

    request: bytes
    ends_at: int
    extra: int
    price: int

    @property
    def key(self) -> str:
        """Once an end, whatever is added."""
        return f"extend:{self.request.hex()}:{self.ends_at}"


def extension(request: RequestView, extra: int) -> Extend:
    """``extra`` seconds more of ``request``, at the price it has."""
    return Extend(request.id, request.ends_at, extra, request.ask.slots * extra * request.ask.rate)


def why_not(request: RequestView, funder: str, extra: int, now: int, config: MarketConfig) -> str:
    """Why the market would not let ``funder`` add ``extra`` seconds at ``now``; empty if it would."""
    state = request.state(now)
    if state is not RequestState.STARTED:
        return f"the request is {state.name.lower()}, and only a started one can be extended"
    if extra < config.min_extension:
        return f"an extension is {config.min_extension} seconds at least"
    if extra > longest(request, config):
        return (
            f"a request lasts {config.max_duration} seconds at most, and {longest(request, config)} more can be added"
        )
    places = MAX_EXTENSIONS if funder == request.client else MAX_EXTENSIONS - 1
    last = request.extensions[-1].funder if request.extensions else None
    if len(request.extensions) + (funder != last) > places:
        return f"it has been extended {len(request.extensions)} times, and no more are kept"
    return ""


def longest(request: RequestView, config: MarketConfig) -> int:
    """Seconds that can be added at most."""
    return request.created_at + config.max_duration - request.ends_at


def spent(requests: Iterable[RequestView], who: str) -> int:
    """Base units that ``who`` has paid for extensions of ``requests``."""
    return sum(request.funded.get(who, 0) for request in requests)


def extension_due(
    request: RequestView, policy: AutoExtend, now: int, config: MarketConfig, before: int = 0
) -> Extend | None:
    """The extension that the client of ``request`` wants now, having spent ``before`` of its budget; None if there is none.

    Near the longest duration the market has, it is what is left of that.
    """
    if request.ends_at - now >= policy.at_least_left:
        return None
    duty = extension(request, min(policy.extra, longest(request, config)))
    if before + duty.price > policy.budget or why_not(request, request.client, duty.extra, now, config):
        return None
    return duty


def extensions_due(requests: Iterable[RequestView], policy: AutoExtend, now: int, config: MarketConfig) -> list[Extend]:
    """Those of all ``requests`` of one client that its budget has room for, what ends first before what ends later."""
    looked_after = sorted(requests, key=lambda request: request.ends_at)
    before = sum(spent([request], request.client) for request in looked_after)
    found = []
    for request in looked_after:
        duty = extension_due(request, policy, now, config, before)
        if duty is not None:
            found.append(duty)
            before += duty.price
    return found
