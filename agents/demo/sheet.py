"""The balance sheet: what every party won or lost, line by line, by the books and by the chain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.chain.contracts import Registry, Token
from agents.core.errors import LedgerMismatch
from agents.core.market.ledger import MARKET, Ledger
from agents.runtime.network import Network


@dataclass(frozen=True)
class Account:
    """One party's row of the sheet, in base units."""

    name: str
    address: str
    lines: Mapping[str, int]
    """Why its wealth changed, by the books that core makes of the events."""
    chain: int
    """By how much it changed, as the token and the registry tell: wallet, stake and credit together."""

    @property
    def change(self) -> int:
        """The sum of its lines."""
        return sum(self.lines.values())


async def wealth(found: Network, address: str) -> int:
    """Wallet, stake and credit of ``address`` on the chain, in base units."""
    token, registry = Token(found.rpc, found.deployment.token), Registry(found.rpc, found.deployment.registry)
    provider = await registry.provider_of(address)
    stake = provider.free + provider.locked + provider.unbonding
    return await token.balance_of(address) + stake + await registry.credit_of(address)


async def balance_sheet(
    found: Network,
    ledger: Ledger,
    parties: Mapping[str, str],
    before: Mapping[str, int],
    besides: Mapping[str, Mapping[str, int]],
) -> Sequence[Account]:
    """The accounts of ``parties`` (address by name), whose wealth was ``before`` by address; ``besides``: lines by name of
    what happened outside the market.

    Raises LedgerMismatch where books and chain differ, or where the market still holds what is somebody's.
    """
    ledger.check()
    sheet = []
    for name, address in parties.items():
        lines = {str(line): amount for line, amount in ledger.lines(address).items()} | dict(besides.get(name, {}))
        account = Account(name, address, lines, await wealth(found, address) - before[address])
        if account.change != account.chain:
            why = f"the books say {account.change}, the chain {account.chain} base units"
            raise LedgerMismatch(f"The change of {name} is not explained", why, "This is a bug: please report it.")
        sheet.append(account)
    held = await Registry(found.rpc, found.deployment.registry).pool_of(found.deployment.marketplace)
    if held or ledger.change(MARKET):
        why = f"{held} base units by the chain, {ledger.change(MARKET)} by the books"
        raise LedgerMismatch("The market keeps money that is nobody's", why, "This is a bug: please report it.")
    return sheet
