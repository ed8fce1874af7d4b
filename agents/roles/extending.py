"""The client between upload and end: adds time to what it stored, before it ends."""

import logging
from collections.abc import Collection

from agents.chain.transactions import Receipt
from agents.core.agents.client import AutoExtend, Extend, extensions_due
from agents.core.errors import HoldfastError
from agents.core.market.view import MarketView
from agents.roles.actor import Actor, Tasks
from agents.roles.lapses import Rests

log = logging.getLogger(__name__)

EXTENSIONS = "extend:"
"""What the keys of extensions begin with."""


async def extend(actor: Actor, duty: Extend) -> Receipt:
    """Pay for an extension of a request and make it; once for each end the request has, however often it is called.

    Raises NotEnoughTokens, NotEnoughGas, Refused.
    """
    if not actor.sender.knows(duty.key):
        await actor.allow(duty.price, duty.key)
    return await actor.sender.send(actor.market.extend_request(duty.request, duty.extra), duty.key)


class Extending:
    """Keeps requests of one account from ending, as far as its policy goes; one extension at a time.

    What it spent it reads from the chain, and what is under way from its sender's journal: a restart pays nothing twice.
    """

    def __init__(self, actor: Actor, policy: AutoExtend, requests: Collection[bytes] | None = None) -> None:
        """``requests``: those to look after; by default all that the account posted."""
        self._actor = actor
        self._policy = policy
        self._requests = requests
        self._tasks = Tasks()
        self._rests: Rests[str] = Rests()

    async def step(self, view: MarketView, block: int, now: int, reorged: bool = False) -> None:
        """Start what is due after ``block``."""
        self._actor.sender.pending()  # each is followed from here on
        sent = self._actor.sender.effects(EXTENSIONS).values()
        # Until the view has what was sent, it does not say what was spent.
        if any(mined is None or mined > block for mined in sent):
            return
        mine = [
            request
            for request in view.requests.values()
            if request.client == self._actor.address and (self._requests is None or request.id in self._requests)
        ]
        resting = self._rests.resting(now)
        due = [duty for duty in extensions_due(mine, self._policy, now, view.config) if duty.key not in resting]
        if due and not self._tasks.runs(EXTENSIONS):
            self._tasks.start(EXTENSIONS, self._extend(due[0], now))

    async def _extend(self, duty: Extend, now: int) -> None:
        try:
            await extend(self._actor, duty)
        except HoldfastError:
            self._rests.failed(duty.key, now)
            raise
        self._rests.succeeded(duty.key)
        log.info("%s done: %d seconds for %d base units", duty.key, duty.extra, duty.price)

    async def close(self) -> None:
        """Stop; the sender's journal has what was sent."""
        await self._tasks.close()
