"""The validator: marks misses and ends what is over, for the share the market pays."""

import logging

from agents.core.agents.validator import (
    CloseRequest,
    CloseReservation,
    Duty,
    MarkMissing,
    SettleSlot,
    blocks_needed,
    duties,
)
from agents.core.market.types import slot_id
from agents.core.market.view import MarketView
from agents.roles.actor import Actor, Tasks
from agents.roles.drill import reached

log = logging.getLogger(__name__)


class Validator:
    """Runs a validator's duties."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._tasks = Tasks()

    async def step(self, view: MarketView, block: int, now: int, reorged: bool = False) -> None:
        """Start whatever is due after ``block``."""
        hashes = await self._actor.hashes(blocks_needed(view, block), reorged)
        for duty in duties(view, block, now, hashes):
            self._tasks.start(duty.key, self._run(duty))

    async def _run(self, duty: Duty) -> None:
        market = self._actor.market
        if isinstance(duty, MarkMissing):
            reached("mark.before")
            call = market.mark_proof_missing(slot_id(duty.request, duty.index), duty.period)
        elif isinstance(duty, CloseReservation):
            call = market.close_reservation(slot_id(duty.request, duty.index))
        elif isinstance(duty, SettleSlot):
            call = market.settle(slot_id(duty.request, duty.index))
        elif isinstance(duty, CloseRequest):
            call = market.close_request(duty.request)
        await self._actor.lane.send(call, duty.key)
        if isinstance(duty, MarkMissing):
            reached("mark.sent")
        log.info("%s done", duty.key)

    async def close(self) -> None:
        """Stop what is under way; the lane's journal remembers what was sent."""
        await self._tasks.close()
