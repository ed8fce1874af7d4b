// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IMarketplace} from "../../contracts/interfaces/IMarketplace.sol";
import {Period, Request, RequestId} from "../../contracts/libraries/Types.sol";
import {AttackTest} from "./AttackTest.sol";

/// @notice Marking what is no miss, marking it twice, marking oneself.
contract ValidatorAttacks is AttackTest {
    function test_a_host_that_reports_itself_loses_as_much() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        Period missed = nextPeriod();
        nextPeriod();
        uint256 wealth = wealthOf(hosts[0]);
        // It is quicker than any validator.
        vm.prank(hosts[0]);
        market.markProofMissing(id.slotId(0), missed);
        uint256 slashed = collateralOf(request) * 2000 / 10_000;
        eq(wealth - wealthOf(hosts[0]), slashed - slashed / 10, "all but the validator's share");
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_AlreadyMarked.selector, missed));
        mark(id, 0, missed);
    }

    function test_a_miss_is_paid_for_once() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        Period missed = nextPeriod();
        nextPeriod();
        mark(id, 0, missed);
        uint256 reward = registry.creditOf(validator);
        for (uint256 i; i < 3; ++i) {
            refused(abi.encodeWithSelector(IMarketplace.Marketplace_AlreadyMarked.selector, missed));
            vm.prank(i == 0 ? stranger : validator);
            market.markProofMissing(id.slotId(0), missed);
            nextPeriod();
        }
        eq(registry.creditOf(validator), reward, "the validator");
        eq(stakeOf(hosts[0]), HOST_STAKE - collateralOf(request) * 2000 / 10_000, "the host");
    }

    function test_a_miss_is_not_marked_again_once_it_is_forgotten() external {
        RequestId id = start(exampleRequest());
        Period missed = nextPeriod();
        nextPeriod();
        mark(id, 0, missed);
        for (uint256 i; i < 60; ++i) {
            nextPeriod();
            prove(id, 0);
        }
        uint256 first = (Period.unwrap(missed) + 1) * config().periodBlocks;
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_NotMarkableNow.selector, first, first + 40));
        mark(id, 0, missed);
    }

    function test_nobody_marks_while_the_host_has_time_left() external {
        RequestId id = start(exampleRequest());
        Period current = nextPeriod();
        uint256 first = (Period.unwrap(current) + 1) * config().periodBlocks;
        vm.roll(first - 1); // the last block in which the proof is in time
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_NotMarkableNow.selector, first, first + 40));
        mark(id, 0, current);
        prove(id, 0);
        nextPeriod();
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_AlreadyProven.selector, current));
        mark(id, 0, current);
    }

    function test_a_proof_is_not_marked_missing() external {
        RequestId id = start(exampleRequest());
        Period period = nextPeriod();
        prove(id, 0);
        nextPeriod();
        uint256 stake = stakeOf(hosts[0]);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_AlreadyProven.selector, period));
        mark(id, 0, period);
        eq(stakeOf(hosts[0]), stake, "stake");
    }

    function test_nobody_owes_what_was_not_asked_for() external {
        Request memory request = exampleRequest();
        request.ask.proofProbability = 65_535;
        RequestId id = start(request);
        Period period = nextPeriod();
        nextPeriod();
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_ProofNotRequired.selector, period));
        mark(id, 0, period);
    }

    function test_nobody_owes_the_periods_before_its_fill() external {
        RequestId id = start(exampleRequest());
        uint64 filled = market.slotOf(id.slotId(2)).fillPeriod;
        nextPeriod();
        for (uint64 i; i < 3; ++i) {
            Period before = Period.wrap(filled - i);
            refused(abi.encodeWithSelector(IMarketplace.Marketplace_ProofNotRequired.selector, before));
            mark(id, 2, before);
        }
    }

    function test_a_period_that_outlives_the_request_is_nobodys_miss() external {
        RequestId id = start(exampleRequest());
        uint256 end = endOf(id);
        vm.warp(end - 6 * BLOCK_SECONDS);
        Period current = nextPeriod();
        vm.warp(end - 5 * BLOCK_SECONDS);
        nextPeriod();
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_SlotEnded.selector, end));
        mark(id, 0, current);
    }
}
