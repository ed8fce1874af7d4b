"""The cheapest way to store a file so that it is lost within a year with a probability of 10^-nines at most.

Sought are the code across slots (k, m), the threshold l0 of lazy repair and the proof probability; the market's verifier
fixes how many cells a proof samples, its configuration how many misses count as a loss. What they cost over the duration,

    slots * slot bytes * price * duration          the client's, by contract
    + proofs * gas of a proof * price of gas       the hosts', 0 unless a price of gas is given
    + repair traffic * price of traffic            the hosts', 0 unless a price of traffic is given

is made as small as it can be. Of parameters that cost the same those with fewer slots are taken, then those with fewer
proofs, then the higher threshold, then fewer data slots: where gas and traffic are priced at nothing the client's price alone
decides, and the hosts are spared what can be spared without raising it.

What the parameters do to one another: every slot more costs money; a higher threshold saves traffic and needs more parity;
rarer proofs save gas and need more parity, as losses are noticed later. More parity, a lower threshold and more frequent
proofs never raise the loss, so that the search may leave out whatever is dearer than the cheapest found, even if it
were safe.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log10

from agents.core.dataset.layout import Layout
from agents.core.durability.choice import Choice, Need, Offer, predicted, predictions, unpredicted
from agents.core.durability.slots import family
from agents.core.errors import CodeParameters, FileRejected, HoldfastError, Misuse, OutOfReach
from agents.core.market.economics import minimal_term
from agents.core.market.types import MAX_SLOTS, MarketConfig
from agents.core.units import format_duration

MAX_PROBABILITY = 65_535
"""The market keeps a proof probability in 16 bits."""

FINEST = 10
"""Unless an interval is named, noticing a loss takes at least this share of mending it: more frequent proofs would hardly
make a loss shorter."""

UNMENDED = 10
"""The market opens no repair in the last expected proofs of a request: unless every period is proven they are this share of
the duration at most."""

EXPANSIONS = (1.5, 2.0, 2.5, 3.0)
THRESHOLDS = (1, 2, 5)
INTERVALS = (3_600, 6 * 3_600, 86_400)
"""What others are compared with the best."""


@dataclass(frozen=True)
class Pins:
    """Choices that are made already; None leaves them open."""

    max_slots: int | None = None
    expansion: float | None = None
    """(k+m)/k, exactly."""
    threshold: int | None = None
    probability: int | None = None

    def __post_init__(self) -> None:
        if self.max_slots is not None and not 2 <= self.max_slots <= MAX_SLOTS:
            raise Misuse(
                f"A file cannot be in {self.max_slots} slots at most",
                f"a request has 2 to {MAX_SLOTS}",
                "Choose others.",
            )
        if self.threshold is not None and not 1 <= self.threshold < MAX_SLOTS:
            raise Misuse(
                f"A repair cannot open at {self.threshold} lost slots", "it is at least one, and at most the parity",
                "Choose like 1 or 3.",
            )  # fmt: skip
        if self.probability is not None and not 1 <= self.probability <= MAX_PROBABILITY:
            raise Misuse(
                f"A slot cannot prove one period in {self.probability}", f"it is 1 to {MAX_PROBABILITY}",
                "Choose another probability or interval.",
            )  # fmt: skip


def cheapest(need: Need, offer: Offer, pins: Pins = Pins()) -> Choice:
    """The best choice that meets the target. Raises OutOfReach where none does, FileRejected, Misuse, CodeParameters."""
    search = _Search(need, offer, pins)
    best = search.run()
    if best is None:
        raise search.out_of_reach()
    return best


def probability_of(interval: float, config: MarketConfig) -> int:
    """The proof probability of the longest mean interval that is not above ``interval`` seconds. Raises Misuse."""
    found = int(interval // config.period_seconds)
    if found < 1:
        raise Misuse(
            f"Slots cannot prove every {interval:g} s", f"the market has one proof a period, of {config.period_seconds} s",
            "Choose a longer interval.",
        )  # fmt: skip
    return min(found, MAX_PROBABILITY)


def mendable(probability: int, duration: int, config: MarketConfig) -> bool:
    """Whether requests that make up so many seconds can be repaired for most of them: the market ends each of them."""
    return probability == 1 or minimal_term(probability, config) * UNMENDED <= min(duration, config.max_duration)


def ladders(need: Need, config: MarketConfig) -> list[list[int]]:
    """The proof probabilities that are tried, rising: powers of two, one and a half times them, and round intervals. First
    those that are frequent enough, then all."""
    rungs = {rung for power in range(16) for rung in (1 << power, 3 << power)}
    rungs |= {interval // config.period_seconds for interval in INTERVALS}
    possible = sorted(rung for rung in rungs if 1 <= rung <= MAX_PROBABILITY)
    useful = [rung for rung in possible if mendable(rung, need.duration, config)]
    finest = need.mttr / FINEST / config.max_misses // config.period_seconds
    frequent = [rung for rung in useful if rung >= finest] or useful[-1:]
    return [frequent, useful]


class _Search:
    """Goes from low thresholds to high ones and from frequent proofs to rare ones: the parity that a number of data slots
    needs never falls on the way, so it is looked for from where it was found last."""

    def __init__(self, need: Need, offer: Offer, pins: Pins) -> None:
        self._need, self._offer, self._pins = need, offer, pins
        self._most = pins.max_slots or offer.profile.max_slots
        if self._most > offer.profile.max_slots:
            raise Misuse(
                f"{self._most} slots are too many",
                f"the {offer.profile.name} circuit proves {offer.profile.max_slots} at most", "Allow no more than these.",
            )  # fmt: skip
        if pins.probability and not mendable(pins.probability, need.duration, offer.config):
            unmended = format_duration(minimal_term(pins.probability, offer.config))
            longest = format_duration(min(need.duration, offer.config.max_duration))
            raise Misuse(
                f"Slots cannot prove one period in {pins.probability}",
                f"the market would open no repair in the last {unmended} of a request's {longest}",
                "Choose a shorter interval, or a longer duration.",
            )
        self._probabilities = [[pins.probability]] if pins.probability else ladders(need, offer.config)
        """Those that are tried first, and those that are tried if they will not do."""
        self._parities = dict(self._possible())
        """Of each number of data slots the numbers of parity slots that can be, rising."""
        if not self._parities:
            raise self._impossible()
        self._best: Choice | None = None

    def _possible(self) -> Iterator[tuple[int, list[int]]]:
        exact = self._exact()
        for data in self._data():
            room = self._offer.hosts(Layout(self._need.size, data, 0).slot_bytes)
            least = max(1 if data == 1 else 0, self._pins.threshold or 0)
            parities = range(least, min(self._most, room) - data + 1)
            possible = [parity for parity in parities if exact is None or exact.get(data) == parity]
            if possible:
                yield data, possible

    def _exact(self) -> dict[int, int] | None:
        """Parity slots by data slots, of the codes with the expansion that was asked for."""
        if self._pins.expansion is None:
            return None
        return {code.data: code.parity for code in family(self._pins.expansion, self._pins.threshold or 1)}

    def _data(self) -> list[int]:
        """Numbers of data slots that make slots which the circuit can prove."""
        blocks = self._offer.profile.max_blocks
        fit = [data for data in range(1, self._most + 1) if Layout(self._need.size, data, 0).blocks_per_slot <= blocks]
        if not fit:
            raise FileRejected(
                f"The file is too large for {self._most} slots",
                f"the {self._offer.profile.name} circuit proves slots of {blocks} blocks at most",
                "Allow more slots, or split it.",
            )
        return fit

    def run(self) -> Choice | None:
        """The best; None where nothing meets the target."""
        for probabilities in self._probabilities:
            self._try(probabilities)
            if self._best is not None:
                break
        return self._best

    def _try(self, probabilities: list[int]) -> None:
        at = dict.fromkeys(self._parities, 0)
        most = max(parities[-1] for parities in self._parities.values())
        for threshold in [self._pins.threshold] if self._pins.threshold else range(1, max(1, most) + 1):
            met = self._pass(threshold, probabilities[0], at)
            later = dict(at)
            for probability in probabilities[1:]:
                met |= self._pass(threshold, probability, later)
            if not met:
                break

    def _pass(self, threshold: int, probability: int, at: dict[int, int]) -> bool:
        """Find, of each number of data slots that may yet be the best, the least parity that meets the target, from place
        ``at`` on, which is moved there. Whether there was any."""
        met, least = False, 0
        for data, parities in self._parities.items():
            # What too little parity is for fewer data slots is too little for these.
            while at[data] < len(parities) and parities[at[data]] < max(least, threshold if threshold > 1 else 0):
                at[data] += 1
            start = at[data]
            at[data], choice = self._least(data, start, threshold, probability)
            if at[data] > start:
                least = parities[at[data] - 1] + 1
            if choice is not None:
                met = True
                if self._best is None or choice.rank < self._best.rank:
                    self._best = choice
        return met

    def _least(self, data: int, start: int, threshold: int, probability: int) -> tuple[int, Choice | None]:
        """The place, from ``start`` on, of the least parity that meets the target; without a choice that of the first one
        that is not worth it. It is mostly near: the steps grow from one, and what was stepped over is bisected."""
        parities = self._parities[data]
        if start >= len(parities) or not self._worth(data, parities[start], probability):
            return start, None
        low, step, met = start, 1, None
        high = bisect_left(parities, True, start + 1, key=lambda parity: not self._worth(data, parity, probability))
        while low < high:
            tried = min(low + step, high) - 1 if met is None else (low + high) // 2
            choice = predicted(self._need, self._offer, data, parities[tried], threshold, probability)
            if choice.loss <= self._need.target:
                met, high = choice, tried
            else:
                low, step = tried + 1, 2 * step
        return low, met

    def _worth(self, data: int, parity: int, probability: int) -> bool:
        """Whether what is known of the cost is not above the best's."""
        return (
            self._best is None
            or unpredicted(self._need, self._offer, data, parity, probability).cost <= self._best.cost
        )

    def _impossible(self) -> HoldfastError:
        """What to say where no code fits, whatever is lost."""
        limit = f"{self._most} slots at most"
        if self._pins.expansion is not None:
            data, parity = next(iter((self._exact() or {}).items()))
            return OutOfReach(
                f"No code that can be had has an expansion of {self._pins.expansion:g}",
                f"the smallest has {data}+{parity} slots, and there can be {limit}",
                "Choose another expansion, or allow more slots.",
            )
        if self._pins.threshold is not None:
            return CodeParameters(
                f"Repair cannot wait for {self._pins.threshold} lost slots",
                f"with {limit} no code has so much parity", "Choose a lower threshold, or allow more slots.",
            )  # fmt: skip
        return OutOfReach("There are too few hosts for any code", "two are needed at least", "Wait for more of them.")

    def out_of_reach(self) -> OutOfReach:
        """What to say where nothing meets the target: how near one can get, and how to get nearer."""
        threshold, probability = self._pins.threshold or 1, self._probabilities[-1][0]
        most = [(data, parities[-1]) for data, parities in self._parities.items()]
        best = min(predictions(self._need, self._offer, most, threshold, probability), key=lambda choice: choice.loss)
        return OutOfReach(
            f"Nothing that can be had loses the file with {self._need.target:.0e} a year or less",
            f"the nearest, {best.code.data}+{best.code.parity} slots proven every {format_duration(best.interval)} "
            f"and mended from {threshold} lost on, loses it with {best.loss:.1e}, which is {abs(log10(best.loss)):.1f} nines",
            "Ask for fewer, allow more slots (--max-slots, with as many hosts), leave --expansion, --repair-threshold and "
            "--proof-interval open, or count on better hosts (--mttf, --mttr, --group-mttf).",
        )


def alternatives(need: Need, offer: Offer, pins: Pins, chosen: Choice) -> list[Choice]:
    """What else meets the target, cheapest first, ``chosen`` included: the best of other expansions and thresholds at its
    interval, and the best of other intervals."""
    found = {(chosen.code, chosen.probability): chosen}
    for other in _others(offer, pins, chosen):
        try:
            best = _Search(need, offer, other).run()
        except (CodeParameters, Misuse):
            continue  # there is no such code
        if best is not None:
            found.setdefault((best.code, best.probability), best)
    return sorted(found.values(), key=lambda choice: choice.rank)


def _others(offer: Offer, pins: Pins, chosen: Choice) -> Iterator[Pins]:
    thresholds = THRESHOLDS if pins.threshold is None else (pins.threshold,)
    for expansion in EXPANSIONS if pins.expansion is None else (pins.expansion,):
        for threshold in thresholds:
            yield replace(pins, expansion=expansion, threshold=threshold, probability=chosen.probability)
    if pins.probability is None:
        for interval in INTERVALS:
            if interval >= offer.config.period_seconds:
                yield replace(pins, probability=probability_of(interval, offer.config))
