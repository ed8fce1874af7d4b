"""The validator: marks misses and ends what is over, for the share the market pays."""

import logging
from collections.abc import Sequence

from agents.core.agents.validator import (
    CloseRequest,
    CloseReservation,
    MarkMissing,
    SettleSlot,
    blocks_needed,
    duties,
    together,
)
from agents.core.market.types import slot_id
from agents.core.market.view import MarketView
from agents.roles.actor import Actor, Tasks, batch_key
from agents.roles.drill import reached

log = logging.getLogger(__name__)

MOST_MARKS = 50
"""Misses marked in one transaction at most: some two million gas."""


class Validator:
    """Runs a validator's duties."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._tasks = Tasks()

    async def step(self, view: MarketView, block: int, now: int, reorged: bool = False) -> None:
        """Start whatever is due after ``block``."""
        hashes = await self._actor.hashes(blocks_needed(view, block), reorged)
        due = duties(view, block, now, hashes)
        # What was sent before, in whatever batch, is not sent in another.
        new = [
            duty
            for duty in due
            if isinstance(duty, MarkMissing) and not (self._tasks.runs(duty.key) or self._actor.sender.knows(duty.key))
        ]
        for marks in together(new, MOST_MARKS):
            self._tasks.start_all([mark.key for mark in marks], self._mark(marks))
        for duty in due:
            if not isinstance(duty, MarkMissing):
                self._tasks.start(duty.key, self._run(duty))

    async def _mark(self, marks: Sequence[MarkMissing]) -> None:
        """Mark misses of one period, several in one transaction."""
        market, keys = self._actor.market, [mark.key for mark in marks]
        ids, period = [slot_id(mark.request, mark.index) for mark in marks], marks[0].period
        reached("mark.before")
        if len(marks) == 1:
            await self._actor.sender.send(market.mark_proof_missing(ids[0], period), keys[0])
        else:
            await self._actor.sender.send(
                market.mark_proofs_missing(ids, period), batch_key("marks", keys), covers=keys
            )
        reached("mark.sent")
        for key in keys:
            log.info("%s done", key)

    async def _run(self, duty: CloseReservation | SettleSlot | CloseRequest) -> None:
        market = self._actor.market
        if isinstance(duty, CloseReservation):
            call = market.close_reservation(slot_id(duty.request, duty.index))
        elif isinstance(duty, SettleSlot):
            call = market.settle(slot_id(duty.request, duty.index))
        else:
            call = market.close_request(duty.request)
        await self._actor.sender.send(call, duty.key)
        log.info("%s done", duty.key)

    async def close(self) -> None:
        """Stop what is under way; the sender's journal remembers what was sent."""
        await self._tasks.close()
