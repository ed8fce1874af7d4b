"""The terms of an order: what the market pays, what it asks, and whether it can serve it."""

import os
import stat
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agents.core.dataset.cipher import sealed_bytes
from agents.core.dataset.layout import Layout, layout_for
from agents.core.errors import FileRejected, Refused, TooDear
from agents.core.market.types import BPS, Ask, MarketConfig, RequestState, StakeConfig
from agents.core.proofs.profiles import Profile
from agents.core.units import format_amount, format_duration
from agents.runtime.follower import Moment
from agents.runtime.settings import DEFAULT_PRICE, Parameters, StoreOrder


@dataclass(frozen=True)
class Terms:
    """An order with its file looked at and nothing left to choose."""

    parameters: Parameters
    ask: Ask
    profile: Profile
    file: os.stat_result


def look_at(file: Path) -> os.stat_result:
    """The facts of a file that can be stored. Raises FileRejected."""
    try:
        facts = file.stat()
    except OSError as error:
        raise FileRejected(f"Cannot read {file}", error.strerror or str(error), "Name a readable file.") from None
    if not stat.S_ISREG(facts.st_mode):
        raise FileRejected(f"{file} is no ordinary file", "its size must be known first", "Save it as a file.")
    if facts.st_size == 0:
        raise FileRejected(f"{file} is empty", "there is nothing to store", "Name a file with something in it.")
    return facts


def terms_of(
    order: StoreOrder, parameters: Parameters, profile: Profile, market: MarketConfig, stake: StakeConfig
) -> Terms:
    """The terms of ``order`` with ``parameters``. Raises FileRejected, Refused, CodeParameters."""
    facts = look_at(order.file)
    check_times(order, market)
    layout = layout_for(ordered_bytes(order, facts.st_size), parameters.slots, parameters.parity, profile)
    return Terms(parameters, _ask(order, parameters, layout, stake), profile, facts)


def check_times(order: StoreOrder, market: MarketConfig) -> None:
    """Raises Refused for times that the market would refuse: said before anything is encoded or paid."""
    if order.duration > market.max_duration:
        raise Refused(
            f"--duration {format_duration(order.duration)} is too long",
            f"this market stores for {format_duration(market.max_duration)} at most",
            "Choose a shorter one, and store the file again before it ends.",
        )
    if not 0 < order.expiry < order.duration:
        raise Refused(
            f"--expiry {format_duration(order.expiry)} cannot be with --duration {format_duration(order.duration)}",
            "every slot must find a host before the file's time is over",
            "Choose an --expiry above 0s and below --duration.",
        )


def ordered_bytes(order: StoreOrder, size: int) -> int:
    """Bytes of the sealed file, of one of ``size`` bytes."""
    return sealed_bytes(size, order.file.name, order.encrypt)


def _ask(order: StoreOrder, parameters: Parameters, layout: Layout, stake: StakeConfig) -> Ask:
    return Ask(
        proof_probability=parameters.proof_probability,
        slots=layout.slots,
        max_slot_loss=parameters.parity,
        repair_threshold=parameters.repair_threshold,
        dispersal=round(order.dispersal * BPS),
        slot_size=layout.slot_bytes,
        duration=order.duration,
        price_per_byte_per_second=parameters.price,
        collateral_per_byte=collateral_of(order, stake),
    )


def collateral_of(order: StoreOrder, stake: StakeConfig) -> int:
    """Base units per byte that each host locks."""
    return order.collateral if order.collateral is not None else stake.stake_per_byte


@dataclass(frozen=True)
class MarketPrice:
    """What requests pay that hosts took."""

    price: int
    """Base units per byte per second."""
    requests: int
    """Of how many it is the median; 0: nothing is hosted, and it is what is offered by default."""


def market_price(moment: Moment) -> MarketPrice:
    """The median of what the requests pay that are hosted now; of two in the middle the lower one."""
    paid = sorted(
        request.ask.price_per_byte_per_second
        for request in moment.view.requests.values()
        if request.state(moment.timestamp) is RequestState.STARTED
    )
    return MarketPrice(paid[(len(paid) - 1) // 2], len(paid)) if paid else MarketPrice(DEFAULT_PRICE, 0)


def check_cost(order: StoreOrder, ask: Ask) -> None:
    """Raises TooDear above --max-cost."""
    if order.max_cost is not None and ask.price > order.max_cost:
        raise TooDear(
            f"It costs {format_amount(ask.price)}", f"more than --max-cost {format_amount(order.max_cost)}",
            "Store for a shorter time, at a lower price, or raise --max-cost.",
        )  # fmt: skip


def few_hosts(hosts: int, slots: int) -> str:
    """What to say when ``hosts`` providers could take one of ``slots`` slots; empty when they are enough."""
    if hosts >= slots:
        return ""
    return (
        f"{slots} providers with stake free for a slot are needed, each another one, and the market has {hosts}: "
        "unless more come in time, the request expires and its price is refunded."
    )


def takers(moment: Moment) -> Callable[[int], int]:
    """How many providers could lock so much collateral for a slot."""
    free = sorted(provider.free for provider in moment.view.providers.values() if provider.staked_since)
    return lambda collateral: len(free) - bisect_left(free, collateral)
