"""A cache's counter over a chain in memory and books on disk, and those who pay there."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account as EthAccount

from agents.core.channels.lanes import Domain, Lane, SignedVoucher, Voucher
from agents.core.channels.offers import Offer
from agents.core.channels.terms import Terms
from agents.core.channels.wire import PAYMENT_HEADER, Payment, payment_text
from agents.net.shelf import PaymentRequired, Reading
from agents.net.signing import AccountSigner
from agents.roles.caching.cashier import Cashier
from agents.roles.caching.debts import Debts
from agents.roles.caching.lanes import LaneBook
from agents.roles.caching.redeeming import Redeemer
from agents.roles.caching.selling import PaidTicket, Selling
from agents.store.state import StateStore
from tests.roles.caching.ledger import Ledger

KIB, MIB = 1 << 10, 1 << 20
NOW = 1_700_000_000
DOMAIN = Domain(31337, "0x" + "11" * 20)
READER, OTHER, SPONSOR = (AccountSigner(EthAccount.from_key(bytes([number]) * 32)) for number in (1, 2, 3))
CACHE = AccountSigner(EthAccount.from_key(b"\x09" * 32)).address
TERMS = Terms(price=10, interval=MIB, growth=MIB, minimal_deposit=1000)
OFFER = Offer(DOMAIN, "0x" + "22" * 20, CACHE, TERMS, 60)
LANE = Lane(READER.address, READER.address, CACHE, 0, NOW + 7 * 86_400)
INTERVAL = TERMS.cost(MIB)


@dataclass
class Shop:
    """A cache that sells, and its clock."""

    folder: Path
    chain: Ledger = field(default_factory=Ledger)
    now: float = NOW

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        self.book = LaneBook(StateStore(self.folder / "lanes.db"), TERMS)
        self.debts = Debts(StateStore(self.folder / "debts.db"))
        self.cashier = Cashier(OFFER, self.chain, self.book, self.debts, lambda: self.now)
        self.selling = Selling(self.cashier, patience=0.2)

    def redeemer(self, worth: int, least: int = INTERVAL) -> Redeemer:
        return Redeemer(self.cashier, self.chain, self.book, worth, least, lambda: self.now)

    async def admit(self, payment: Payment | None, size: int = 8 * MIB) -> PaidTicket:
        headers = {} if payment is None else {PAYMENT_HEADER: payment_text(payment)}
        return await self.selling.admit(Reading("127.0.0.1", headers, size))

    async def vouch(self, payment: Payment) -> dict[str, Any]:
        return dict(await self.selling.vouch("127.0.0.1", {PAYMENT_HEADER: payment_text(payment)}))

    async def drained(self, ticket: PaidTicket) -> int:
        """Bytes served until it stops."""
        served = 0
        while await self._took(ticket, 64 * KIB):
            served += 64 * KIB
        ticket.close()
        return served

    async def _took(self, ticket: PaidTicket, size: int) -> bool:
        taking = asyncio.create_task(ticket.take(size))
        await asyncio.sleep(0)
        self.now += 0 if taking.done() else 0.3  # patience is over
        try:
            await taking
        except PaymentRequired:
            return False
        return True


def paying(amount: int, lane: Lane = LANE, signer: AccountSigner = READER, domain: Domain = DOMAIN) -> Payment:
    """A voucher on a lane."""
    voucher = Voucher(lane, amount)
    proof = READER.sign_digest(Voucher(lane, 0).digest(DOMAIN)) if signer is not OTHER else None
    return Payment(lane, SignedVoucher(voucher, signer.sign_digest(voucher.digest(domain))), proof=proof)


def told(error: pytest.ExceptionInfo[PaymentRequired]) -> tuple[str | None, int]:
    """Why nothing is served, and how much might be."""
    return error.value.offer["lane"]["halt"], error.value.offer["lane"]["room"]


async def earned(shop: Shop, amount: int, lane: Lane = LANE) -> None:
    """``amount`` is signed for in a lane."""
    shop.chain.keep(lane, 50 * INTERVAL)
    await shop.vouch(paying(amount, lane))
