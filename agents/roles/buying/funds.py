"""A payer's deposit on the chain, as a reader's lanes use it."""

from dataclasses import dataclass

from agents.chain.channels import Channels, Deposit
from agents.core.channels.lanes import Domain, SignedGrant


@dataclass(frozen=True)
class ChannelFunds:
    """What `agents.roles.buying.wallet.Funds` asks."""

    channels: Channels
    token: str
    payer: str
    grant: SignedGrant | None = None

    @property
    def domain(self) -> Domain:
        """The contract."""
        return self.channels.domain

    async def deposit(self) -> Deposit:
        """The payer's account as the chain shows it. Raises ChainError."""
        return await self.channels.account_of(self.payer)
