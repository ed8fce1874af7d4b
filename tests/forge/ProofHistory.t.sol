// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ProofHistory} from "../../contracts/libraries/ProofHistory.sol";
import {Test} from "./Cheats.sol";

/// @notice The packed history against a plain one, under every order in which proofs and misses may come.
contract ProofHistoryTest is Test {
    uint64 internal constant FIRST = 1000;

    /// A miss is marked at most this many periods after its own.
    uint64 internal constant REACH = 33;

    mapping(uint64 => bool) internal proven;
    mapping(uint64 => bool) internal missed;

    function test_fuzz_remembers_what_can_still_be_asked(uint256 seed) external {
        ProofHistory memory history = ProofHistory(FIRST, 0, 0, 0);
        uint64 current = FIRST;
        for (uint256 step; step < 40; ++step) {
            uint256 dice = uint256(keccak256(abi.encode(seed, step)));
            current += uint64(dice % 4 == 0 ? (dice >> 8) % 80 : dice % 3);
            if (dice & 16 == 0 && current > FIRST) {
                history.addProven(current);
                proven[current] = true;
            } else if (current > FIRST + REACH) {
                uint64 period = current - 1 - uint64((dice >> 16) % (REACH - 1));
                if (!proven[period]) {
                    history.addMissed(period);
                    missed[period] = true;
                }
            }
            _check(history, current);
        }
    }

    function _check(ProofHistory memory history, uint64 current) internal view {
        bool after_;
        for (uint64 age; age <= REACH && age < current; ++age) {
            uint64 period = current - age;
            isTrue(history.wasProven(period) == proven[period], "proven");
            isTrue(history.wasMissed(period) == missed[period], "missed");
            isTrue(history.provenAfter(period) == after_, "proven after");
            after_ = after_ || proven[period];
        }
    }
}
