"""What a cache does on the chain: opens lanes, redeems vouchers, says where it is reached."""

from collections.abc import Sequence

from agents.chain.channels import Channels
from agents.chain.directory import Directory
from agents.core.channels.lanes import Lane, SignedGrant, SignedOpening, SignedVoucher
from agents.core.channels.till import Cover
from agents.core.errors import NotFound
from agents.roles.actor import Actor, batch_key


class OnChain:
    """The chain as `agents.roles.caching.cashier.Chain`, by one account's transactions. Money goes to the account."""

    def __init__(self, actor: Actor, channels: Channels) -> None:
        self._actor = actor
        self._channels = channels

    async def covers(self, lanes: Sequence[Lane]) -> Sequence[Cover]:
        """As Chain."""
        return await self._channels.covers_of(lanes) if lanes else []

    async def open(self, opening: SignedOpening, grant: SignedGrant | None) -> None:
        """As Chain."""
        wanted = opening.opening
        call = self._channels.open_signed(opening, grant)
        await self._actor.sender.send(call, f"lane:{wanted.lane.id.hex()}:{wanted.amount}")

    async def redeem(self, vouchers: Sequence[SignedVoucher]) -> None:
        """As Chain."""
        key = batch_key("redeem", [f"{one.voucher.lane.id.hex()}:{one.voucher.amount}" for one in vouchers])
        # The same vouchers were paid in part if a deposit fell short: what was added to it since is due.
        self._actor.sender.forget(key)
        await self._actor.sender.send(self._channels.redeem(vouchers, self._actor.address), key)


async def announce(actor: Actor, directory: Directory, endpoint: str) -> bool:
    """Say where the account's cache is reached; whether that was news. Raises Refused, NotEnoughGas, ChainError."""
    if await directory.endpoint_of(actor.address) == endpoint:
        return False
    # What was announced before may be announced again, after another endpoint.
    block = await actor.rpc.block_number()
    await actor.sender.send(directory.announce(endpoint), f"announce:{endpoint}:{block}")
    return True


async def retire(actor: Actor, directory: Directory) -> str:
    """Take the account's cache off the directory; where it was reached. Raises NotFound where it is not listed."""
    endpoint = await directory.endpoint_of(actor.address)
    if not endpoint:
        raise NotFound(
            f"The directory lists no cache of {actor.address}",
            "it never announced one, or it was retired",
            "Nothing is left to do, unless --wallet names another account than the cache's.",
        )
    block = await actor.rpc.block_number()
    await actor.sender.send(directory.retire(), f"retire:{block}")
    return endpoint
