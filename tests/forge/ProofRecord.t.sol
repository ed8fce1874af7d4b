// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ProofRecord, ProofRecords} from "../../contracts/libraries/ProofRecord.sol";
import {Test} from "./Cheats.sol";

/// @notice The packed record against a plain one, under every order in which proofs and misses may come.
contract ProofRecordTest is Test {
    uint256 internal constant FIRST = 1000;

    /// A miss is marked at most this many periods after its own.
    uint256 internal constant REACH = 33;

    mapping(uint256 => bool) internal proven;
    mapping(uint256 => bool) internal missed;
    uint256 internal misses;
    uint256 internal lastProven;
    uint256[] internal missedPeriods;

    function test_fuzz_remembers_what_can_still_be_asked(uint256 seed) external {
        ProofRecord memory record = ProofRecords.begun(FIRST);
        uint256 current = FIRST;
        for (uint256 step; step < 40; ++step) {
            uint256 dice = uint256(keccak256(abi.encode(seed, step)));
            current += dice % 4 == 0 ? (dice >> 8) % 80 : dice % 3;
            if (dice & 16 == 0 && current > FIRST) {
                vm.warp(2_000_000 + step);
                record.addProven(current);
                proven[current] = true;
                lastProven = current;
                eq(record.provenAt, 2_000_000 + step, "provenAt");
            } else if (current > FIRST + REACH) {
                uint256 period = current - 1 - (dice >> 16) % (REACH - 1);
                if (!proven[period]) {
                    record.addMissed(period);
                    missed[period] = true;
                    missedPeriods.push(period);
                    ++misses;
                }
            }
            _check(record, current);
        }
    }

    function test_a_record_begins_with_its_fill() external {
        vm.warp(1_900_000);
        ProofRecord memory record = ProofRecords.begun(FIRST);
        eq(record.fillPeriod, FIRST, "fillPeriod");
        eq(record.provenAt, 1_900_000, "provenAt");
        isTrue(!record.wasProven(FIRST) && !record.wasMissed(FIRST), "the fill's period is not one to prove");
    }

    function _check(ProofRecord memory record, uint256 current) internal view {
        for (uint256 age; age <= REACH && age < current; ++age) {
            uint256 period = current - age;
            isTrue(record.wasProven(period) == proven[period], "proven");
            isTrue(record.wasMissed(period) == missed[period], "missed");
        }
        uint256 before;
        for (uint256 i; i < missedPeriods.length; ++i) {
            if (missedPeriods[i] < lastProven) ++before;
        }
        eq(record.misses, misses, "misses");
        eq(record.missesBeforeProof, before, "misses before the last proof");
    }
}
