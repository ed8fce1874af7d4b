"""Channels and directory on a real chain: found by computing, used from Python alone, refusals in words."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from agents.chain.anvil import Anvil, dev_account
from agents.chain.channels import Channels, channels_address, ensure_channels, find_channels
from agents.chain.contracts import Token
from agents.chain.create2 import DEPLOYER
from agents.chain.devnet import Devnet
from agents.chain.directory import Announced, directory_address, ensure_directory, find_directory
from agents.chain.reverts import Reverted
from agents.chain.rpc import Rpc
from agents.core.channels.lanes import (
    Domain,
    Grant,
    Lane,
    Opening,
    Refusal,
    SignedGrant,
    SignedOpening,
    SignedVoucher,
    Voucher,
)
from agents.core.channels.terms import Terms
from agents.core.channels.till import Cover, Till
from agents.core.errors import WrongChain
from agents.core.units import TOKEN
from agents.net.signing import AccountSigner
from agents.roles.actor import Actor
from agents.roles.buying.funds import ChannelFunds
from agents.roles.caching.onchain import OnChain
from tests.chain.ground import ACCEPT_ALL, market_on, sender_of

READER, SPONSOR, CACHE, OTHER = (AccountSigner(dev_account(at)) for at in (1, 2, 3, 4))
FAR = 1 << 40


def lane(payer: str = READER.address, cache: str = CACHE.address, expiry: int = FAR, epoch: int = 0) -> Lane:
    return Lane(payer, READER.address, cache, epoch, expiry)


def voucher(channels: Channels, paid: Lane, amount: int, signer: AccountSigner = READER) -> SignedVoucher:
    made = Voucher(paid, amount)
    return SignedVoucher(made, signer.sign_digest(made.digest(channels.domain)))


def opening(channels: Channels, opened: Lane, amount: int) -> SignedOpening:
    made = Opening(opened, amount)
    return SignedOpening(made, READER.sign_digest(made.digest(channels.domain)))


@asynccontextmanager
async def channels_on(anvil: Anvil) -> AsyncIterator[tuple[Channels, Token]]:
    """Channels for a token of their own, of which reader and sponsor have deposited 100."""
    async with Rpc(anvil.url) as rpc:
        market = await market_on(rpc)
        bank = sender_of(rpc, 0)
        token, channels = Token(rpc, market.token), await ensure_channels(bank, market.token)
        for at in (1, 2):
            account = sender_of(rpc, at)
            await bank.send(token.transfer(account.address, 1000), f"fund:{at}")
            await account.send(token.approve(channels.address, 2**256 - 1), "approve")
            await account.send(channels.deposit(account.address, 100), "deposit")
            await account.close()
        await bank.close()
        yield channels, token


def test_addresses_follow_from_the_token(anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            market, bank = await market_on(rpc), sender_of(rpc, 0)
            with pytest.raises(WrongChain, match="no channels for token"):
                await find_channels(rpc, market)
            made = await ensure_channels(bank, market.token)
            assert made.address == channels_address(market.token, 31_337) != channels_address(market.token, 1)
            height = await rpc.block_number()
            assert (await ensure_channels(bank, market.token)).address == made.address
            assert await rpc.block_number() == height
            found = await find_channels(rpc, market)
            assert (await found.view("token"), await found.challenge_seconds()) == (market.token, 60)
            assert found.domain == Domain(31_337, made.address)
            directory = await ensure_directory(bank)
            assert (await find_directory(rpc)).address == directory.address == directory_address()
            await bank.close()

    asyncio.run(check())


def test_a_chain_without_the_deployer_is_said(own_anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(own_anvil.url) as rpc:
            await rpc.call("anvil_setCode", DEPLOYER, "0x")
            with pytest.raises(WrongChain, match="lacks the CREATE2 deployer"):
                await ensure_directory(sender_of(rpc, 0))
            with pytest.raises(WrongChain, match="no directory of caches"):
                await find_directory(rpc)

    asyncio.run(check())


def test_a_reader_pays_two_caches_out_of_one_deposit(anvil: Anvil) -> None:
    async def check() -> None:
        async with channels_on(anvil) as (channels, token):
            cache, ours, others = sender_of(channels.rpc, 3), lane(), lane(cache=OTHER.address)
            before = await token.balance_of(OTHER.address)
            await cache.send(channels.open_signed(opening(channels, ours, 60)), "open:1")
            assert await channels.covers_of([ours, others]) == [Cover(0, 40, 0, 60, 0), Cover(0, 40, 0, 0, 0)]
            (cover,) = await channels.covers_of([ours])
            till = Till(ours, Terms(1), cover).accept(voucher(channels, ours, 70), READER.address)
            assert till.claim() == await channels.view("claimable", ours, 70) == 70
            vouchers = [voucher(channels, ours, 70), voucher(channels, others, 5), voucher(channels, ours, 71, OTHER)]
            await cache.send(channels.redeem(vouchers, OTHER.address), "redeem:1")
            assert await token.balance_of(OTHER.address) - before == 70
            assert await channels.covers_of([ours, others]) == [Cover(0, 30, 0, 0, 70), Cover(0, 30, 0, 0, 0)]
            with pytest.raises(Reverted, match="NothingRedeemed") as refused:
                await cache.send(channels.redeem(vouchers[:1], OTHER.address), "redeem:2")
            assert refused.value.args_by_name == {"why": Refusal.NOTHING_DUE}
            await cache.close()

    asyncio.run(check())


def test_a_voucher_that_fell_short_is_redeemed_again_once_there_is_more(anvil: Anvil) -> None:
    async def check() -> None:
        async with channels_on(anvil) as (channels, _):
            cache, payer = sender_of(channels.rpc, 3), sender_of(channels.rpc, 1)
            chain = OnChain(cast(Actor, SimpleNamespace(sender=cache, address=cache.address)), channels)
            vouchers = [voucher(channels, lane(), 150)]
            await chain.redeem(vouchers)
            assert await channels.covers_of([lane()]) == [Cover(redeemed=100)]
            await payer.send(channels.deposit(READER.address, 70), "deposit more")
            await chain.redeem(vouchers)
            assert await channels.covers_of([lane()]) == [Cover(pool=20, redeemed=150)]
            await cache.close()
            await payer.close()

    asyncio.run(check())


def test_a_sponsor_pays_for_its_reader_within_the_grant(anvil: Anvil) -> None:
    async def check() -> None:
        async with channels_on(anvil) as (channels, _):
            cache, granted = sender_of(channels.rpc, 3), lane(SPONSOR.address)
            grant = Grant(SPONSOR.address, READER.address, 50, 0, FAR)
            signed = SignedGrant(grant, SPONSOR.sign_digest(grant.digest(channels.domain)))
            with pytest.raises(Reverted, match="GrantExceeded"):
                await cache.send(channels.open_signed(opening(channels, granted, 51), signed), "open:1")
            funds = ChannelFunds(channels, "", SPONSOR.address, signed)
            assert (await funds.deposit()).pool == 50, "the deposit has 100"
            await cache.send(channels.open_signed(opening(channels, granted, 40), signed), "open:2")
            assert (await funds.deposit()).pool == 10
            await cache.send(channels.open_signed(opening(channels, granted, 50), signed), "open:3")
            await cache.send(channels.redeem([voucher(channels, granted, 20)], CACHE.address), "redeem:1")
            assert await channels.covers_of([granted]) == [Cover(0, 50, 0, 30, 20)]
            await cache.close()

    asyncio.run(check())


def test_a_payer_takes_the_rest_after_the_challenge(own_anvil: Anvil) -> None:
    async def check() -> None:
        async with channels_on(own_anvil) as (channels, token):
            rpc, reader = channels.rpc, sender_of(channels.rpc, 1)
            now = int(time.time())
            short = lane(expiry=now + 3600)
            await reader.send(channels.open_lane(short, 60), "open")
            with pytest.raises(Reverted, match="NotClosing"):
                await reader.send(channels.withdraw(READER.address), "withdraw:1")
            await reader.send(channels.close(), "close")
            account = await channels.account_of(READER.address)
            assert (account.pool, account.reserved, account.epoch) == (40, 60, 0)
            assert abs(account.closes_at - now - 60) < 30
            await rpc.call("evm_increaseTime", 61)
            await rpc.call("evm_mine")
            before = await token.balance_of(READER.address)
            await reader.send(channels.withdraw(READER.address), "withdraw:2")
            assert await token.balance_of(READER.address) - before == 100
            assert (await channels.account_of(READER.address)).epoch == 1
            assert await channels.view("claimable", short, 60) == 0

            later = lane(SPONSOR.address, expiry=now + 3600)
            sponsor = sender_of(rpc, 2)
            await sponsor.send(channels.open_lane(later, 60), "open")
            with pytest.raises(Reverted, match="LaneLives"):
                await reader.send(channels.reclaim(later), "reclaim:1")
            await rpc.call("evm_increaseTime", 3600)
            await rpc.call("evm_mine")
            await reader.send(channels.reclaim(later), "reclaim:2")
            assert (await channels.account_of(SPONSOR.address)).pool == 100
            await reader.close()
            await sponsor.close()

    asyncio.run(check())


def test_caches_announce_themselves(own_anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(own_anvil.url) as rpc:
            directory = await ensure_directory(sender_of(rpc, 0))
            senders = [sender_of(rpc, at) for at in (1, 2, 3)]
            for at, one in enumerate(senders):
                await one.send(directory.announce(f"http://cache-{at}"), "announce")
            await senders[0].send(directory.retire(), "retire")
            listed = [Announced(senders[at].address, f"http://cache-{at}") for at in (2, 1)]
            assert await directory.caches(10) == listed
            assert await directory.caches(1) == listed[:1]
            assert await directory.count() == 2
            assert await directory.endpoint_of(senders[1].address) == "http://cache-1"
            assert await directory.endpoint_of(senders[0].address) == ""
            with pytest.raises(Reverted, match="NotAnnounced"):
                await senders[0].send(directory.retire(), "retire:2")
            for one in senders:
                await one.close()

    asyncio.run(check())


def test_a_devnet_has_both(tmp_path: Path) -> None:
    async def check() -> None:
        async with await Devnet.start(tmp_path, verifier=ACCEPT_ALL, profile="") as devnet:
            token = devnet.deployment.token
            assert await (await find_channels(devnet.rpc, devnet.deployment)).challenge_seconds() == 60
            assert await (await find_directory(devnet.rpc)).count() == 0
            assert await Token(devnet.rpc, token).balance_of(dev_account(1).address) == 10**6 * TOKEN

    asyncio.run(check())
