"""What paying for reads costs: deposits, lanes, redemptions alone and in batches, and getting the rest back."""

from eth_account import Account
from eth_utils.crypto import keccak

from agents.chain.channels import Channels, ensure_channels
from agents.chain.contracts import Token
from agents.core.channels.lanes import (
    Grant,
    Lane,
    Opening,
    SignedGrant,
    SignedOpening,
    SignedVoucher,
    Voucher,
)
from agents.core.units import TOKEN
from agents.net.signing import AccountSigner
from scripts.gas.ground import CLIENT, FUNDER, HOSTS, Ground

LANES = 16
READERS = tuple(AccountSigner(Account.from_key(keccak(text=f"reader {at}"))) for at in range(LANES))
CACHE, SPONSOR = HOSTS[0], FUNDER
FAR = 1 << 40


async def tell(ground: Ground) -> None:
    """The story. Every reader has a deposit and a lane of its own: nothing but the token is shared in a batch."""
    token = Token(ground.rpc, await ground.registry.token())
    channels = await ensure_channels(ground.senders[0], token.address)
    for at in (CLIENT, SPONSOR):
        await ground.send(at, token.approve(channels.address, 2**256 - 1))
    await ground.send(CLIENT, channels.deposit(READERS[0].address, TOKEN), "deposit (a reader's first)")
    await ground.send(CLIENT, channels.deposit(READERS[0].address, TOKEN), "deposit (a reader's)")
    for reader in READERS[1:]:
        await ground.send(CLIENT, channels.deposit(reader.address, TOKEN))
    lanes = [Lane(reader.address, reader.address, ground.senders[CACHE].address, 0, FAR) for reader in READERS]
    for reader, lane in zip(READERS, lanes, strict=True):
        made = Opening(lane, TOKEN)
        signed = SignedOpening(made, reader.sign_digest(made.digest(channels.domain)))
        await ground.send(CACHE, channels.open_signed(signed), "openLaneOf")
    await _redeem(ground, channels, lanes)
    await _sponsor(ground, channels)
    await _leave(ground, channels)


async def _redeem(ground: Ground, channels: Channels, lanes: list[Lane]) -> None:
    to = ground.senders[CACHE].address

    def vouchers(amount: int) -> list[SignedVoucher]:
        made = [Voucher(lane, amount) for lane in lanes]
        return [
            SignedVoucher(voucher, reader.sign_digest(voucher.digest(channels.domain)))
            for reader, voucher in zip(READERS, made, strict=True)
        ]

    await ground.send(CACHE, channels.redeem(vouchers(1000)[:1], to), "redeem (the first of a lane)")
    await ground.send(CACHE, channels.redeem(vouchers(2000)[:1], to), "redeem")
    await ground.send(CACHE, channels.redeem(vouchers(3000), to), f"redeem, each of {LANES}", LANES)


async def _sponsor(ground: Ground, channels: Channels) -> None:
    sponsor, reader = AccountSigner(ground.senders[SPONSOR].account), READERS[0]
    await ground.send(SPONSOR, channels.deposit(sponsor.address, TOKEN))
    lane = Lane(sponsor.address, reader.address, ground.senders[CACHE].address, 0, FAR)
    opening, grant = Opening(lane, 1000), Grant(sponsor.address, reader.address, TOKEN, 0, FAR)
    signed = SignedOpening(opening, reader.sign_digest(opening.digest(channels.domain)))
    granted = SignedGrant(grant, sponsor.sign_digest(grant.digest(channels.domain)))
    await ground.send(CACHE, channels.open_signed(signed, granted), "openLaneGranted")


async def _leave(ground: Ground, channels: Channels) -> None:
    """A lane that ends, and a payer that closes."""
    now = int((await ground.rpc.call("eth_getBlockByNumber", "latest", False))["timestamp"], 16)
    payer = ground.senders[SPONSOR].address
    short = Lane(payer, payer, ground.senders[CACHE].address, 0, now + 1000)
    await ground.send(SPONSOR, channels.open_lane(short, 1000), "openLane")
    await ground.wait(1000)
    await ground.send(CACHE, channels.reclaim(short), "reclaim")
    await ground.send(SPONSOR, channels.close(), "close")
    await ground.wait(await channels.challenge_seconds())
    await ground.send(SPONSOR, channels.withdraw(payer), "withdraw (a payer's)")
