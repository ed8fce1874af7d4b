// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IMarketplace, RequestRecord} from "../../contracts/interfaces/IMarketplace.sol";
import {Period, Request, RequestId, RequestState, SlotState} from "../../contracts/libraries/Types.sol";
import {AttackTest} from "./AttackTest.sol";

/// @notice Storing for nothing, being paid for nothing, being paid twice, and money that gets stuck.
contract PayAttacks is AttackTest {
    // --- free storage ---

    function test_forced_failure_takes_nothing_from_honest_hosts() external {
        Request memory request = exampleRequest();
        request.ask.maxSlotLoss = 0;
        RequestId id = start(request);
        uint256 filledAt = slotOf(id, 0).filledAt;
        lose(id, 1);
        RequestRecord memory record = market.requestOf(id);
        isTrue(record.state == RequestState.Failed, "failed");
        wrapUp(id);
        eq(registry.creditOf(hosts[0]), rateOf(request) * (record.failedAt - filledAt), "pay");
        eq(stakeOf(hosts[0]), HOST_STAKE, "stake");
        nothingStranded();
    }

    function test_sybils_do_not_refund_a_request_out_of_honest_hosts_pay() external {
        // The client holds two of three slots itself, and lets them be lost just before the end.
        Request memory request = exampleRequest();
        request.ask.duration = 3 hours;
        RequestId id = start(request);
        uint256 filledAt = slotOf(id, 0).filledAt;
        uint256 price = rateOf(request) * 3 * 3 hours;
        uint256 wealth = wealthOf(client) + wealthOf(hosts[1]) + wealthOf(hosts[2]) + price;
        vm.warp(endOf(id) - 12 * 60);
        Period missed;
        for (uint256 i; i < config().maxMisses; ++i) {
            missed = nextPeriod();
            prove(id, 0);
            nextPeriod();
            vm.prank(hosts[1]);
            market.markProofMissing(id.slotId(1), missed);
            vm.prank(hosts[2]);
            market.markProofMissing(id.slotId(2), missed);
        }
        RequestRecord memory record = market.requestOf(id);
        isTrue(record.state == RequestState.Failed && record.failedAt < record.endsAt, "failed before its end");
        wrapUp(id);
        uint256 pay = rateOf(request) * (record.failedAt - filledAt);
        isTrue(pay * 10 > price * 2, "most of a slot's price");
        eq(registry.creditOf(hosts[0]), pay, "the honest host's pay");
        eq(stakeOf(hosts[0]), HOST_STAKE, "and its stake");
        eq(wealth - wealthOf(client) - wealthOf(hosts[1]) - wealthOf(hosts[2]), pay, "which its client has paid");
    }

    function test_a_client_does_not_close_before_its_hosts_are_paid() external {
        Request memory request = exampleRequest();
        request.ask.maxSlotLoss = 0;
        RequestId id = start(request);
        lose(id, 1);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_StillActive.selector, 2));
        vm.prank(client);
        market.closeRequest(id);
        wrapUp(id);
        isTrue(registry.creditOf(hosts[0]) != 0, "paid");
        nothingStranded();
    }

    // --- pay for nothing ---

    function test_running_pay_stops_at_the_last_proof() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 filledAt = slotOf(id, 0).filledAt;
        nextPeriod();
        prove(id, 0);
        uint256 provenAt = now_();
        advance(35);
        eq(market.claimable(id.slotId(0)), rateOf(request) * (provenAt - filledAt), "claimable");
        market.claim(id.slotId(0));
        refused(IMarketplace.Marketplace_NothingToClaim.selector);
        market.claim(id.slotId(0));
    }

    function test_fill_discard_and_collect_pays_nothing_while_nothing_is_asked() external {
        Request memory request = exampleRequest();
        request.ask.proofProbability = 65_535;
        RequestId id = start(request);
        advance(200);
        eq(market.claimable(id.slotId(0)), 0, "claimable");
        refused(IMarketplace.Marketplace_NothingToClaim.selector);
        market.claim(id.slotId(0));
    }

    function test_proving_now_and_then_is_not_paid_for_the_rest() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 filledAt = slotOf(id, 1).filledAt;
        Period missed = nextPeriod();
        nextPeriod();
        prove(id, 1);
        uint256 earned = rateOf(request) * (now_() - filledAt);
        eq(market.claimable(id.slotId(1)), earned, "before the miss is marked");
        mark(id, 1, missed);
        earned -= rateOf(request) * config().periodBlocks * BLOCK_SECONDS;
        eq(market.claimable(id.slotId(1)), earned, "a miss before the last proof costs a period");
    }

    function test_a_lost_host_keeps_what_it_earned_and_no_more() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 filledAt = slotOf(id, 1).filledAt;
        nextPeriod();
        prove(id, 1);
        uint256 earned = rateOf(request) * (now_() - filledAt);
        for (uint256 i; i < config().maxMisses; ++i) {
            Period missed = nextPeriod();
            nextPeriod();
            mark(id, 1, missed);
        }
        eq(registry.creditOf(hosts[1]), earned, "paid at the loss; later misses cost collateral alone");
        eq(stakeOf(hosts[1]), HOST_STAKE - collateralOf(request), "stake");
        isTrue(slotOf(id, 1).state == SlotState.Lost, "lost");
        refused(IMarketplace.Marketplace_NotFilled.selector);
        market.claim(id.slotId(1));
    }

    function test_every_miss_costs_a_share_of_the_first_collateral() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        for (uint256 i = 1; i < config().maxMisses; ++i) {
            Period missed = nextPeriod();
            nextPeriod();
            mark(id, 0, missed);
            eq(HOST_STAKE - stakeOf(hosts[0]), collateralOf(request) * 2 * i / 10, "slashed so far");
        }
    }

    // --- dropping data as the end comes ---

    function test_all_hosts_drop_and_the_failure_spares_none() external {
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
        mark(id, 2, last);
        eq(slotOf(id, 2).misses, 1, "misses");
        Period current = market.currentPeriod();
        refused(IMarketplace.Marketplace_SlotEnded.selector);
        vm.prank(hosts[2]);
        market.submitProof(id.slotId(2), current, anyProof());
        wrapUp(id);
    }

    function test_nobody_settles_before_its_last_misses_were_markable() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 end = endOf(id);
        vm.warp(end - 25 * BLOCK_SECONDS);
        Period missed = nextPeriod();
        advanceSeconds(end - now_());
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_TooEarly.selector, end + config().settleSeconds));
        vm.prank(hosts[0]);
        market.settle(id.slotId(0));
        mark(id, 0, missed);
        wrapUp(id);
        eq(stakeOf(hosts[0]), HOST_STAKE - collateralOf(request) / 5, "stake");
    }

    // --- being paid twice ---

    function test_nobody_claims_twice() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        nextPeriod();
        prove(id, 0);
        uint256 filledAt = slotOf(id, 0).filledAt;
        market.claim(id.slotId(0));
        uint256 end = endOf(id);
        waitSettlable(end);
        settle(id, 0);
        eq(registry.creditOf(hosts[0]), rateOf(request) * (end - filledAt), "all of its time, once");
    }

    function test_nobody_settles_twice() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        request.nonce = bytes32(uint256(1));
        start(request); // enough stays locked, and unpaid, for a second time
        waitSettlable(endOf(id));
        settle(id, 0);
        uint256 paid = registry.creditOf(hosts[0]);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_NotFilled.selector, SlotState.Settled));
        vm.prank(hosts[0]);
        market.settle(id.slotId(0));
        eq(registry.creditOf(hosts[0]), paid, "paid once");
        eq(registry.providerOf(hosts[0]).locked, collateralOf(request), "the other request's collateral");
    }

    function test_nobody_closes_twice() external {
        Request memory request = exampleRequest();
        RequestId id = post(request);
        request.nonce = bytes32(uint256(1));
        post(request); // whose deposit would pay for it
        uint256 price = rateOf(request) * 3 * request.ask.duration;
        advanceSeconds(request.expiry);
        market.closeRequest(id);
        refused(IMarketplace.Marketplace_AlreadyClosed.selector);
        vm.prank(client);
        market.closeRequest(id);
        eq(registry.creditOf(client), price, "its own deposit");
    }

    // --- slashed tokens that nobody gets ---

    function test_slashed_tokens_are_not_stranded() external {
        Request memory request = exampleRequest();
        request.ask.maxSlotLoss = 0;
        RequestId id = start(request);
        uint256 wealth = wealthOf(client);
        lose(id, 1);
        uint256 unspent = market.requestOf(id).unspent;
        uint256 slashed = collateralOf(request) * 94 / 100; // the validator's three shares are a tenth of 60 %
        wrapUp(id);
        uint256 pay = registry.creditOf(hosts[0]) + registry.creditOf(hosts[2]);
        eq(wealthOf(client) - wealth, unspent - pay + slashed, "the client");
        nothingStranded();
    }

    function test_the_pot_of_a_slot_lost_before_the_start_returns_to_the_client() external {
        Request memory request = exampleRequest();
        RequestId id = postAndOpen(request);
        fill(id, 0, hosts[0]);
        lose(id, 0);
        isTrue(slotOf(id, 0).state == SlotState.Free, "free");
        uint256 slashed = collateralOf(request);
        uint256 rewards = slashed * 6 / 10 / 10;
        eq(market.requestOf(id).pots, slashed - rewards, "pots");
        uint256 deposit = rateOf(request) * 3 days;
        advanceSeconds(1 hours);
        wrapUp(id);
        eq(registry.creditOf(client), deposit + slashed - rewards, "the client's credit");
        nothingStranded();
    }
}
