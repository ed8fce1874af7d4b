"""A payer's deposit on the chain, as a reader's lanes use it."""

from dataclasses import dataclass, replace

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
        """The payer's account as the chain shows it, of its pool what the grant leaves. Raises ChainError."""
        account = await self.channels.account_of(self.payer)
        if self.grant is None:
            return account
        grant = self.grant.grant
        used = await self.channels.granted_to(grant.sponsor, grant.reader, account.epoch)
        return replace(account, pool=min(account.pool, max(0, grant.limit - used)))
