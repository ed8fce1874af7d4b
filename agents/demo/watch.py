"""Watching a market from outside: its newest moment, its events, and waiting for what should happen."""

import asyncio
from collections.abc import Callable

from agents.core.errors import HoldfastError
from agents.core.market.events import Event
from agents.core.market.view import MarketView, RequestView
from agents.runtime.follower import Follower, Moment
from agents.runtime.network import Network

POLL = 0.3
"""Seconds between looks at the chain."""


class StoryBroken(HoldfastError):
    """A step did not happen as it should."""


class Watch:
    """Follows one market; ``told`` is called after every step of the chain, with what happened in it."""

    def __init__(self, network: Network, told: Callable[[Moment], None]) -> None:
        self.network = network
        self.events: list[Event] = []
        self._told = told
        self._moment: Moment | None = None
        self._changed = asyncio.Condition()

    @property
    def moment(self) -> Moment:
        """The newest."""
        assert self._moment is not None
        return self._moment

    @property
    def view(self) -> MarketView:
        """The market as it is."""
        return self.moment.view

    @property
    def posted(self) -> bool:
        """Whether the request is there."""
        return self._moment is not None and bool(self.view.requests)

    @property
    def request(self) -> RequestView:
        """The one request."""
        (found,) = self.view.requests.values()
        return found

    async def run(self) -> None:
        """Watch for ever. Raises StoryBroken if the chain goes back."""
        async for moment in Follower(self.network, poll=POLL).follow():
            if moment.reorged:
                raise StoryBroken("The devnet's chain went back", "nobody should do that to it", "Start again.")
            self._moment = moment
            self.events.extend(moment.events)
            self._told(moment)
            async with self._changed:
                self._changed.notify_all()

    async def until(self, what: str, condition: Callable[[], bool], seconds: float, check: Callable[[], None]) -> None:
        """Wait for ``condition``, calling ``check`` after every block. Raises StoryBroken after ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                while self._moment is None or not condition():
                    check()
                    async with self._changed:
                        await self._changed.wait()
        except TimeoutError:
            raise StoryBroken(f"{what} has not happened after {seconds:.0f} s") from None
