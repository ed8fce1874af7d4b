// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice Who gets how much: the market's formulas, in base units, shares in basis points, rounded down.
/// Whoever comes last gets the rest, by subtraction: nothing is stranded.
/// @dev Nothing overflows for amounts below 2^128 and shares up to 10,000.
library Shares {
    uint256 internal constant BPS = 10_000;

    /// A bond doubles with each expired reservation of a sale, this many times.
    uint256 internal constant MAX_BOND_DOUBLINGS = 6;

    function share(uint256 amount, uint256 bps) internal pure returns (uint256) {
        return amount * bps / BPS;
    }

    /// @notice What `misses` misses cost: always a share of the original collateral, never of what is left of it.
    function slashed(uint256 collateral, uint256 slashBps, uint256 misses) internal pure returns (uint256) {
        return share(collateral, slashBps) * misses;
    }

    /// @notice What a reservation forfeits when it expires, after `expired` others of the same sale.
    function bond(uint256 collateral, uint256 bondBps, uint256 expired) internal pure returns (uint256) {
        return Math.min(collateral, share(collateral, bondBps << Math.min(expired, MAX_BOND_DOUBLINGS)));
    }

    /// @notice The most a repair earns when `elapsed` of the sale's window had passed at the reservation.
    function bounty(uint256 collateral, uint256 bountyBps, uint256 elapsed, uint256 window)
        internal
        pure
        returns (uint256)
    {
        return collateral * bountyBps * Math.min(elapsed, window) / (BPS * window);
    }

    /// @notice Earned in `served` seconds at `rate`, less `lost` seconds of pay, less what was claimed; not below zero.
    function unclaimed(uint256 rate, uint256 served, uint256 lost, uint256 claimed) internal pure returns (uint256) {
        return Math.saturatingSub(rate * served, rate * lost + claimed);
    }
}
