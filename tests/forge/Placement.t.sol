// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Placement} from "../../contracts/libraries/Placement.sol";
import {Test} from "./Cheats.sol";

/// @notice The expanding window against 30-digit values, and its shape everywhere else.
contract PlacementTest is Test {
    /// In 1e-18: what fixed point loses at most.
    uint256 internal constant TOLERANCE = 20;

    function test_vectors() external view {
        string memory json = vm.readFile("tests/vectors/placement_window.json");
        for (uint256 i; i < 56; ++i) {
            string memory row = string.concat(".rows[", Strings.toString(i), "]");
            uint256 dispersal = _wad(vm.parseJsonString(json, string.concat(row, ".h"))) / 1e14;
            uint256 elapsed = _wad(vm.parseJsonString(json, string.concat(row, ".x"))) / 1e14;
            uint256 expected = _wad(vm.parseJsonString(json, string.concat(row, ".F")));
            uint256 found = Placement.share(Placement.steepness(dispersal), elapsed, 10_000);
            uint256 off = found > expected ? found - expected : expected - found;
            isTrue(off <= TOLERANCE, row);
        }
    }

    function test_half_is_linear() external pure {
        eq(uint256(Placement.steepness(5000)), 0, "s");
        eq(Placement.share(0, 1, 3), uint256(1e18) / 3, "a third, rounded down");
    }

    function test_steepness_fits_its_place_in_storage() external pure {
        eq(uint256(Placement.steepness(100)), uint256(int256(int64(Placement.steepness(100)))), "h = 0.01");
        isTrue(Placement.steepness(9900) == int64(Placement.steepness(9900)), "h = 0.99");
    }

    function test_everyone_is_eligible_from_the_end_of_the_window() external pure {
        eq(Placement.threshold(Placement.steepness(100), 600, 600), type(uint256).max, "at the end");
        eq(Placement.threshold(Placement.steepness(100), type(uint40).max, 0), type(uint256).max, "without a window");
    }

    function test_fuzz_grows_from_nothing(uint256 dispersal, uint256 window, uint256 elapsed) external pure {
        int256 s = Placement.steepness(within(dispersal, 100, 9900));
        window = within(window, 2, type(uint32).max);
        elapsed = within(elapsed, 0, window - 2);
        eq(Placement.threshold(s, 0, window), 0, "nobody at the start");
        uint256 share = Placement.share(s, elapsed, window);
        isTrue(share <= Placement.share(s, elapsed + 1, window), "never shrinks");
        isTrue(share <= 1e18, "a share");
        isTrue(Placement.threshold(s, elapsed, window) == share * (type(uint256).max / 1e18), "of the whole space");
    }

    /// @dev "0.0123" in 1e-18, further digits cut.
    function _wad(string memory decimal) internal pure returns (uint256 value) {
        bytes memory digits = bytes(decimal);
        uint256 places;
        bool fraction;
        for (uint256 i; i < digits.length && places < 18; ++i) {
            if (digits[i] == ".") {
                fraction = true;
                continue;
            }
            value = value * 10 + uint8(digits[i]) - 48;
            if (fraction) ++places;
        }
        value *= 10 ** (18 - places);
    }
}
