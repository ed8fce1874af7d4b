// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IMarketplace, RequestRecord, SlotRecord} from "../../contracts/interfaces/IMarketplace.sol";
import {Period, Request, RequestId, RequestState, SlotState} from "../../contracts/libraries/Types.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice When lost slots go on sale, from when their windows count, and that a new tenure begins from nothing.
contract RepairTest is MarketTest {
    function test_lost_slots_wait_for_the_threshold_and_are_sold_together() external {
        RequestId id = start(_roomy(2));
        lose(id, 0);
        eq(market.requestOf(id).repairOpenedAt, 0, "one is not enough");
        vm.expectRevert(IMarketplace.Marketplace_NotForSale.selector);
        vm.prank(hosts[4]);
        market.reserveSlot(id, 0);
        advanceSeconds(config().repairWindow);
        lose(id, 1);
        RequestRecord memory record = market.requestOf(id);
        eq(record.repairOpenedAt, vm.getBlockTimestamp(), "the second opens the sale");
        advance(1);
        // The first slot's window too begins with the sale, although it was lost long before.
        (, uint256 first) = market.placementOf(hosts[4], id, 0);
        (, uint256 second) = market.placementOf(hosts[4], id, 1);
        eq(first, second, "threshold");
        isTrue(first != 0 && first < type(uint256).max / 2, "the window has just begun");
    }

    function test_a_slot_lost_while_repair_is_open_joins_with_a_window_of_its_own() external {
        RequestId id = start(_roomy(1));
        lose(id, 0);
        uint256 opened = market.requestOf(id).repairOpenedAt;
        advanceSeconds(config().repairWindow);
        lose(id, 1);
        eq(market.requestOf(id).repairOpenedAt, opened, "it was open already");
        advance(1);
        (, uint256 first) = market.placementOf(hosts[4], id, 0);
        (, uint256 second) = market.placementOf(hosts[4], id, 1);
        eq(first, type(uint256).max, "everyone may repair the first");
        isTrue(second < type(uint256).max / 2, "the second's window has just begun");
    }

    function test_repair_shuts_when_nothing_is_vacant_and_opens_anew() external {
        RequestId id = start(exampleRequest());
        lose(id, 0);
        uint256 opened = market.requestOf(id).repairOpenedAt;
        advanceSeconds(config().repairWindow);
        fill(id, 0, hosts[4]);
        eq(market.requestOf(id).vacant, 0, "vacant");
        eq(market.requestOf(id).repairOpenedAt, 0, "shut");
        lose(id, 1);
        eq(market.requestOf(id).repairOpenedAt, vm.getBlockTimestamp(), "open again");
        isTrue(vm.getBlockTimestamp() > opened, "later");
    }

    function test_a_bounty_is_in_proportion_to_the_part_of_the_window_before_the_reservation() external {
        uint256 collateral = collateralOf(exampleRequest());
        RequestId id = start(exampleRequest());
        lose(id, 0);
        vm.roll(vm.getBlockNumber() + 8192); // the seed is out of reach: anyone may reserve at any time
        vm.warp(market.requestOf(id).repairOpenedAt + 150); // a quarter of the window
        reserve(id, 0, hosts[4]);
        nextPeriod();
        vm.prank(hosts[4]);
        market.fillSlot(id.slotId(0), anyProof());
        eq(registry.creditOf(hosts[4]), collateral * 5000 / 10_000 / 4, "a quarter of the most there is");
    }

    function test_a_request_that_fails_when_a_reservation_runs_out_does_not_forgive_it() external {
        RequestId id = start(exampleRequest());
        lose(id, 0);
        Period missed;
        for (uint256 i; i < config().maxMisses; ++i) {
            missed = nextPeriod();
            prove(id, 2);
            nextPeriod();
            if (i + 1 < config().maxMisses) mark(id, 1, missed);
        }
        reserve(id, 0, hosts[4]);
        vm.warp(vm.getBlockTimestamp() + config().reserveSeconds);
        mark(id, 1, missed);
        isTrue(market.requestOf(id).state == RequestState.Failed, "failed");
        uint256 staked = stakeOf(hosts[4]);
        market.closeReservation(id.slotId(0));
        isTrue(stakeOf(hosts[4]) < staked, "it had all the time it was given");
    }

    function test_a_slot_that_nobody_took_yet_has_nothing_in_it() external {
        RequestId id = post(exampleRequest());
        SlotRecord memory nothing;
        eq(keccak256(abi.encode(market.slotOf(id.slotId(0)))), keccak256(abi.encode(nothing)), "all zero");
    }

    function test_no_state_of_an_earlier_tenure_survives() external {
        Request memory request = exampleRequest();
        uint256 rate = rateOf(request);
        RequestId id = postAndOpen(request);
        reserve(id, 0, hosts[0]);
        advanceSeconds(config().reserveSeconds);
        market.closeReservation(id.slotId(0));
        for (uint16 i; i < 3; ++i) {
            fill(id, i, hosts[i]);
        }
        // A miss before a proof, a claim, then the loss.
        Period missed = nextPeriod();
        nextPeriod();
        mark(id, 0, missed);
        prove(id, 0);
        market.claim(id.slotId(0));
        for (uint256 i; i < 2; ++i) {
            missed = nextPeriod();
            nextPeriod();
            mark(id, 0, missed);
        }
        SlotRecord memory lost = market.slotOf(id.slotId(0));
        isTrue(lost.state == SlotState.Lost && lost.host == address(0), "lost");
        eq(lost.reservations, 0, "a new sale counts anew");
        eq(lost.expired, 0, "expired reservations too");
        isTrue(lost.claimed != 0 && lost.pot != 0, "something to forget");

        advanceSeconds(config().repairWindow);
        fill(id, 0, hosts[4]);
        SlotRecord memory slot = market.slotOf(id.slotId(0));
        uint256 filledAt = vm.getBlockTimestamp();
        eq(slot.host, hosts[4], "host");
        eq(slot.misses + slot.claimed + slot.pot + slot.vacatedAt, 0, "misses, claims, pot, vacancy");
        eq(slot.filledAt, filledAt, "filledAt");
        eq(slot.provenAt, filledAt, "provenAt");
        eq(market.claimable(id.slotId(0)), 0, "nothing is earned yet");
        advance(1);
        nextPeriod();
        prove(id, 0);
        eq(market.claimable(id.slotId(0)), rate * (vm.getBlockTimestamp() - filledAt), "its own time alone");
    }

    function test_a_host_owes_nothing_for_the_period_it_filled_in() external {
        RequestId id = start(exampleRequest());
        Period filled = Period.wrap(market.slotOf(id.slotId(2)).fillPeriod);
        nextPeriod();
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_ProofNotRequired.selector, filled));
        mark(id, 2, filled);
    }

    function test_a_miss_marked_before_a_proof_costs_a_period_of_pay() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 filledAt = market.slotOf(id.slotId(1)).filledAt;
        Period missed = nextPeriod();
        nextPeriod();
        mark(id, 1, missed);
        eq(market.claimable(id.slotId(1)), 0, "not before a proof");
        prove(id, 1);
        uint256 period = config().periodBlocks * BLOCK_SECONDS;
        uint256 earned = rateOf(request) * (vm.getBlockTimestamp() - filledAt - period);
        eq(market.claimable(id.slotId(1)), earned, "a period less");
    }

    function test_a_request_stays_open_while_a_slot_is_held() external {
        RequestId id = start(exampleRequest());
        vm.expectPartialRevert(IMarketplace.Marketplace_NotTerminal.selector);
        market.closeRequest(id);
        advanceSeconds(1 days + config().settleSeconds);
        market.settle(id.slotId(0));
        market.settle(id.slotId(1));
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_StillActive.selector, 1));
        market.closeRequest(id);
        market.settle(id.slotId(2));
        market.closeRequest(id);
        vm.expectRevert(IMarketplace.Marketplace_AlreadyClosed.selector);
        market.closeRequest(id);
    }

    /// @dev Four slots of which three may be lost.
    function _roomy(uint16 repairThreshold) internal view returns (Request memory request) {
        request = exampleRequest();
        request.ask.slots = 4;
        request.ask.maxSlotLoss = 3;
        request.ask.repairThreshold = repairThreshold;
    }
}
