"""The market's nouns, field for field as in contracts/libraries/Types.sol and the contracts' configurations.

Ids are plain ``bytes`` of 32: a request's id ends in a zero byte, a slot's id has the slot's index there, so each names
the other. Amounts are base units of the token, times are UNIX seconds, sizes are bytes.
"""

from dataclasses import dataclass
from enum import IntEnum

from eth_abi.abi import encode
from eth_utils.crypto import keccak

BPS = 10_000
"""Basis points in a whole."""

DEV_CHAIN_IDS = frozenset({31_337, 1_337})
"""Chains that run on somebody's own machine. Nobody joins a stranger's."""

MAX_SLOTS = 256
"""Slots of one request at most: an index fits the lowest byte of a slot's id."""

HASHED_BLOCKS = 8191
"""Block hashes the chain remembers (EIP-2935)."""


class RequestState(IntEnum):
    """As in Types.sol."""

    NONE = 0
    NEW = 1
    STARTED = 2
    CANCELLED = 3
    FAILED = 4
    FINISHED = 5

    @property
    def terminal(self) -> bool:
        """Whether the request never changes state again."""
        return self in (RequestState.CANCELLED, RequestState.FAILED, RequestState.FINISHED)


class SlotState(IntEnum):
    """As in Types.sol."""

    FREE = 0
    RESERVED = 1
    FILLED = 2
    LOST = 3
    DEPARTED = 4
    """Its host served the time it agreed to, and no more."""
    SETTLED = 5


class AskField(IntEnum):
    """As in Types.sol: what is wrong with a request, in an error."""

    SLOTS = 0
    MAX_SLOT_LOSS = 1
    REPAIR_THRESHOLD = 2
    SLOT_SIZE = 3
    DURATION = 4
    PROOF_PROBABILITY = 5
    DISPERSAL = 6
    COLLATERAL_PER_BYTE = 7
    ROOT = 8
    EXPIRY = 9


class Amount(IntEnum):
    """As in Types.sol: which product of a request does not fit 128 bits, in an error."""

    RATE = 0
    PRICE = 1
    COLLATERAL = 2


@dataclass(frozen=True)
class Ask:
    """What a client asks for."""

    proof_probability: int
    """A slot must prove one period in this many on average: 1 .. 65535."""
    slots: int
    """Slots of the dataset, parity included: 1 .. 256."""
    max_slot_loss: int
    """Vacant slots the request survives."""
    repair_threshold: int
    """Vacant slots that open a repair."""
    dispersal: int
    """h of the placement window in basis points: 100 .. 9900."""
    slot_size: int
    """Bytes of one slot, as stored and billed."""
    duration: int
    """Seconds from creation to end."""
    price_per_byte_per_second: int
    collateral_per_byte: int

    @property
    def rate(self) -> int:
        """What one slot earns a second."""
        return self.price_per_byte_per_second * self.slot_size

    @property
    def collateral(self) -> int:
        """What a host locks for one slot (C in the rules)."""
        return self.collateral_per_byte * self.slot_size

    @property
    def price(self) -> int:
        """What the client deposits."""
        return self.slots * self.duration * self.rate

    def as_abi(self) -> tuple[int, ...]:
        """The fields in the contract's order."""
        return (
            self.proof_probability,
            self.slots,
            self.max_slot_loss,
            self.repair_threshold,
            self.dispersal,
            self.slot_size,
            self.duration,
            self.price_per_byte_per_second,
            self.collateral_per_byte,
        )


@dataclass(frozen=True)
class Content:
    """What is stored."""

    cid: bytes
    """sha2-256 digest of the manifest, 32 bytes."""
    root: int
    """Poseidon2 root of the dataset, below the scalar order."""

    def as_abi(self) -> tuple[bytes, int]:
        """The fields in the contract's order."""
        return self.cid, self.root


ASK_ABI = "(uint16,uint16,uint16,uint16,uint16,uint64,uint40,uint128,uint128)"
CONTENT_ABI = "(bytes32,uint256)"
REQUEST_ABI = f"(address,{ASK_ABI},{CONTENT_ABI},uint40,bytes32)"


@dataclass(frozen=True)
class Request:
    """A storage request, as posted."""

    client: str
    """Checksummed address."""
    ask: Ask
    content: Content
    expiry: int
    """Seconds from creation within which every slot must be filled."""
    nonce: bytes
    """32 bytes that tell two requests for the same content apart."""

    def as_abi(self) -> tuple[object, ...]:
        """The fields in the contract's order."""
        return self.client, self.ask.as_abi(), self.content.as_abi(), self.expiry, self.nonce

    @property
    def id(self) -> bytes:
        """keccak256 of the ABI-encoded request, its lowest byte cleared."""
        return keccak(encode([REQUEST_ABI], [self.as_abi()]))[:31] + b"\0"


def slot_id(request_id: bytes, index: int) -> bytes:
    """The id of slot ``index`` of a request."""
    return request_id[:31] + bytes([index])


def request_id_of(slot_id: bytes) -> bytes:
    """The request a slot belongs to."""
    return slot_id[:31] + b"\0"


def slot_index_of(slot_id: bytes) -> int:
    """Which slot of its request it is."""
    return slot_id[31]


@dataclass(frozen=True)
class Extension:
    """Time that somebody added to a request, as in IExtensions.sol."""

    funder: str
    start: int
    until: int
    idle: int
    """Base units of its price that no host is committed to earn."""


@dataclass(frozen=True)
class MarketConfig:
    """What is fixed when the market is deployed, field for field as in IMarketplace.sol. Shares in basis points."""

    period_blocks: int
    block_seconds: int
    mark_blocks: int
    settle_seconds: int
    max_misses: int
    slash_bps: int
    validator_bps: int
    bounty_bps: int
    bond_bps: int
    reserve_seconds: int
    repair_window: int
    min_term_periods: int
    max_duration: int
    """Seconds, extensions included."""
    min_extension: int
    """Seconds: a period or more."""

    @property
    def period_seconds(self) -> int:
        """A lower bound of the seconds a period lasts."""
        return self.period_blocks * self.block_seconds

    def as_abi(self) -> tuple[int, ...]:
        """The fields in the contract's order."""
        return tuple(vars(self).values())


@dataclass(frozen=True)
class StakeConfig:
    """What is fixed when the registry is deployed, field for field as in IStakeRegistry.sol."""

    min_stake: int
    stake_per_byte: int
    unbonding_seconds: int
    sink: str

    def as_abi(self) -> tuple[int, int, int, str]:
        """The fields in the contract's order."""
        return self.min_stake, self.stake_per_byte, self.unbonding_seconds, self.sink
