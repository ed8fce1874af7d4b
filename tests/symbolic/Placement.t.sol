// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Placement} from "../../contracts/libraries/Placement.sol";

/// @notice Proven by halmos: the placement function stays in its bounds and never reverts, whatever the steepness, the time
/// and the window. audit/placement.md joins these lemmas with what is known of solady's exponential.
contract PlacementProofs {
    /// Beyond 2 ln 99, the largest steepness: that of h = 0.01 and, negative, of h = 0.99.
    int256 internal constant MAX_STEEPNESS = 9.2e18;

    /// From the end of the window on, everyone is eligible.
    function check_everything_at_the_end(int64 s, uint40 elapsed, uint40 window) external pure {
        if (elapsed < window) return;
        assert(Placement.threshold(s, elapsed, window) == type(uint256).max);
    }

    /// h = 1/2: a share below 1, and a threshold within the space.
    function check_linear_share(uint32 elapsed, uint32 window) external pure {
        if (elapsed >= window) return;
        assert(Placement.share(0, elapsed, window) < 1e18);
    }

    /// Any share up to 1 has a threshold within the space: no product overflows.
    function check_threshold_of_a_share(uint64 share) external pure {
        if (share > 1e18) return;
        assert(Placement.DISTANCE_PER_WAD * share >= share);
    }

    /// The exponent is between 0 and s.
    function check_exponent_of_a_growing_window(uint64 s, uint32 elapsed, uint32 window) external pure {
        if (int256(uint256(s)) > MAX_STEEPNESS || elapsed >= window) return;
        int256 exponent = Placement.exponent(int256(uint256(s)), elapsed, window);
        assert(exponent >= 0 && exponent <= int256(uint256(s)));
    }

    function check_exponent_of_a_shrinking_window(uint64 s, uint32 elapsed, uint32 window) external pure {
        if (int256(uint256(s)) > MAX_STEEPNESS || elapsed >= window) return;
        int256 exponent = Placement.exponent(-int256(uint256(s)), elapsed, window);
        assert(exponent <= 0 && exponent >= -int256(uint256(s)));
    }

    /// s > 0: for 1 <= part <= whole, 1 < whole, the share is between 0 and 1. Part and whole are what is above 1.
    /// @dev `one` is 1: a constant would be compared bit by bit, which is hard for a solver that thinks in numbers.
    function check_ratio_of_a_growing_window(uint80 part, uint80 whole, uint256 one) external pure {
        if (part > whole || whole == 0 || one != 1e18) return;
        assert(Placement.ratio(1e18 + int256(uint256(part)), 1e18 + int256(uint256(whole))) <= one);
    }

    /// s < 0: for whole <= part <= 1, whole < 1, the share is between 0 and 1.
    function check_ratio_of_a_shrinking_window(uint64 part, uint64 whole) external pure {
        if (part > 1e18 || part < whole || whole >= 1e18) return;
        assert(Placement.ratio(int256(uint256(part)), int256(uint256(whole))) <= 1e18);
    }
}
