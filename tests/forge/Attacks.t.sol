// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IMarketplace, RequestRecord} from "../../contracts/interfaces/IMarketplace.sol";
import {IStakeRegistry} from "../../contracts/interfaces/IStakeRegistry.sol";
import {Period, Request, RequestId, RequestState, SlotState} from "../../contracts/libraries/Types.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice One test an attack; each fails without the rule that answers it.
contract AttacksTest is MarketTest {
    // --- placement ---

    function test_ids_staked_when_the_position_is_known_are_refused() external {
        address late = address(0x1A7E);
        fund(late);
        vm.prank(late);
        registry.register("http://late");
        advance(1);
        RequestId id = post(exampleRequest());
        uint256 seedBlock = vm.getBlockNumber();
        vm.prank(late);
        registry.deposit(HOST_STAKE);
        advanceSeconds(1 hours / 2);
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_StakedTooLate.selector, seedBlock, seedBlock));
        vm.prank(late);
        market.reserveSlot(id, 0);
    }

    function test_stake_that_was_below_the_minimum_counts_from_its_return() external {
        vm.prank(hosts[0]);
        registry.unstake(HOST_STAKE - MIN_STAKE + 1);
        RequestId id = post(exampleRequest());
        vm.expectRevert(
            abi.encodeWithSelector(IMarketplace.Marketplace_SeedBlockNotReached.selector, vm.getBlockNumber())
        );
        market.placementOf(hosts[0], id, 0);
        advance(1);
        vm.prank(hosts[0]);
        registry.deposit(HOST_STAKE);
        vm.expectPartialRevert(IMarketplace.Marketplace_StakedTooLate.selector);
        vm.prank(hosts[0]);
        market.reserveSlot(id, 0);
    }

    function test_the_nearest_come_first_and_everyone_in_the_end() external {
        RequestId id = post(exampleRequest());
        advance(1);
        (uint256 distance, uint256 threshold) = market.placementOf(hosts[0], id, 0);
        isTrue(distance >= threshold, "not eligible in the first block");
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_NotEligible.selector, distance, threshold));
        vm.prank(hosts[0]);
        market.reserveSlot(id, 0);
        advanceSeconds(1 hours / 2);
        reserve(id, 0, hosts[0]);
    }

    function test_a_seed_out_of_reach_opens_the_slot_to_everyone() external {
        Request memory request = exampleRequest();
        RequestId id = post(request);
        uint256 seedBlock = vm.getBlockNumber();
        vm.roll(seedBlock + 8191);
        (uint256 distance,) = market.placementOf(hosts[0], id, 0);
        isTrue(distance != 0, "the seed is in reach");
        vm.expectPartialRevert(IMarketplace.Marketplace_NotEligible.selector);
        vm.prank(hosts[0]);
        market.reserveSlot(id, 0);
        vm.roll(seedBlock + 8192);
        reserve(id, 0, hosts[0]);
    }

    function test_a_provider_holds_one_slot_wherever_it_is() external {
        // Their tags are the same: only the addresses tell the two apart.
        address twin = address(uint160(hosts[0]) + 255);
        addProvider(twin, HOST_STAKE);
        advance(1);
        Request memory request = exampleRequest();
        request.ask.slots = 256;
        uint16[6] memory places = [uint16(0), 13, 14, 45, 46, 255];
        for (uint256 i; i < places.length; ++i) {
            request.nonce = bytes32(i);
            RequestId id = postAndOpen(request);
            uint256 next = (i + 1) % places.length;
            reserve(id, places[i], hosts[0]);
            reserve(id, places[next], twin);
            for (uint256 j; j < places.length; ++j) {
                if (j == i || j == next) continue;
                vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_AlreadyHoldsSlot.selector, hosts[0]));
                vm.prank(hosts[0]);
                market.reserveSlot(id, places[j]);
            }
            // Once it holds nothing it may come back, although its tag is still there.
            advanceSeconds(config().reserveSeconds);
            market.closeReservation(id.slotId(places[i]));
            reserve(id, places[(i + 2) % places.length], hosts[0]);
        }
    }

    // --- reservations ---

    function test_squatting_costs_twice_as_much_each_time_and_pays_nobody() external {
        Request memory request = exampleRequest();
        uint256 collateral = collateralOf(request);
        RequestId id = postAndOpen(request);
        uint256 lost;
        for (uint256 i; i < 3; ++i) {
            reserve(id, 0, hosts[0]);
            vm.expectPartialRevert(IMarketplace.Marketplace_ReservationHeld.selector);
            vm.prank(hosts[1]);
            market.reserveSlot(id, 0);
            advanceSeconds(config().reserveSeconds);
            lost += collateral * 500 * 2 ** i / 10_000;
            if (i == 2) reserve(id, 0, hosts[1]);
            else market.closeReservation(id.slotId(0));
            eq(stakeOf(hosts[0]), HOST_STAKE - lost, "stake");
            eq(registry.creditOf(sink), lost, "sink");
        }
        eq(registry.creditOf(client), 0, "the client gains nothing");
    }

    function test_a_reservation_is_forgiven_when_the_request_fails_under_it() external {
        Request memory request = exampleRequest();
        request.ask.slots = 4;
        request.ask.maxSlotLoss = 1;
        RequestId id = start(request);
        lose(id, 3);
        // The next slot misses all but its last proof, then the lost one is reserved.
        Period first = nextPeriod();
        Period second = nextPeriod();
        Period third = nextPeriod();
        nextPeriod();
        mark(id, 0, first);
        mark(id, 0, second);
        advanceSeconds(120); // with the four periods since the loss, the window is over
        reserve(id, 3, hosts[4]);
        mark(id, 0, third);
        isTrue(market.requestOf(id).state == RequestState.Failed, "failed");
        market.closeReservation(id.slotId(3));
        eq(stakeOf(hosts[4]), HOST_STAKE, "stake");
        eq(registry.providerOf(hosts[4]).locked, 0, "locked");
        wrapUp(id);
    }

    // --- repair ---

    function test_waiting_with_a_reservation_earns_no_more_bounty() external {
        uint256 quick = _repairBounty(1);
        uint256 slow = _repairBounty(config().reserveSeconds / BLOCK_SECONDS - 1);
        isTrue(quick != 0, "a bounty");
        eq(slow, quick, "bounty");
    }

    function _repairBounty(uint256 blocks) internal returns (uint256 bounty) {
        Request memory request = exampleRequest();
        request.nonce = bytes32(blocks);
        RequestId id = start(request);
        lose(id, 1);
        advanceSeconds(config().repairWindow / 2);
        vm.roll(vm.getBlockNumber() + 8192); // the seed out of reach: anyone may reserve at half time
        uint256 credit = registry.creditOf(hosts[4]);
        reserve(id, 1, hosts[4]);
        advance(blocks);
        if (vm.getBlockNumber() % config().periodBlocks == 0) vm.roll(vm.getBlockNumber() + 1);
        vm.prank(hosts[4]);
        market.fillSlot(id.slotId(1), anyProof());
        bounty = registry.creditOf(hosts[4]) - credit;
    }

    function test_dropping_a_slot_to_repair_it_oneself_is_a_loss() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 collateral = collateralOf(request);
        // The host marks its own misses with one account and repairs with another, alone, as late as it pays most.
        uint256 spent = stakeOf(hosts[1]);
        lose(id, 1);
        spent -= stakeOf(hosts[1]);
        eq(spent, collateral, "the whole collateral");
        advanceSeconds(config().repairWindow);
        fill(id, 1, hosts[4]);
        uint256 earned = registry.creditOf(validator) + registry.creditOf(hosts[4]);
        isTrue(earned * 10 <= collateral * 9, "a tenth is lost at least");
        isTrue(registry.creditOf(hosts[4]) == collateral * 5000 / 10_000, "the bounty is capped");
    }

    function test_no_repair_is_sold_so_late_that_a_bounty_costs_no_work() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        lose(id, 1);
        RequestRecord memory record = market.requestOf(id);
        // One second short of the term a repair needs.
        vm.roll(vm.getBlockNumber() + 1);
        vm.warp(record.endsAt - config().repairWindow + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_TermTooShort.selector, 599, 600));
        vm.prank(hosts[4]);
        market.reserveSlot(id, 1);
        vm.warp(record.endsAt - config().repairWindow);
        reserve(id, 1, hosts[4]);
    }

    // --- pay ---

    function test_forced_failure_takes_nothing_from_honest_hosts() external {
        Request memory request = exampleRequest();
        request.ask.maxSlotLoss = 0;
        RequestId id = start(request);
        uint256 filledAt = market.slotOf(id.slotId(0)).filledAt;
        lose(id, 1);
        RequestRecord memory record = market.requestOf(id);
        isTrue(record.state == RequestState.Failed, "failed");
        wrapUp(id);
        eq(registry.creditOf(hosts[0]), rateOf(request) * (record.failedAt - filledAt), "pay");
        eq(stakeOf(hosts[0]), HOST_STAKE, "stake");
        eq(registry.poolOf(address(market)), 0, "nothing is stranded");
    }

    function test_running_pay_stops_at_the_last_proof() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 filledAt = market.slotOf(id.slotId(0)).filledAt;
        nextPeriod();
        prove(id, 0);
        uint256 provenAt = vm.getBlockTimestamp();
        advance(35);
        eq(market.claimable(id.slotId(0)), rateOf(request) * (provenAt - filledAt), "claimable");
        market.claim(id.slotId(0));
        vm.expectRevert(IMarketplace.Marketplace_NothingToClaim.selector);
        market.claim(id.slotId(0));
    }

    function test_a_lost_host_keeps_what_it_earned_and_no_more() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 filledAt = market.slotOf(id.slotId(1)).filledAt;
        Period missed = nextPeriod();
        nextPeriod();
        prove(id, 1);
        uint256 provenAt = vm.getBlockTimestamp();
        uint256 earned = rateOf(request) * (provenAt - filledAt);
        eq(market.claimable(id.slotId(1)), earned, "before the miss is marked");
        mark(id, 1, missed);
        earned -= rateOf(request) * config().periodBlocks * BLOCK_SECONDS;
        eq(market.claimable(id.slotId(1)), earned, "a miss before the last proof costs a period");
        for (uint256 i; i < 2; ++i) {
            missed = nextPeriod();
            nextPeriod();
            mark(id, 1, missed);
        }
        eq(registry.creditOf(hosts[1]), earned, "paid at the loss; later misses cost collateral alone");
        eq(stakeOf(hosts[1]), HOST_STAKE - collateralOf(request), "stake");
        isTrue(market.slotOf(id.slotId(1)).state == SlotState.Lost, "lost");
        vm.expectPartialRevert(IMarketplace.Marketplace_NotFilled.selector);
        market.claim(id.slotId(1));
    }

    function test_marking_goes_on_after_the_end() external {
        Request memory request = exampleRequest();
        request.ask.maxSlotLoss = 0;
        RequestId id = start(request);
        Period last;
        for (uint256 i; i < config().maxMisses; ++i) {
            last = nextPeriod(); // nobody proves anything
            nextPeriod();
            mark(id, 0, last);
        }
        isTrue(market.requestOf(id).state == RequestState.Failed, "one more slot than it survives is lost");
        vm.expectPartialRevert(IMarketplace.Marketplace_TooEarly.selector);
        market.settle(id.slotId(2));
        mark(id, 2, last);
        eq(market.slotOf(id.slotId(2)).misses, 1, "misses");
        Period current = market.currentPeriod();
        vm.expectPartialRevert(IMarketplace.Marketplace_SlotEnded.selector);
        vm.prank(hosts[2]);
        market.submitProof(id.slotId(2), current, anyProof());
        wrapUp(id);
    }

    function test_a_period_that_outlives_the_request_is_nobodys_miss() external {
        RequestId id = start(exampleRequest());
        RequestRecord memory record = market.requestOf(id);
        vm.warp(record.endsAt - 6 * BLOCK_SECONDS);
        Period current = nextPeriod();
        vm.warp(record.endsAt - 5 * BLOCK_SECONDS);
        Period.unwrap(nextPeriod());
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_SlotEnded.selector, record.endsAt));
        vm.prank(validator);
        market.markProofMissing(id.slotId(0), current);
    }

    // --- money that could get stuck ---

    function test_the_pot_of_a_slot_lost_before_the_start_returns_to_the_client() external {
        Request memory request = exampleRequest();
        RequestId id = postAndOpen(request);
        fill(id, 0, hosts[0]);
        lose(id, 0);
        isTrue(market.slotOf(id.slotId(0)).state == SlotState.Free, "free");
        uint256 slashed = collateralOf(request);
        uint256 rewards = slashed * 6 / 10 / 10;
        eq(market.requestOf(id).pots, slashed - rewards, "pots");
        uint256 deposit = rateOf(request) * 3 days;
        advanceSeconds(1 hours);
        wrapUp(id);
        eq(registry.creditOf(client), deposit + slashed - rewards, "the client's credit");
        eq(registry.poolOf(address(market)), 0, "nothing is stranded");
    }

    function test_nobody_withdraws_to_where_tokens_are_lost() external {
        RequestId id = start(exampleRequest());
        nextPeriod();
        prove(id, 0);
        market.claim(id.slotId(0));
        address[3] memory nowhere = [address(0), address(registry), address(token)];
        for (uint256 i; i < nowhere.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_BadRecipient.selector, nowhere[i]));
            vm.prank(hosts[0]);
            registry.withdraw(nowhere[i]);
        }
        uint256 credit = registry.creditOf(hosts[0]);
        vm.prank(hosts[0]);
        registry.withdraw(stranger);
        eq(token.balanceOf(stranger), credit, "withdrawn");
    }

    // --- proofs ---

    function test_the_challenge_is_unknown_in_the_periods_first_block() external {
        RequestId id = start(exampleRequest());
        Period period = nextPeriod();
        vm.roll(vm.getBlockNumber() - 1);
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_ChallengeUnknown.selector, period));
        vm.prank(hosts[0]);
        market.submitProof(id.slotId(0), period, anyProof());
    }

    function test_a_proof_is_the_hosts_alone_and_counts_once() external {
        RequestId id = start(exampleRequest());
        Period period = nextPeriod();
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_NotHost.selector, hosts[0], stranger));
        vm.prank(stranger);
        market.submitProof(id.slotId(0), period, anyProof());
        prove(id, 0);
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_AlreadyProven.selector, period));
        vm.prank(hosts[0]);
        market.submitProof(id.slotId(0), period, anyProof());
        nextPeriod();
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_AlreadyProven.selector, period));
        mark(id, 0, period);
        mark(id, 1, period);
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_AlreadyMarked.selector, period));
        mark(id, 1, period);
    }
}
