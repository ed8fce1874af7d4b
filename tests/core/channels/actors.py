"""A reader, a sponsor and a cache with keys of their own, and what they sign."""

from eth_account import Account
from eth_utils.crypto import keccak

from agents.core.channels.lanes import (
    Domain,
    Grant,
    Lane,
    Opening,
    SignedGrant,
    SignedOpening,
    SignedVoucher,
    Voucher,
)
from agents.net.signing import AccountSigner, digest_signer

READER, SPONSOR, CACHE, STRANGER = (
    AccountSigner(Account.from_key(keccak(text=who))) for who in ("reader", "sponsor", "cache", "stranger")
)

DOMAIN = Domain(31_337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")

EXPIRY = 1_000_000

LANE = Lane(READER.address, READER.address, CACHE.address, epoch=0, expiry=EXPIRY)

SPONSORED = Lane(SPONSOR.address, READER.address, CACHE.address, epoch=0, expiry=EXPIRY)


def voucher(
    amount: int, lane: Lane = LANE, signer: AccountSigner = READER, domain: Domain = DOMAIN
) -> tuple[SignedVoucher, str]:
    """A voucher, and whose it is to somebody who checks it for DOMAIN."""
    made = Voucher(lane, amount)
    signature = signer.sign_digest(made.digest(domain))
    return SignedVoucher(made, signature), digest_signer(made.digest(DOMAIN), signature)


def opening(amount: int, lane: Lane = LANE) -> SignedOpening:
    made = Opening(lane, amount)
    return SignedOpening(made, READER.sign_digest(made.digest(DOMAIN)))


def grant(limit: int, expiry: int = EXPIRY) -> SignedGrant:
    made = Grant(SPONSOR.address, READER.address, limit, 0, expiry)
    return SignedGrant(made, SPONSOR.sign_digest(made.digest(DOMAIN)))
