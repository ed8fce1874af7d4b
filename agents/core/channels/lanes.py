"""What is signed to pay a cache: vouchers on lanes, and what opens lanes. Typed data (EIP-712) as in IPaymentChannels.sol.

A *lane* is one payer's promise to one cache for one reader's reads. The reader signs an *opening* (so much of the payer's
deposit is kept for this cache) and *vouchers* (so much of it is earned), both cumulative; an app that pays for its readers
signs each a *grant*. The domain binds every signature to one chain and one contract, the lane to cache, epoch and expiry.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from agents.core.errors import VoucherInvalid

DOMAIN_NAME = "Holdfast PaymentChannels"
DOMAIN_VERSION = "1"

DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
LANE_TYPE = "Lane(address payer,address reader,address cache,uint64 epoch,uint64 expiry)"
OPENING_TYPE = f"Opening(Lane lane,uint128 amount){LANE_TYPE}"
VOUCHER_TYPE = f"Voucher(Lane lane,uint128 amount){LANE_TYPE}"
GRANT_TYPE = "Grant(address sponsor,address reader,uint128 limit,uint64 epoch,uint64 expiry)"

MAX_AMOUNT = (1 << 128) - 1
"""Amounts are uint128 on chain."""
MAX_TIME = (1 << 64) - 1
"""Epochs and expiries are uint64 on chain."""

SIGNATURE_BYTES = 65
"""r, s and v of a key's signature."""
MAX_GRANT_SIGNATURE_BYTES = 1024
"""A sponsor may be a contract (ERC-1271), whose signatures have any form."""

_DOMAIN_HASH, _LANE_HASH, _OPENING_HASH, _VOUCHER_HASH, _GRANT_HASH = (
    keccak(text=kind) for kind in (DOMAIN_TYPE, LANE_TYPE, OPENING_TYPE, VOUCHER_TYPE, GRANT_TYPE)
)


def invalid(why: str, do: str = "") -> VoucherInvalid:
    """The error of this room: what was signed cannot be used, and why."""
    return VoucherInvalid("The payment is not valid", why, do)


@lru_cache(maxsize=1 << 14)
def checksummed_address(address: bytes) -> str:
    """The checksummed text of 20 bytes; remembered, for it costs two hashes."""
    return str(to_checksum_address(address))


def _address(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _check(number: int, limit: int, what: str) -> None:
    if not 0 <= number <= limit:
        raise invalid(f"{what} is {number}, outside 0 .. {limit}")


class Refusal(IntEnum):
    """As in IPaymentChannels.sol: why a voucher is passed over."""

    NONE = 0
    NOT_CACHE = 1
    OLD_EPOCH = 2
    EXPIRED = 3
    NOTHING_DUE = 4
    BAD_SIGNATURE = 5
    NOTHING_HELD = 6


@dataclass(frozen=True)
class Domain:
    """Which contract on which chain; what is signed for it is worth nothing elsewhere."""

    chain_id: int
    contract: str
    """Checksummed address of PaymentChannels."""

    @cached_property
    def separator(self) -> bytes:
        """The hash EIP-712 puts before every struct's."""
        name, version = keccak(text=DOMAIN_NAME), keccak(text=DOMAIN_VERSION)
        return keccak(_DOMAIN_HASH + name + version + _word(self.chain_id) + _address(self.contract))

    def digest(self, struct_hash: bytes) -> bytes:
        """The 32 bytes that are signed."""
        return keccak(b"\x19\x01" + self.separator + struct_hash)


@dataclass(frozen=True)
class Lane:
    """One payer, one reader, one cache, until ``expiry`` at the latest."""

    payer: str
    """Whose deposit pays: the reader itself, or its sponsor. Addresses are checksummed."""
    reader: str
    """Whose key signs."""
    cache: str
    """Who is paid, and alone may redeem."""
    epoch: int
    """Of the payer's account: a withdrawal ends it, and every lane in it."""
    expiry: int
    """UNIX seconds from which nothing is paid any more."""

    def __post_init__(self) -> None:
        _check(self.epoch, MAX_TIME, "the epoch")
        _check(self.expiry, MAX_TIME, "the expiry")

    @cached_property
    def id(self) -> bytes:
        """The struct's hash: the lane's name in storage and events."""
        parties = _address(self.payer) + _address(self.reader) + _address(self.cache)
        return keccak(_LANE_HASH + parties + _word(self.epoch) + _word(self.expiry))

    @property
    def sponsored(self) -> bool:
        """Whether somebody else pays for the reader."""
        return self.payer != self.reader

    def as_abi(self) -> tuple[str, str, str, int, int]:
        """The fields in the contract's order."""
        return (self.payer, self.reader, self.cache, self.epoch, self.expiry)


@dataclass(frozen=True)
class Opening:
    """The reader has ``amount`` kept for the lane, all in all: what is kept or was paid already counts."""

    lane: Lane
    amount: int

    def __post_init__(self) -> None:
        _check(self.amount, MAX_AMOUNT, "the amount")

    def digest(self, domain: Domain) -> bytes:
        """What the reader signs."""
        return domain.digest(keccak(_OPENING_HASH + self.lane.id + _word(self.amount)))


@dataclass(frozen=True)
class Voucher:
    """The cache has earned ``amount`` in the lane, all in all; a later voucher replaces an earlier one."""

    lane: Lane
    amount: int

    def __post_init__(self) -> None:
        _check(self.amount, MAX_AMOUNT, "the amount")

    def digest(self, domain: Domain) -> bytes:
        """What the reader signs."""
        return domain.digest(keccak(_VOUCHER_HASH + self.lane.id + _word(self.amount)))


@dataclass(frozen=True)
class Grant:
    """A sponsor lets a reader tie up ``limit`` of its deposit at most, all lanes of the epoch together."""

    sponsor: str
    reader: str
    limit: int
    epoch: int
    """Of the sponsor's account."""
    expiry: int
    """UNIX seconds; no lane under the grant outlives it."""

    def __post_init__(self) -> None:
        _check(self.limit, MAX_AMOUNT, "the limit")
        _check(self.epoch, MAX_TIME, "the epoch")
        _check(self.expiry, MAX_TIME, "the expiry")

    def digest(self, domain: Domain) -> bytes:
        """What the sponsor signs."""
        parties = _address(self.sponsor) + _address(self.reader)
        terms = _word(self.limit) + _word(self.epoch) + _word(self.expiry)
        return domain.digest(keccak(_GRANT_HASH + parties + terms))

    def covers(self, lane: Lane) -> bool:
        """Whether ``lane`` may be opened under it, its limit aside."""
        parties = (self.sponsor, self.reader, self.epoch) == (lane.payer, lane.reader, lane.epoch)
        return parties and lane.expiry <= self.expiry

    def as_abi(self) -> tuple[str, str, int, int, int]:
        """The fields in the contract's order."""
        return (self.sponsor, self.reader, self.limit, self.epoch, self.expiry)


@dataclass(frozen=True)
class SignedOpening:
    """An opening and the reader's signature."""

    opening: Opening
    signature: bytes


@dataclass(frozen=True)
class SignedVoucher:
    """A voucher and the reader's signature."""

    voucher: Voucher
    signature: bytes


@dataclass(frozen=True)
class SignedGrant:
    """A grant and the sponsor's signature: a key's, or what a contract accepts as its own."""

    grant: Grant
    signature: bytes
