"""What an order costs: its terms, its price, and whether the market can serve it."""

import os
import stat
from dataclasses import dataclass

from agents.chain.blocks import latest
from agents.chain.contracts import Registry, Token
from agents.chain.transactions import market_fees
from agents.core.dataset.cipher import Header, cipher_for, sealed_size
from agents.core.dataset.layout import Layout, layout_for
from agents.core.errors import FileRejected, Refused, TooDear
from agents.core.market.types import BPS, Ask, MarketConfig, StakeConfig
from agents.core.proofs.profiles import Profile, profile_named
from agents.core.units import format_amount, format_duration
from agents.runtime.accounts import own_address
from agents.runtime.follower import Follower, Moment
from agents.runtime.network import Network, network
from agents.runtime.settings import Place, StoreOrder

POST_GAS = 235_000
"""Gas of requestStorage, as scripts/bench_gas measures it."""

APPROVE_GAS = 47_000
"""Gas of an approval before it, where the allowance is too small."""


@dataclass(frozen=True)
class Quote:
    """What an order costs, and whether it can be had; amounts in base units."""

    price: int
    slots: int
    slot_bytes: int
    file_bytes: int
    collateral: int
    """What each host locks."""
    wei: int
    """Gas money, about."""
    balance: int
    allowance: int
    ether: int
    """Wei the account has."""
    hosts: int
    """Providers with free stake enough for a slot."""

    @property
    def stored_bytes(self) -> int:
        """Bytes of all slots."""
        return self.slots * self.slot_bytes

    @property
    def expansion(self) -> float:
        """Bytes stored for each byte of the file."""
        return self.stored_bytes / self.file_bytes


@dataclass(frozen=True)
class Terms:
    """An order with its file looked at."""

    ask: Ask
    profile: Profile
    file: os.stat_result


def terms_of(order: StoreOrder, found: Network, market: MarketConfig, stake: StakeConfig) -> Terms:
    """The terms of ``order``. Raises FileRejected, Refused, CodeParameters."""
    try:
        facts = order.file.stat()
    except OSError as error:
        raise FileRejected(f"Cannot read {order.file}", error.strerror or str(error), "Name a readable file.") from None
    if not stat.S_ISREG(facts.st_mode):
        raise FileRejected(f"{order.file} is no ordinary file", "its size must be known first", "Save it as a file.")
    if facts.st_size == 0:
        raise FileRejected(f"{order.file} is empty", "there is nothing to store", "Name a file with something in it.")
    check_times(order, market)
    profile = profile_named(order.profile or found.deployment.profile)
    return Terms(_ask(order, _layout(order, facts.st_size, profile), stake), profile, facts)


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


def _layout(order: StoreOrder, size: int, profile: Profile) -> Layout:
    plain = len(Header(size, order.file.name).to_bytes()) + size
    cipher = cipher_for(bytes(32) if order.encrypt else None)
    return layout_for(sealed_size(plain, cipher), order.slots, order.parity, profile)


def _ask(order: StoreOrder, layout: Layout, stake: StakeConfig) -> Ask:
    return Ask(
        proof_probability=order.proof_probability,
        slots=layout.slots,
        max_slot_loss=order.parity,
        repair_threshold=order.repair_threshold,
        dispersal=round(order.dispersal * BPS),
        slot_size=layout.slot_bytes,
        duration=order.duration,
        price_per_byte_per_second=order.price,
        collateral_per_byte=order.collateral if order.collateral is not None else stake.stake_per_byte,
    )


def check_cost(order: StoreOrder, ask: Ask) -> None:
    """Raises TooDear above --max-cost."""
    if order.max_cost is not None and ask.price > order.max_cost:
        raise TooDear(
            f"It costs {format_amount(ask.price)}", f"more than --max-cost {format_amount(order.max_cost)}",
            "Store for a shorter time, at a lower price, or raise --max-cost.",
        )  # fmt: skip


async def quote(place: Place, order: StoreOrder) -> Quote:
    """What ``order`` costs and whether it can be had; nothing is sent, and no password is asked."""
    address = own_address(place)
    async with network(place) as found:
        moment = await Follower(found).now()
        terms = terms_of(order, found, moment.view.config, moment.view.stake)
        ask = terms.ask
        check_cost(order, ask)
        token, registry = Token(found.rpc, found.deployment.token), Registry(found.rpc, found.deployment.registry)
        balance, allowance = await token.balance_of(address), await token.allowance(address, registry.address)
        gas = POST_GAS + (APPROVE_GAS if allowance < ask.price else 0)
        head = await latest(found.rpc)
        tip = (await market_fees(found.rpc, head)).tip
        return Quote(
            price=ask.price, slots=ask.slots, slot_bytes=ask.slot_size, file_bytes=terms.file.st_size,
            collateral=ask.collateral, wei=gas * (head.base_fee + tip), balance=balance, allowance=allowance,
            ether=await found.rpc.balance(address), hosts=hosts_for(moment, ask),
        )  # fmt: skip


def few_hosts(hosts: int, slots: int) -> str:
    """What to say when ``hosts`` providers could take one of ``slots`` slots; empty when they are enough."""
    if hosts >= slots:
        return ""
    return (
        f"{slots} providers with stake free for a slot are needed, each another one, and the market has {hosts}: "
        "unless more come in time, the request expires and its price is refunded."
    )


def hosts_for(moment: Moment, ask: Ask) -> int:
    """How many providers could take one of its slots."""
    return sum(
        bool(provider.staked_since) and provider.free >= ask.collateral for provider in moment.view.providers.values()
    )
