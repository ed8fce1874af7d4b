"""What the models say of slots with some code and some frequency of proofs, chosen or on the market already."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from agents.core.durability.cycles import Cycle
from agents.core.durability.detection import LONGEST, CodedSlot, Proofs, catch_probability
from agents.core.durability.hazards import YEAR_SECONDS, Code
from agents.core.market.types import MarketConfig
from agents.core.proofs.profiles import Profile


@dataclass(frozen=True)
class Outlook(ABC):
    """Slots on a market, and what is predicted of them."""

    code: Code
    probability: int
    """A slot proves one period in so many."""
    cycle: Cycle
    """From all slots there."""

    @property
    @abstractmethod
    def config(self) -> MarketConfig:
        """The market's."""

    @property
    @abstractmethod
    def profile(self) -> Profile:
        """The market's circuit."""

    @property
    @abstractmethod
    def slot_bytes(self) -> int:
        """Bytes of a slot, as billed."""

    @property
    @abstractmethod
    def data_bytes(self) -> int:
        """Bytes of a slot that travel."""

    @property
    @abstractmethod
    def coded(self) -> CodedSlot:
        """The code within each slot."""

    @property
    def interval(self) -> int:
        """Mean seconds between the proofs of a slot."""
        return self.probability * self.config.period_seconds

    @property
    def loss(self) -> float:
        """Probability that the file is lost within a year that begins with all slots there."""
        return self.cycle.loss_within(YEAR_SECONDS)

    @property
    def proofs(self) -> float:
        """Proofs of all slots a year."""
        return self.code.slots * YEAR_SECONDS / self.interval

    @property
    def repairs(self) -> float:
        """Repairs a year."""
        return self.cycle.repairs_per_second * YEAR_SECONDS

    @property
    def traffic(self) -> float:
        """Bytes that repairs move a year: whoever is first reads the data of k slots and hands on what others take."""
        return self.repairs * (self.code.data + self.cycle.lost_slots - 1) * self.data_bytes

    @property
    def fatal_share(self) -> float:
        """The least share of a slot's cells that it cannot mend once they are lost, whoever chooses them."""
        return self.coded.fatal_cells / (self.coded.data_cells + self.coded.parity_cells)

    @property
    def caught(self) -> float:
        """Probability that one proof notices the loss of that share."""
        return catch_probability(self.coded.fatal_share, self.profile.samples)

    def caught_within(self, seconds: float) -> float:
        """Probability that the proofs of so many seconds notice it at least once."""
        return self._proofs.caught_within(self.coded.fatal_share, seconds)

    def seconds_to_catch(self, misses: int = 1) -> float:
        """Seconds until that loss has made the host miss so many proofs, on average."""
        return self._proofs.mean_time_to_catch(self.coded.fatal_share, misses)

    @property
    def _proofs(self) -> Proofs:
        return Proofs(float(self.config.period_seconds), self.probability, self.profile.samples)


def coded_slot(data_cells: int, parity_cells: int) -> CodedSlot:
    """A slot with as few codewords as fit the field."""
    codewords = -(-(data_cells + parity_cells) // LONGEST)
    while -(-data_cells // codewords) - (-parity_cells // codewords) > LONGEST:
        codewords += 1
    return CodedSlot(data_cells, parity_cells, codewords)
