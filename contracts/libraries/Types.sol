// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice keccak256 of the ABI-encoded request with its lowest byte cleared.
type RequestId is bytes32;

/// @notice A request's id with the slot's index in the lowest byte, so each names the other.
type SlotId is bytes32;

/// @notice A proof period: blocks [q * PERIOD_BLOCKS, (q + 1) * PERIOD_BLOCKS).
type Period is uint64;

using {slotId} for RequestId global;
using {requestOf, indexOf} for SlotId global;

function slotId(RequestId id, uint16 index) pure returns (SlotId) {
    return SlotId.wrap(RequestId.unwrap(id) | bytes32(uint256(index)));
}

function requestOf(SlotId id) pure returns (RequestId) {
    return RequestId.wrap(SlotId.unwrap(id) & ~bytes32(uint256(0xff)));
}

function indexOf(SlotId id) pure returns (uint16) {
    return uint8(uint256(SlotId.unwrap(id)));
}

/// @notice What a client asks for.
struct Ask {
    /// A slot must prove one period in this many on average: 1 .. 65535.
    uint16 proofProbability;
    /// Slots of the dataset, parity included: 1 .. 256.
    uint16 slots;
    /// Vacant slots the request survives; one more fails it.
    uint16 maxSlotLoss;
    /// Vacant slots that open a repair.
    uint16 repairThreshold;
    /// h of the placement window, in basis points: 100 .. 9900.
    uint16 dispersal;
    /// Bytes of one slot, as stored and billed.
    uint64 slotSize;
    /// Seconds from the creation of the request to its end.
    uint40 duration;
    /// Base units of the token.
    uint128 pricePerBytePerSecond;
    /// Base units of the token that a host locks per byte.
    uint128 collateralPerByte;
}

/// @notice What is stored.
struct Content {
    /// sha2-256 digest of the manifest (its CIDv1 is dag-cbor over this digest).
    bytes32 cid;
    /// Poseidon2 root of the dataset, below the BN254 scalar order.
    uint256 root;
}

struct Request {
    address client;
    Ask ask;
    Content content;
    /// Seconds from creation within which every slot must be filled.
    uint40 expiry;
    /// Tells two requests for the same content apart.
    bytes32 nonce;
}

/// @notice What is wrong with a request, in an error.
enum AskField {
    Slots,
    MaxSlotLoss,
    RepairThreshold,
    SlotSize,
    Duration,
    ProofProbability,
    Dispersal,
    CollateralPerByte,
    Root,
    Expiry
}

/// @notice Which product of a request does not fit 128 bits, in an error.
enum Amount {
    Rate,
    Price,
    Collateral
}

enum RequestState {
    None,
    New,
    Started,
    Cancelled,
    Failed,
    Finished
}

enum SlotState {
    Free,
    Reserved,
    Filled,
    Lost,
    Departed,
    Settled
}
