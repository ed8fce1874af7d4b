"""What a reader pays with: its key, whose deposit, and how much the user said to pay at most."""

from dataclasses import dataclass
from typing import Protocol

from agents.chain.channels import Deposit
from agents.core.channels.lanes import Domain, Lane, Opening, SignedGrant, SignedOpening, SignedVoucher, Voucher
from agents.net.signing import DigestSigner, digest_signer


class Funds(Protocol):
    """Where the money is: a reader's own deposit, or a sponsor's."""

    @property
    def domain(self) -> Domain:
        """The contract."""

    @property
    def token(self) -> str:
        """Its token."""

    @property
    def payer(self) -> str:
        """Whose deposit it is."""

    @property
    def grant(self) -> SignedGrant | None:
        """What lets the reader use it, where the payer is another."""

    async def deposit(self) -> Deposit:
        """The payer's account as the chain shows it. Raises ChainError."""


class Budget:
    """What the user said to pay at most, in all lanes together."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.spent = 0

    def spend(self, amount: int) -> None:
        """A voucher for ``amount`` more was signed."""
        self.left -= amount
        self.spent += amount


@dataclass(frozen=True)
class Wallet:
    """The three of them."""

    signer: DigestSigner
    funds: Funds
    budget: Budget

    @property
    def reader(self) -> str:
        """Who signs."""
        return self.signer.address

    def voucher(self, lane: Lane, amount: int) -> SignedVoucher:
        """``amount`` is earned in the lane, all in all."""
        voucher = Voucher(lane, amount)
        return SignedVoucher(voucher, self.signer.sign_digest(voucher.digest(self.funds.domain)))

    def opening(self, lane: Lane, amount: int) -> SignedOpening:
        """``amount`` is kept for the lane, all in all."""
        opening = Opening(lane, amount)
        return SignedOpening(opening, self.signer.sign_digest(opening.digest(self.funds.domain)))

    def signed(self, signed: SignedVoucher) -> bool:
        """Whether it was this reader that signed."""
        try:
            return digest_signer(signed.voucher.digest(self.funds.domain), signed.signature) == self.reader
        except ValueError:
            return False
