// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IMarketplace} from "../interfaces/IMarketplace.sol";
import {Amount, Ask, AskField, Request} from "./Types.sol";

/// @notice What a market sells at all, and what it comes to.
library Asks {
    /// Order of the BN254 scalar field: dataset roots are below it.
    uint256 internal constant SCALAR_ORDER =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// @dev Reverts with Marketplace_InvalidAsk and the first field that is out of bounds.
    function check(Request calldata request, uint256 maxDuration, uint256 stakePerByte) internal pure {
        Ask calldata ask = request.ask;
        if (ask.slots == 0 || ask.slots > 256) _refuse(AskField.Slots);
        if (ask.maxSlotLoss >= ask.slots) _refuse(AskField.MaxSlotLoss);
        if (ask.repairThreshold == 0 || ask.repairThreshold > Math.max(1, ask.maxSlotLoss)) {
            _refuse(AskField.RepairThreshold);
        }
        if (ask.slotSize == 0) _refuse(AskField.SlotSize);
        if (ask.duration > maxDuration) _refuse(AskField.Duration);
        if (ask.proofProbability == 0) _refuse(AskField.ProofProbability);
        if (ask.dispersal < 100 || ask.dispersal > 9900) _refuse(AskField.Dispersal);
        if (ask.collateralPerByte < stakePerByte) _refuse(AskField.CollateralPerByte);
        if (request.content.root == 0 || request.content.root >= SCALAR_ORDER) _refuse(AskField.Root);
        if (request.expiry == 0 || request.expiry >= ask.duration) _refuse(AskField.Expiry);
    }

    /// @notice Pay a second and collateral of a slot, and the price of all slots, in base units.
    /// @dev Bounded products: every later sum of pay, slashes and pots of the request fits 128 bits.
    function amounts(Ask calldata ask) internal pure returns (uint256 rate, uint256 collateral, uint256 all) {
        rate = uint256(ask.pricePerBytePerSecond) * ask.slotSize;
        if (rate > type(uint128).max) revert IMarketplace.Marketplace_AmountTooLarge(Amount.Rate);
        all = price(ask.slots, ask.duration, rate);
        collateral = uint256(ask.collateralPerByte) * ask.slotSize;
        if (collateral > type(uint128).max / ask.slots) {
            revert IMarketplace.Marketplace_AmountTooLarge(Amount.Collateral);
        }
    }

    /// @notice The price of all slots for `duration` seconds.
    function price(uint256 slots, uint256 duration, uint256 rate) internal pure returns (uint256 all) {
        all = slots * duration * rate;
        if (all > type(uint128).max) revert IMarketplace.Marketplace_AmountTooLarge(Amount.Price);
    }

    function _refuse(AskField field) private pure {
        revert IMarketplace.Marketplace_InvalidAsk(field);
    }
}
