"""`agent client quote`: the cheapest parameters for a durability, at what the market pays and with the hosts it has."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from agents.core.durability.choice import Choice, Need, Offer
from agents.core.durability.quote import Pins, alternatives, cheapest, probability_of
from agents.core.errors import CodeParameters, OutOfReach, TooDear
from agents.core.proofs.profiles import Profile, profile_named
from agents.runtime.follower import Follower, Moment
from agents.runtime.network import network
from agents.runtime.pricing import MarketPrice, collateral_of, look_at, market_price, ordered_bytes, takers
from agents.runtime.settings import DEFAULT_PRICE, Parameters, Place, StoreOrder, Target

PROOF_GAS = 250_000
"""Gas of submitProof, as scripts/bench_gas measures it; hosts of many slots pay less a proof."""


@dataclass(frozen=True)
class Quotation:
    """The best choice for a file, and what it is compared with."""

    file_bytes: int
    choice: Choice
    others: tuple[Choice, ...]
    """What meets the target too, cheapest first, the choice included."""
    market: MarketPrice | None
    """Where the price is from; None: the client named it."""
    hosts: int
    """Providers with stake free for one of its slots."""
    max_duration: int
    """Seconds that the market sells at most."""


async def quotation(place: Place, order: StoreOrder, target: Target) -> Quotation:
    """The best choice for the file of ``order``. Needs no account. Raises OutOfReach, FileRejected, Misuse."""
    size = look_at(order.file).st_size
    async with network(place) as found:
        moment = await Follower(found).now()
    profile = profile_named(order.profile or found.deployment.profile)
    choice = _choice(order, target, profile, moment)
    need, offer, pins = choice.need, choice.offer, _pins(target, moment)
    return Quotation(
        file_bytes=size, choice=choice, others=tuple(alternatives(need, offer, pins, choice)),
        market=market_price(moment) if target.price is None else None,
        hosts=_hosts(order, moment)(choice.slot_bytes), max_duration=moment.view.config.max_duration,
    )  # fmt: skip


def parameters_of(order: StoreOrder, profile: Profile, moment: Moment) -> Parameters:
    """What ``order`` asks for: as typed or, for a target, the best choice there is now.

    Raises what `quotation` raises, and TooDear where the market pays more than what is offered by default and neither a price
    nor a limit was named: what others pay each other is no reason to spend without asking.
    """
    target = order.parameters
    if isinstance(target, Parameters):
        return target
    choice = _choice(order, target, profile, moment)
    if target.price is None and order.max_cost is None and choice.offer.price > DEFAULT_PRICE:
        raise TooDear(
            f"The market pays {choice.offer.price} a byte and second",
            f"more than the {DEFAULT_PRICE} that are offered where no price is named",
            "Say what it may cost with --max-cost, or name a --price.",
        )
    code = choice.code
    return Parameters(code.data, code.parity, code.repair_threshold, choice.probability, choice.offer.price)


def _choice(order: StoreOrder, target: Target, profile: Profile, moment: Moment) -> Choice:
    """The best with the hosts there are or, where these are too few, with as many as are needed."""
    size = ordered_bytes(order, look_at(order.file).st_size)
    need = Need(
        size, order.duration, target.nines, float(target.mttf), float(target.mttr), target.group_size, target.together
    )  # fmt: skip
    price = market_price(moment).price if target.price is None else target.price
    unlimited = Offer(
        moment.view.config, profile, price, proof_gas=PROOF_GAS, gas_price=target.gas_price,
        traffic_price=target.traffic_price,
    )  # fmt: skip
    pins = _pins(target, moment)
    try:
        return cheapest(need, replace(unlimited, hosts=_hosts(order, moment)), pins)
    except (OutOfReach, CodeParameters):
        return cheapest(need, unlimited, pins)


def _pins(target: Target, moment: Moment) -> Pins:
    interval = target.proof_interval
    probability = None if interval is None else probability_of(interval, moment.view.config)
    return Pins(target.max_slots, target.expansion, target.repair_threshold, probability)


def _hosts(order: StoreOrder, moment: Moment) -> Callable[[int], int]:
    """How many providers could take a slot of so many bytes."""
    could, collateral = takers(moment), collateral_of(order, moment.view.stake)
    return lambda slot_bytes: could(collateral * slot_bytes)
