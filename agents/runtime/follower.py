"""The market's view, kept up with the chain: events forward, snapshots back when it reorganises."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from agents.chain.blocks import latest
from agents.chain.contracts import Market, Registry
from agents.chain.cursor import Batch, EventCursor, Reorged
from agents.chain.logs import market_decoder
from agents.core.market.events import Event
from agents.core.market.view import MarketView
from agents.runtime.network import Network


@dataclass(frozen=True)
class Moment:
    """The market after a block."""

    view: MarketView
    block: int
    timestamp: int
    reorged: bool = False
    """The chain went back before it came here."""
    events: tuple[Event, ...] = ()
    """What happened since the moment before."""


class Follower:
    """Makes views of one market's events."""

    def __init__(self, network: Network, poll: float = 0.5) -> None:
        self._network = network
        self._poll = poll
        self._views: list[tuple[int, MarketView]] = []

    async def _empty(self) -> MarketView:
        deployment, rpc = self._network.deployment, self._network.rpc
        market, registry = Market(rpc, deployment.marketplace), Registry(rpc, deployment.registry)
        return MarketView(await market.config(), await registry.config())

    def _cursor(self) -> EventCursor:
        deployment = self._network.deployment
        addresses = (deployment.marketplace, deployment.registry)
        decoder = market_decoder(*addresses)
        return EventCursor(self._network.rpc, addresses, decoder, deployment.block, poll=self._poll)

    async def now(self) -> Moment:
        """The market as it is now, from its first event on."""
        cursor = self._cursor()
        self._views = [(-1, await self._empty())]
        async for step in cursor.catch_up():
            self._take(step)
        head = await latest(self._network.rpc)
        return Moment(self._views[-1][1], head.number, head.timestamp)

    async def follow(self) -> AsyncIterator[Moment]:
        """The market as it is now, and after every step of the chain from then on, for ever.

        What lies behind is taken in silently: an agent that acted on the past would undo what it did since.
        """
        cursor = self._cursor()
        self._views = [(-1, await self._empty())]
        reorged, events = False, list[Event]()
        async for step in cursor.follow():
            self._take(step)
            if isinstance(step, Reorged):
                reorged = True
                events = [event for event in events if event.at.block_number <= step.to_block]
                continue
            events.extend(step.events)
            if step.caught_up:
                yield Moment(self._views[-1][1], step.head.number, step.timestamp, reorged, tuple(events))
                reorged, events = False, []

    def _take(self, step: Batch | Reorged) -> None:
        if isinstance(step, Reorged):
            # The base is the view before everything: a cursor without a position starts over.
            until = -1 if step.position is None else step.to_block
            self._views = [kept for kept in self._views if kept[0] <= until]
            return
        view = self._views[-1][1]
        for event in step.events:
            view = view.after(event)
            if self._views[-1][0] == event.at.block_number:
                self._views.pop()
            self._views.append((event.at.block_number, view))
        self._forget(step.position.refs[0].number)

    def _forget(self, oldest: int) -> None:
        """Drop the views that no reorganisation can go back to: the cursor remembers blocks from ``oldest`` on."""
        needed = max(at for at, (block, _) in enumerate(self._views) if block <= oldest)
        self._views = [self._views[0], *self._views[max(1, needed) :]]
