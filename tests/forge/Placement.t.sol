// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Placement} from "../../contracts/libraries/Placement.sol";
import {PublicInputs} from "../../contracts/libraries/PublicInputs.sol";
import {Ground} from "./Ground.sol";

contract PlacementTest is Ground {
    error Far(uint256 got, uint256 wanted);

    uint256 internal constant TOLERANCE = 100; // in 1e-18

    function setUp() public override {}

    function testHalfOfTheWindowOpensTheShareH() public pure {
        for (uint256 h = 100; h <= 9900; h += 100) {
            uint256 share = Placement.share(Placement.steepness(h), 50, 100);
            uint256 wanted = h * 1e14;
            uint256 off = share > wanted ? share - wanted : wanted - share;
            require(off <= 10_000, "F(1/2) is not h");
        }
    }

    function testPublishedValues() public pure {
        // F at x = 1/10 and 9/10 for h = 1/4 and h = 3/4, to 18 digits.
        _near(Placement.share(Placement.steepness(2500), 1, 10), 30_716_367_451_939_665);
        _near(Placement.share(Placement.steepness(2500), 9, 10), 778_084_256_980_259_517);
        _near(Placement.share(Placement.steepness(7500), 1, 10), 221_915_743_019_740_482);
        _near(Placement.share(Placement.steepness(7500), 9, 10), 969_283_632_548_060_334);
        _near(Placement.share(Placement.steepness(5000), 3, 10), 300_000_000_000_000_000);
    }

    function _near(uint256 got, uint256 wanted) internal pure {
        if ((got > wanted ? got - wanted : wanted - got) > TOLERANCE) revert Far(got, wanted);
    }

    function testFuzzNeverShrinksAndStaysInRange(uint256 h, uint256 window, uint256 early, uint256 late) public pure {
        h = 100 + h % 9801;
        window = 1 + window % 30 days;
        late = late % (window + 1);
        early = early % (late + 1);
        int256 s = Placement.steepness(h);
        uint256 before = Placement.threshold(s, early, window);
        require(before <= Placement.threshold(s, late, window), "the window shrank");
        require(Placement.threshold(s, 0, window) == 0, "somebody is eligible at once");
        require(Placement.threshold(s, window, window) == type(uint256).max, "somebody is left out at the end");
    }

    function testEntropyReadsThirtyOneBytesLittleEndian() public pure {
        bytes32 challenge = hex"0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20";
        uint256 wanted = 0x1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a090807060504030201;
        require(PublicInputs.entropy(challenge) == wanted, "wrong byte order");
    }
}
