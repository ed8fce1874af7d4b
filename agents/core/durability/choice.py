"""Parameters of a request's durability, what they cost, and what the models predict of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, inf

from agents.core.dataset.layout import Layout
from agents.core.durability.cycles import Cycle, cycles
from agents.core.durability.detection import CodedSlot
from agents.core.durability.hazards import YEAR_SECONDS, Code, Hazards
from agents.core.durability.outlook import Outlook, coded_slot
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
    group_size: int = 1
    """So many slots are with hosts that fail together."""
    group_mttf: float = inf
    """Mean seconds until they do, besides failing alone."""

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

    def hazards(self, interval: float) -> Hazards:
        """What slots are exposed to that prove once in ``interval`` seconds. Raises Misuse."""
        return Hazards(self.mttf, self.mttr, interval, self.group_size, self.group_mttf)


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
class Choice(Outlook):
    """Parameters, what they cost, and what is predicted of them."""

    need: Need
    offer: Offer

    @property
    def config(self) -> MarketConfig:
        """The market's."""
        return self.offer.config

    @property
    def profile(self) -> Profile:
        """The market's circuit."""
        return self.offer.profile

    @cached_property
    def layout(self) -> Layout:
        """Sizes of the dataset."""
        return Layout(self.need.size, self.code.data, self.code.parity)

    @property
    def slot_bytes(self) -> int:
        """Bytes of a slot, as billed."""
        return self.layout.slot_bytes

    @property
    def data_bytes(self) -> int:
        """Bytes of a slot that travel."""
        return self.layout.data_bytes

    @cached_property
    def coded(self) -> CodedSlot:
        """The code within each slot."""
        cells = self.profile.cells_per_block
        return coded_slot(self.layout.data_blocks * cells, self.layout.parity_blocks * cells)

    @property
    def price(self) -> int:
        """Base units that the client pays for the duration."""
        return self.code.slots * self.slot_bytes * self.offer.price * self.need.duration

    @property
    def loss_in_duration(self) -> float:
        """Probability that it is lost within the duration."""
        return self.cycle.loss_within(self.need.duration)

    @property
    def gas(self) -> float:
        """Gas of the proofs of all slots a year."""
        return self.proofs * self.offer.proof_gas

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

    @property
    def rank(self) -> tuple[int, int, int, int, int]:
        """The least is the best."""
        return self.cost, self.code.slots, -self.probability, -self.code.repair_threshold, self.code.data


def predicted(need: Need, offer: Offer, data: int, parity: int, threshold: int, probability: int) -> Choice:
    """Parameters with what the models say of them, whatever they are worth. Raises Misuse, CodeParameters."""
    return predictions(need, offer, [(data, parity)], threshold, probability)[0]


def predictions(
    need: Need, offer: Offer, slots: Sequence[tuple[int, int]], threshold: int, probability: int
) -> list[Choice]:
    """The same for several (data, parity)."""
    codes = [Code(data, parity, threshold, offer.config.max_misses) for data, parity in slots]
    found = cycles(codes, need.hazards(float(probability * offer.config.period_seconds)))
    return [Choice(code, probability, cycle, need, offer) for code, cycle in zip(codes, found, strict=True)]


def unpredicted(need: Need, offer: Offer, data: int, parity: int, probability: int) -> Choice:
    """A choice of which no more than its price and its proofs are known."""
    return Choice(Code(data, parity), probability, Cycle(inf, 0.0, 0.0, 0.0), need, offer)
