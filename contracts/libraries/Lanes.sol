// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Grant, Lane, LaneId} from "../interfaces/IPaymentChannels.sol";

/// @notice The struct hashes (EIP-712) of what is signed to pay a cache.
library Lanes {
    bytes32 private constant LANE =
        keccak256("Lane(address payer,address reader,address cache,uint64 epoch,uint64 expiry)");
    bytes32 private constant OPENING = keccak256(
        "Opening(Lane lane,uint128 amount)Lane(address payer,address reader,address cache,uint64 epoch,uint64 expiry)"
    );
    bytes32 private constant VOUCHER = keccak256(
        "Voucher(Lane lane,uint128 amount)Lane(address payer,address reader,address cache,uint64 epoch,uint64 expiry)"
    );
    bytes32 private constant GRANT =
        keccak256("Grant(address sponsor,address reader,uint128 limit,uint64 epoch,uint64 expiry)");

    function id(Lane memory lane) internal pure returns (LaneId) {
        return LaneId.wrap(keccak256(abi.encode(LANE, lane)));
    }

    function openingHash(LaneId lane, uint128 amount) internal pure returns (bytes32) {
        return keccak256(abi.encode(OPENING, lane, amount));
    }

    function voucherHash(LaneId lane, uint128 amount) internal pure returns (bytes32) {
        return keccak256(abi.encode(VOUCHER, lane, amount));
    }

    function hash(Grant memory grant) internal pure returns (bytes32) {
        return keccak256(abi.encode(GRANT, grant));
    }
}
