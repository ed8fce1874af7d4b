"""Channels on the market's token, a reader and a sponsor with deposits, and what they sign, as the agents sign it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from eth_account import Account

from agents.core.channels.lanes import Domain, Grant, Lane, Opening, Voucher
from agents.core.units import TOKEN
from agents.net.signing import digest_signing
from tests.contracts.ground import Ground

CHALLENGE = 1_000
DEPOSIT = 100 * TOKEN
LIFE = 10_000
"""Seconds from the beginning of a test to the expiry of its lanes."""


@dataclass(frozen=True)
class Town:
    """Who pays, reads and serves."""

    channels: Any
    reader: Any
    sponsor: Any
    cache: Any
    other_cache: Any
    domain: Domain
    expiry: int

    def lane(self, *, payer: Any = None, cache: Any = None, **changes: Any) -> Lane:
        """The reader's lane at a cache; its own, or of another payer."""
        payer, cache = payer or self.reader, cache or self.cache
        lane = Lane(payer.address, self.reader.address, cache.address, 0, self.expiry)
        return replace(lane, **changes)

    def signed(self, paper: Opening | Voucher | Grant, by: Any = None) -> bytes:
        """The signature of ``by``, or of the reader."""
        return digest_signing(bytes(Account.from_key((by or self.reader).private_key).key))(paper.digest(self.domain))

    def opening(self, lane: Lane, amount: int) -> tuple[Any, ...]:
        """The first arguments of an opening by signature."""
        return lane.as_abi(), amount, self.signed(Opening(lane, amount))

    def grant(self, limit: int, expiry: int | None = None) -> tuple[int, int, bytes]:
        """The sponsor's grant to the reader, as the contract takes it."""
        grant = Grant(self.sponsor.address, self.reader.address, limit, 0, expiry or self.expiry)
        return grant.limit, grant.expiry, self.signed(grant, self.sponsor)

    def voucher(self, lane: Lane, amount: int, by: Any = None) -> tuple[Any, ...]:
        """A voucher as the contract takes it."""
        return lane.as_abi(), amount, self.signed(Voucher(lane, amount), by)

    def account(self, payer: Any) -> tuple[int, int]:
        """The payer's pool, and what lanes keep of its deposit."""
        found = self.channels.accountOf(payer)
        return found.pool, found.reserved

    def books(self, lane: Lane) -> tuple[int, int]:
        """What the lane keeps, and has paid."""
        found = self.channels.laneOf(lane.id)
        return found.reserved, found.redeemed


@pytest.fixture
def town(ground: Ground, token: Any) -> Iterator[Town]:
    """Reader and sponsor have deposited ``DEPOSIT`` each. The contract holds what it owes when a test ends."""
    reader, sponsor, cache, other_cache = ground.client, ground.stranger, ground.hosts[0], ground.hosts[1]
    channels = ground.owner.deploy(ground.contracts.PaymentChannels, token, CHALLENGE)
    for payer in (reader, sponsor):
        token.approve(channels, 2**256 - 1, sender=payer)
        channels.deposit(payer, DEPOSIT, sender=payer)
    domain = Domain(ground.chain.chain_id, channels.address)
    town = Town(channels, reader, sponsor, cache, other_cache, domain, ground.now + LIFE)
    yield town
    owed = sum(sum(town.account(payer)) for payer in (reader, sponsor, cache))
    assert token.balanceOf(channels) == owed
