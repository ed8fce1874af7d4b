// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Placement} from "../../contracts/libraries/Placement.sol";
import {Test} from "./Cheats.sol";

/// @notice The placement function at many points: a million of them in scripts/audit, audit/placement.md says why.
contract PlacementPointsTest is Test {
    /// forge-config: default.fuzz.runs = 1000
    /// forge-config: mutation.fuzz.runs = 100
    /// forge-config: audit.fuzz.runs = 1000000
    function test_fuzz_never_shrinks(uint16 dispersal, uint32 window, uint32 elapsed, uint32 later) external pure {
        int256 s = Placement.steepness(within(dispersal, 100, 9900));
        uint256 end = within(window, 1, type(uint32).max);
        uint256 first = within(elapsed, 0, end - 1);
        uint256 second = within(later, first, end - 1);
        uint256 share = Placement.share(s, first, end);
        isTrue(share <= Placement.share(s, second, end), "never shrinks");
        isTrue(Placement.share(s, second, end) <= 1e18, "a share");
    }

    /// @dev Every steepness there is: each can be computed and its window opens from nothing.
    function test_every_dispersal_has_a_steepness_within_its_bounds() external pure {
        int256 before = type(int256).max;
        for (uint256 dispersal = 100; dispersal <= 9900; ++dispersal) {
            int256 s = Placement.steepness(dispersal);
            isTrue(s < before, "a larger dispersal is less steep");
            isTrue(s <= 9.2e18 && s >= -9.2e18, "within the bounds of the proofs");
            isTrue(Placement.share(s, 0, 1) == 0, "nobody at the start");
            before = s;
        }
    }
}
