// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IMarketplace, MarketConfig} from "../interfaces/IMarketplace.sol";
import {Shares} from "./Shares.sol";

/// @notice What a market's configuration must be for its rules to hold.
library Configs {
    /// Block hashes that EIP-2935 keeps.
    uint256 internal constant HASHED_BLOCKS = 8191;

    /// Periods of which a slot remembers the proofs while their misses can be marked.
    uint256 internal constant MARKABLE_PERIODS = 32;

    /// The share of the collateral that marking and repairing may pay in all: what is left makes dropping a slot to
    /// repair it oneself a loss.
    uint256 internal constant MAX_REWARD_BPS = 9000;

    /// @dev Reverts with Marketplace_InvalidConfig and the name of the first field that is out of bounds.
    function check(MarketConfig memory c) internal pure {
        // A period's challenge is known from its second block on.
        if (c.periodBlocks < 2 || c.periodBlocks > HASHED_BLOCKS) {
            revert IMarketplace.Marketplace_InvalidConfig("periodBlocks");
        }
        if (
            c.markBlocks == 0 || c.markBlocks > HASHED_BLOCKS - c.periodBlocks
                || Math.ceilDiv(c.markBlocks, c.periodBlocks) > MARKABLE_PERIODS
        ) revert IMarketplace.Marketplace_InvalidConfig("markBlocks");
        if (c.blockSeconds == 0 || c.blockSeconds > type(uint32).max) {
            revert IMarketplace.Marketplace_InvalidConfig("blockSeconds");
        }
        // Every miss must have been markable before anything is settled.
        if (
            c.settleSeconds < 2 * (c.periodBlocks + c.markBlocks) * c.blockSeconds || c.settleSeconds > type(uint48).max
        ) revert IMarketplace.Marketplace_InvalidConfig("settleSeconds");
        if (c.maxMisses == 0 || c.maxMisses > type(uint8).max) {
            revert IMarketplace.Marketplace_InvalidConfig("maxMisses");
        }
        uint256 slashable = uint256(c.maxMisses) * c.slashBps;
        if (slashable > Shares.BPS) revert IMarketplace.Marketplace_InvalidConfig("slashBps");
        if (c.validatorBps > Shares.BPS) revert IMarketplace.Marketplace_InvalidConfig("validatorBps");
        if (slashable * c.validatorBps + c.bountyBps * Shares.BPS > MAX_REWARD_BPS * Shares.BPS) {
            revert IMarketplace.Marketplace_InvalidConfig("bountyBps");
        }
        if (c.bondBps > Shares.BPS) revert IMarketplace.Marketplace_InvalidConfig("bondBps");
        if (c.reserveSeconds == 0 || c.reserveSeconds > type(uint32).max) {
            revert IMarketplace.Marketplace_InvalidConfig("reserveSeconds");
        }
        if (c.repairWindow == 0 || c.repairWindow > type(uint32).max) {
            revert IMarketplace.Marketplace_InvalidConfig("repairWindow");
        }
        if (c.minTermPeriods > type(uint32).max) revert IMarketplace.Marketplace_InvalidConfig("minTermPeriods");
        // A reservation may outlast the request: its deadline too is kept as 32 bits of seconds.
        if (c.maxDuration < 2 || c.maxDuration > type(uint32).max - c.reserveSeconds) {
            revert IMarketplace.Marketplace_InvalidConfig("maxDuration");
        }
        if (c.minExtension < c.periodBlocks * c.blockSeconds || c.minExtension > type(uint32).max) {
            revert IMarketplace.Marketplace_InvalidConfig("minExtension");
        }
    }
}
