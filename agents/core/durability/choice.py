"""Parameters of a request's durability, what they cost, and what the models predict of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import ceil, inf

from agents.core.dataset.layout import Layout
from agents.core.durability.cycles import Cycle, cycles
from agents.core.durability.detection import LONGEST, CodedSlot, Proofs, catch_probability
from agents.core.durability.hazards import YEAR_SECONDS, Code, Hazards
from agents.core.errors import Misuse
from agents.core.market.types import MAX_SLOTS, MarketConfig
from agents.core.proofs.profiles import Profile

GIB = 1 << 30
MILLION = 10**6

MOST_NINES = 100
"""More are beyond any model, and soon beyond a float."""


@dataclass(frozen=True)
class Need:
    """What is to be stored, for how long and how surely, and what is assumed of those who store it."""

    size: int
    """Bytes of the sealed file."""
    duration: int
    """Seconds."""
    nines: float
    """It is lost within a year with a probability of 10^-nines at most."""
    mttf: float
    """Mean seconds until a host is lost."""
    mttr: float
    """Mean seconds of a repair, from its opening until all slots are back."""

    def __post_init__(self) -> None:
        if not 0 < self.nines <= MOST_NINES:
            raise Misuse(
                f"{self.nines:g} nines cannot be", f"they are above 0 and at most {MOST_NINES}", "Choose like 9."
            )
        if self.size < 1 or self.duration < 1:
            raise Misuse("Nothing is to be stored", "the file and the duration are above zero", "Choose others.")

    @property
    def target(self) -> float:
        """The loss a year that is allowed."""
        return float(10.0**-self.nines)


@dataclass(frozen=True)
class Offer:
    """What the market asks and how it watches."""

    config: MarketConfig
    profile: Profile
    price: int
    """Base units per byte per second."""
    proof_gas: int
    """Gas of one proof."""
    gas_price: int = 0
    """Base units that a million gas is worth."""
    traffic_price: int = 0
    """Base units that moving a GiB is worth."""
    hosts: Callable[[int], int] = lambda slot_bytes: MAX_SLOTS
    """How many providers could take a slot of so many bytes."""

    def __post_init__(self) -> None:
        if self.price < 0 or self.gas_price < 0 or self.traffic_price < 0:
            raise Misuse("A price cannot be below zero", "", "Choose 0 or more.")


@dataclass(frozen=True)
class Choice:
    """Parameters, and what is predicted of them."""

    need: Need
    offer: Offer
    code: Code
    probability: int
    """A slot proves one period in so many."""
    cycle: Cycle

    @cached_property
    def layout(self) -> Layout:
        """Sizes of the dataset."""
        return Layout(self.need.size, self.code.data, self.code.parity)

    @property
    def slot_bytes(self) -> int:
        """Bytes of a slot, as billed."""
        return self.layout.slot_bytes

    @property
    def price(self) -> int:
        """Base units that the client pays for the duration."""
        return self.code.slots * self.slot_bytes * self.offer.price * self.need.duration

    @property
    def interval(self) -> int:
        """Mean seconds between the proofs of a slot."""
        return self.probability * self.offer.config.period_seconds

    @property
    def loss(self) -> float:
        """Probability that the file is lost within a year."""
        return self.cycle.loss_within(YEAR_SECONDS)

    @property
    def loss_in_duration(self) -> float:
        """Probability that it is lost within the duration."""
        return self.cycle.loss_within(self.need.duration)

    @property
    def proofs(self) -> float:
        """Proofs of all slots a year."""
        return self.code.slots * YEAR_SECONDS / self.interval

    @property
    def gas(self) -> float:
        """Gas of them a year."""
        return self.proofs * self.offer.proof_gas

    @property
    def repairs(self) -> float:
        """Repairs a year."""
        return self.cycle.repairs_per_second * YEAR_SECONDS

    @property
    def traffic(self) -> float:
        """Bytes that repairs move a year: whoever is first reads the data of k slots and hands on what others take."""
        return self.repairs * (self.code.data + self.cycle.lost_slots - 1) * self.layout.data_bytes

    @property
    def hosts_cost(self) -> int:
        """Base units that proofs and repairs cost the hosts over the duration, at the prices of gas and traffic."""
        years = self.need.duration / YEAR_SECONDS
        gas = self.gas * self.offer.gas_price / MILLION
        return ceil(years * (gas + self.traffic * self.offer.traffic_price / GIB))

    @property
    def cost(self) -> int:
        """What is made as small as it can be."""
        return self.price + self.hosts_cost

    @cached_property
    def coded(self) -> CodedSlot:
        """The code within each slot."""
        cells = self.offer.profile.cells_per_block
        return coded_slot(self.layout.data_blocks * cells, self.layout.parity_blocks * cells)

    @property
    def fatal_share(self) -> float:
        """The least share of a slot's cells that it cannot mend once they are lost, whoever chooses them."""
        return self.coded.fatal_cells / (self.coded.data_cells + self.coded.parity_cells)

    @property
    def caught(self) -> float:
        """Probability that one proof notices the loss of that share."""
        return catch_probability(self.coded.fatal_share, self.offer.profile.samples)

    def seconds_to_catch(self, misses: int = 1) -> float:
        """Seconds until that loss has made the host miss so many proofs, on average."""
        proofs = Proofs(float(self.offer.config.period_seconds), self.probability, self.offer.profile.samples)
        return proofs.mean_time_to_catch(self.coded.fatal_share, misses)

    @property
    def rank(self) -> tuple[int, int, int, int, int]:
        """The least is the best."""
        return self.cost, self.code.slots, -self.probability, -self.code.repair_threshold, self.code.data


def coded_slot(data_cells: int, parity_cells: int) -> CodedSlot:
    """A slot with as few codewords as fit the field."""
    codewords = -(-(data_cells + parity_cells) // LONGEST)
    while -(-data_cells // codewords) - (-parity_cells // codewords) > LONGEST:
        codewords += 1
    return CodedSlot(data_cells, parity_cells, codewords)


def predicted(need: Need, offer: Offer, data: int, parity: int, threshold: int, probability: int) -> Choice:
    """Parameters with what the models say of them, whatever they are worth. Raises Misuse, CodeParameters."""
    code = Code(data, parity, threshold, offer.config.max_misses)
    hazards = Hazards(need.mttf, need.mttr, float(probability * offer.config.period_seconds))
    return Choice(need, offer, code, probability, cycles([code], hazards)[0])


def unpredicted(need: Need, offer: Offer, data: int, parity: int, probability: int) -> Choice:
    """A choice of which no more than its price and its proofs are known."""
    return Choice(need, offer, Code(data, parity), probability, Cycle(inf, 0.0, 0.0, 0.0))
