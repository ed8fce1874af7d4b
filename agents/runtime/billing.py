"""What an order would cost, and whether it can be had: `agent client store --dry-run`."""

from dataclasses import dataclass

from agents.chain.blocks import latest
from agents.chain.contracts import Registry, Token
from agents.chain.transactions import market_fees
from agents.core.proofs.profiles import profile_named
from agents.runtime.accounts import own_address
from agents.runtime.follower import Follower
from agents.runtime.network import network
from agents.runtime.pricing import check_cost, takers, terms_of
from agents.runtime.quoting import parameters_of
from agents.runtime.settings import Parameters, Place, StoreOrder

POST_GAS = 235_000
"""Gas of requestStorage, as scripts/bench_gas measures it."""

APPROVE_GAS = 47_000
"""Gas of an approval before it, where the allowance is too small."""


@dataclass(frozen=True)
class Bill:
    """What an order costs, and whether it can be had; amounts in base units."""

    parameters: Parameters
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


async def bill(place: Place, order: StoreOrder) -> Bill:
    """What ``order`` costs and whether it can be had; nothing is sent, and no password is asked."""
    address = own_address(place)
    async with network(place) as found:
        moment = await Follower(found).now()
        profile = profile_named(order.profile or found.deployment.profile)
        chosen = parameters_of(order, profile, moment)
        terms = terms_of(order, chosen, profile, moment.view.config, moment.view.stake)
        ask = terms.ask
        check_cost(order, ask)
        token, registry = Token(found.rpc, found.deployment.token), Registry(found.rpc, found.deployment.registry)
        balance, allowance = await token.balance_of(address), await token.allowance(address, registry.address)
        gas = POST_GAS + (APPROVE_GAS if allowance < ask.price else 0)
        head = await latest(found.rpc)
        tip = (await market_fees(found.rpc, head)).tip
        return Bill(
            parameters=terms.parameters, price=ask.price, slots=ask.slots, slot_bytes=ask.slot_size,
            file_bytes=terms.file.st_size, collateral=ask.collateral, wei=gas * (head.base_fee + tip), balance=balance,
            allowance=allowance, ether=await found.rpc.balance(address), hosts=takers(moment)(ask.collateral),
        )  # fmt: skip
