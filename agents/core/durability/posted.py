"""What is to be expected of a request that is on the market, with those of its slots that are lost already.

From all slots there the chain is Codex's, as for a quote. With some of them known to be lost it begins elsewhere, and what
comes first is the way from there until all are back, or too many are lost. Those that are left are a dataset of their own:
with as many slots fewer it survives as many losses fewer, and its repair opens as many losses earlier, or is open.
"""

from dataclasses import dataclass
from functools import cached_property
from math import comb, expm1, fsum

import numpy as np

from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.layout import parity_for
from agents.core.durability.cycles import Cycle, cycles
from agents.core.durability.detection import CodedSlot
from agents.core.durability.fates import Groups, Struck, until_repair
from agents.core.durability.hazards import Code, Hazards
from agents.core.durability.outlook import Outlook, coded_slot
from agents.core.market.economics import minimal_term
from agents.core.market.types import Ask, MarketConfig
from agents.core.proofs.profiles import Profile


@dataclass(frozen=True)
class Posted(Outlook):
    """A request on the market, and what is predicted of it."""

    ask: Ask
    rules: MarketConfig
    circuit: Profile
    hazards: Hazards
    vacant: int
    """Slots known to be lost."""
    remaining: int
    """Seconds until it ends."""

    @property
    def config(self) -> MarketConfig:
        """The market's."""
        return self.rules

    @property
    def profile(self) -> Profile:
        """The market's circuit."""
        return self.circuit

    @property
    def slot_bytes(self) -> int:
        """Bytes of a slot, as billed."""
        return self.ask.slot_size

    @property
    def data_bytes(self) -> int:
        """Bytes of a slot that travel: all of it, where it has no parity of its own."""
        return self._data_blocks * BLOCK_BYTES or self.slot_bytes

    @cached_property
    def coded(self) -> CodedSlot:
        """The code within each slot; none where the slot's size is not one that ours gives."""
        if not self._data_blocks:
            return coded_slot(-(-self.slot_bytes // self.profile.cell_bytes), 0)
        cells = self.profile.cells_per_block
        return coded_slot(self._data_blocks * cells, parity_for(self._data_blocks) * cells)

    @property
    def _data_blocks(self) -> int:
        blocks, rest = divmod(self.slot_bytes, BLOCK_BYTES)
        data = blocks * 2 // 3
        return data if not rest and data + parity_for(data) == blocks else 0

    @cached_property
    def first(self) -> Cycle:
        """From now until all slots are there, or too many are lost."""
        return until_back(self.code, self.hazards, self.vacant) if self.vacant else self.cycle

    @property
    def mean_time_to_loss(self) -> float:
        """Seconds from now, on average, if it were never to end; infinite above what a float holds."""
        return self.first.seconds + self.first.repair * self.cycle.mean_time_to_loss

    @property
    def loss_in_remaining(self) -> float:
        """Probability that it is lost before it ends."""
        if not self.vacant:
            return self.cycle.loss_within(self.remaining)
        # What comes after the repair is given all the time, and not what the repair leaves of it.
        soon = -expm1(-self.remaining / self.first.seconds)
        mended = self.first.loss * soon + self.first.repair * self.cycle.loss_within(self.remaining)
        # In less time than a repair takes, its end may not come at once: it takes all the losses that are survived, and one.
        return min(mended, unmended(self.code, self.hazards, self.vacant, self.remaining))

    @property
    def last_repair(self) -> int:
        """Seconds before its end in which the market opens no repair."""
        return minimal_term(self.probability, self.config)


def posted(ask: Ask, vacant: int, remaining: int, config: MarketConfig, profile: Profile, hazards: Hazards) -> Posted:
    """What the models say of a request of which so many slots are vacant. Raises CodeParameters, Misuse."""
    code = Code(ask.slots - ask.max_slot_loss, ask.max_slot_loss, ask.repair_threshold, config.max_misses)
    cycle = cycles([code], hazards)[0]
    return Posted(code, ask.proof_probability, cycle, ask, config, profile, hazards, vacant, remaining)


def until_back(code: Code, hazards: Hazards, vacant: int) -> Cycle:
    """What is left of a cycle in which exactly ``vacant`` slots are lost, and known to be; no more than the parity.

    Where slots fail in groups these are taken to be the last slots, so that of one group at most only some are lost.
    """
    parity = code.parity - vacant
    if vacant < code.repair_threshold:
        found = cycles([Code(code.data, parity, code.repair_threshold - vacant, code.misses)], hazards)[0]
        return Cycle(found.seconds, found.loss, found.repair, found.lost_slots + vacant)
    groups = Groups.of(Code(code.data, parity), hazards)
    opened = {struck: np.zeros(groups.spare(struck) + 1) for struck in groups.survivable()}
    opened[Struck()][0] = 1.0
    spent = until_repair(groups, opened, hazards.failing, 1 / hazards.mttr)
    seconds = sum(float(after.sum()) for after in spent.values())
    loss = sum(float(after @ groups.fatal(struck, hazards.failing)) for struck, after in spent.items())
    lost = sum(float(after @ (groups.lost(struck) + np.arange(len(after)))) for struck, after in spent.items())
    return Cycle(seconds, loss, seconds / hazards.mttr, vacant + lost / seconds)


def unmended(code: Code, hazards: Hazards, vacant: int, duration: float) -> float:
    """Probability that a dataset with ``vacant`` slots lost is lost within ``duration`` seconds if nothing is repaired.

    Groups are as for `until_back`.
    """
    groups = Groups.of(Code(code.data, code.parity - vacant), hazards)
    alone, together = -expm1(-hazards.failing * duration), -expm1(-hazards.striking * duration)
    found = []
    for struck in (Struck(whole, rest) for whole in range(groups.whole + 1) for rest in range(2 if groups.rest else 1)):
        here = _binomial(groups.whole, struck.whole, together) * _binomial(bool(groups.rest), struck.rest, together)
        others, fatal = groups.slots - groups.lost(struck), max(0, groups.spare(struck) + 1)
        found += [here * _binomial(others, lost, alone) for lost in range(fatal, others + 1)]
    return fsum(found)


def _binomial(trials: int, hits: int, chance: float) -> float:
    return comb(trials, hits) * chance**hits * (1 - chance) ** (trials - hits)
