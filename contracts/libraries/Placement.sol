// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @notice Who may reserve a slot when: the expanding window of the Codex paper.
///
/// Each reservation of a slot has a random position A0; a provider is eligible once its distance XOR(id, A0) is below
/// 2^256 F(t), where t is the elapsed share of the sale window and
///     F(t) = (e^{s t} - 1) / (e^s - 1),   s = 2 ln((1 - h) / h),   F(t) = t at h = 1/2,
/// so that F(1/2) = h: a small h keeps a slot for the nearest ids for longer.
library Placement {
    int256 internal constant WAD = 1e18;
    uint256 internal constant BPS = 10_000;

    /// 2^256 / 10^18, rounded down.
    uint256 internal constant DISTANCE_PER_WAD = type(uint256).max / 1e18;

    /// @notice s, in 1e-18, for h in basis points (100 .. 9900); 0 at h = 1/2.
    function steepness(uint256 dispersal) internal pure returns (int256) {
        return 2 * FixedPointMathLib.lnWad(int256((BPS - dispersal) * 1e18 / dispersal));
    }

    /// @notice F(elapsed / window) in 1e-18, rounded down, for elapsed < window.
    function share(int256 s, uint256 elapsed, uint256 window) internal pure returns (uint256) {
        if (s == 0) return elapsed * 1e18 / window;
        return ratio(FixedPointMathLib.expWad(exponent(s, elapsed, window)), FixedPointMathLib.expWad(s));
    }

    /// @notice s t, rounded toward zero: between 0 and s.
    function exponent(int256 s, uint256 elapsed, uint256 window) internal pure returns (int256) {
        return s * int256(elapsed) / int256(window);
    }

    /// @notice (part - 1) / (whole - 1) in 1e-18, rounded down, for part between 1 and whole.
    /// @dev Both differences have the same sign, so the quotient is never negative.
    function ratio(int256 part, int256 whole) internal pure returns (uint256) {
        return uint256(WAD * (part - WAD) / (whole - WAD));
    }

    /// @notice The distance below which a provider is eligible; everything once the window is over.
    function threshold(int256 s, uint256 elapsed, uint256 window) internal pure returns (uint256) {
        if (elapsed >= window) return type(uint256).max;
        return share(s, elapsed, window) * DISTANCE_PER_WAD;
    }
}
