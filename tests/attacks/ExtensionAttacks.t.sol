// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Extension} from "../../contracts/interfaces/IExtensions.sol";
import {IMarketplace, RequestRecord} from "../../contracts/interfaces/IMarketplace.sol";
import {Period, Request, RequestId, RequestState, SlotState} from "../../contracts/libraries/Types.sol";
import {FundersTest} from "./AttackTest.sol";

/// @notice Time added to somebody's request, by whoever hopes to gain by it or to harm somebody with it.
contract ExtensionAttacks is FundersTest {
    // --- hosts that did not ask for it ---

    function test_a_dust_extension_does_not_slash_hosts_that_deleted_their_data() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 end = endOf(id);
        vm.warp(end - BLOCK_SECONDS);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_ExtensionTooShort.selector, 1, 1 hours));
        vm.prank(stranger);
        market.extendRequest(id, 1);
        extend(id, stranger, config().minExtension);
        vm.warp(end);
        Period after_ = nextPeriod();
        nextPeriod();
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_SlotEnded.selector, end));
        mark(id, 0, after_);
        waitSettlable(end);
        uint256 filledAt = slotOf(id, 0).filledAt;
        settle(id, 0);
        eq(stakeOf(hosts[0]), HOST_STAKE, "stake");
        eq(registry.providerOf(hosts[0]).locked, 0, "free");
        eq(registry.creditOf(hosts[0]), rateOf(request) * (end - filledAt), "paid until the end it agreed to");
    }

    function test_strangers_do_not_keep_the_clients_money_from_it() external {
        // Extensions cost their funder nothing if nobody serves them. They delay a refund by one settlement at most: the
        // hosts leave at the end they agreed to, and the request fails.
        RequestId id = start(exampleRequest());
        uint256 end = endOf(id);
        extend(id, stranger, 20 days);
        waitSettlable(end);
        settle(id, 0);
        settle(id, 1);
        isTrue(market.requestOf(id).state == RequestState.Failed, "failed");
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_NotStarted.selector, RequestState.Failed));
        vm.prank(stranger);
        market.extendRequest(id, 1 days);
        settle(id, 2);
        market.closeRequest(id);
        nothingStranded();
    }

    function test_a_host_is_not_bound_to_a_later_end_than_it_saw() external {
        RequestId id = start(exampleRequest());
        extend(id, client, EXTRA);
        uint256 seen = endOf(id);
        // Before the host's transaction comes, somebody adds as much as there may be.
        extend(id, stranger, 25 days);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_EndsLater.selector, seen + 25 days, seen));
        vm.prank(hosts[0]);
        market.acceptExtension(id.slotId(0), uint40(seen));
    }

    function test_a_repairer_is_bound_to_the_end_it_reserved_for() external {
        // Between its reservation and its fill somebody adds all the time there may be: it may decline neither without its
        // bond. So it serves to the end there was, and no further unless it accepts.
        Request memory request = exampleRequest();
        RequestId id = start(request);
        lose(id, 1);
        uint256 end = endOf(id);
        advanceSeconds(config().repairWindow);
        reserve(id, 1, hosts[4]);
        extend(id, stranger, 28 days);
        nextPeriod();
        vm.prank(hosts[4]);
        market.fillSlot(id.slotId(1), anyProof());
        eq(market.slotOf(id.slotId(1)).heldUntil, end, "bound until");
        uint256 bounty = registry.creditOf(hosts[4]);
        uint256 filledAt = now_();
        waitSettlable(end);
        for (uint16 i; i < 3; ++i) {
            settle(id, i);
        }
        eq(registry.creditOf(hosts[4]) - bounty, rateOf(request) * (end - filledAt), "paid for its time");
        eq(stakeOf(hosts[4]), HOST_STAKE, "stake");
        eq(registry.providerOf(hosts[4]).locked, 0, "free");
        // Of the stranger's time nobody served anything: all its money comes back.
        market.closeRequest(id);
        eq(registry.creditOf(stranger), 28 days * 3 * rateOf(request), "the stranger's money");
        nothingStranded();
    }

    function test_nobody_accepts_for_a_host() external {
        RequestId id = start(exampleRequest());
        extend(id, stranger, EXTRA);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_NotHost.selector, hosts[0], stranger));
        vm.prank(stranger);
        market.acceptExtension(id.slotId(0), WHENEVER);
    }

    // --- hosts that make something of it ---

    function test_a_host_that_left_does_not_come_back_for_the_pay_of_the_time_between() external {
        RequestId id = start(exampleRequest());
        uint256 end = endOf(id);
        extend(id, client, EXTRA);
        advanceSeconds(end - now_() + config().settleSeconds / 2);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_SlotEnded.selector, end));
        vm.prank(hosts[0]);
        market.acceptExtension(id.slotId(0), WHENEVER);
        Period current = nextPeriod();
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_SlotEnded.selector, end));
        vm.prank(hosts[0]);
        market.submitProof(id.slotId(0), current, anyProof());
    }

    function test_a_host_that_accepted_does_not_leave_before() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 end = endOf(id);
        extend(id, client, EXTRA);
        accept(id, 0);
        waitSettlable(end);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_TooEarly.selector, end + EXTRA + 1200));
        vm.prank(hosts[0]);
        market.settle(id.slotId(0));
        Period missed = nextPeriod();
        nextPeriod();
        mark(id, 0, missed);
        eq(stakeOf(hosts[0]), HOST_STAKE - collateralOf(request) / 5, "and its misses count");
    }

    function test_leaving_and_returning_pays_no_more_than_staying() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 end = endOf(id);
        uint256 filledAt = slotOf(id, 0).filledAt;
        for (uint256 i; i < 3; ++i) {
            // Again and again: it does not accept, leaves, and is back when the bounty is at its highest.
            extend(id, client, 10 hours);
            for (uint16 other = 1; other < 3; ++other) {
                accept(id, other);
            }
            waitSettlable(end);
            settle(id, 0);
            isTrue(slotOf(id, 0).state == SlotState.Departed, "departed");
            advanceSeconds(config().repairWindow);
            uint256 left = now_() - end;
            uint256 credit = registry.creditOf(hosts[0]);
            fill(id, 0, hosts[0]);
            eq(registry.creditOf(hosts[0]) - credit, left * rateOf(request), "no more than the pay of that time");
            end += 10 hours;
        }
        waitSettlable(end);
        settle(id, 0);
        isTrue(registry.creditOf(hosts[0]) <= rateOf(request) * (end - filledAt), "no more than whoever stayed");
        wrapUp(id);
        nothingStranded();
    }

    function test_the_bounty_of_a_slot_that_was_left_is_a_share_of_the_collateral_at_most() external {
        // Pay is dear and collateral cheap: an hour's pay is more than the bounty.
        Request memory request = exampleRequest();
        request.ask.collateralPerByte = 1e9;
        RequestId id = start(request);
        uint256 end = endOf(id);
        extend(id, client, EXTRA);
        waitSettlable(end);
        settle(id, 0);
        advanceSeconds(config().repairWindow);
        fill(id, 0, hosts[4]);
        uint256 cap = collateralOf(request) / 2;
        isTrue(registry.creditOf(hosts[4]) <= cap, "half of the collateral");
        isTrue(registry.creditOf(hosts[4]) + rateOf(request) > cap, "in whole seconds of pay");
        wrapUpAll(id);
    }

    function test_dropping_a_slot_to_extend_and_repair_it_oneself_is_a_loss() external {
        // Too late for a repair: so whoever dropped the slot extends the request, for itself alone, and repairs.
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 end = endOf(id);
        vm.warp(end - 100 * BLOCK_SECONDS);
        uint256 gang = wealthOf(hosts[1]) + wealthOf(hosts[4]) + wealthOf(validator) + wealthOf(stranger);
        lose(id, 1);
        eq(market.requestOf(id).repairOpenedAt, 0, "too late");
        extend(id, stranger, config().minExtension);
        isTrue(market.requestOf(id).repairOpenedAt != 0, "not any more");
        advanceSeconds(config().repairWindow);
        fill(id, 1, hosts[4]);
        waitSettlable(end);
        settle(id, 0);
        settle(id, 2);
        isTrue(market.requestOf(id).state == RequestState.Failed, "the others left");
        wrapUp(id);
        uint256 pay = registry.creditOf(hosts[1]);
        uint256 left = wealthOf(hosts[1]) + wealthOf(hosts[4]) + wealthOf(validator) + wealthOf(stranger);
        isTrue(gang + pay >= left + collateralOf(request) / 10, "a tenth of the collateral is lost at least");
        nothingStranded();
    }

    function test_an_extension_that_nobody_keeps_earns_its_repairer_a_bounty_at_most() external {
        // A slot is lost too late to be repaired. Somebody else extends the request, repairs the slot as late as it pays
        // most, and is free again when the other hosts have left. It had to have the data, and the stake, once.
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 end = endOf(id);
        vm.warp(end - 100 * BLOCK_SECONDS);
        lose(id, 1);
        uint256 gang = wealthOf(hosts[4]) + wealthOf(stranger);
        uint256 before = wealthOf(client);
        extend(id, stranger, config().minExtension);
        advanceSeconds(config().repairWindow);
        fill(id, 1, hosts[4]);
        waitSettlable(end);
        settle(id, 0);
        settle(id, 2);
        wrapUp(id);
        uint256 collateral = collateralOf(request);
        uint256 gain = wealthOf(hosts[4]) + wealthOf(stranger) - gang;
        isTrue(gain <= collateral / 2 + rateOf(request) * 1 hours, "the bounty, and pay for the time it served");
        isTrue(wealthOf(client) - before >= collateral * 44 / 100, "the client has the rest of what was slashed");
        nothingStranded();
    }

    // --- requests that should be over ---

    function test_what_is_over_is_not_extended() external {
        Request memory request = exampleRequest();
        RequestId id = post(request);
        _notExtended(id, RequestState.New);
        advanceSeconds(request.expiry);
        _notExtended(id, RequestState.Cancelled);
        market.closeRequest(id);
        request.nonce = bytes32(uint256(1));
        id = start(request);
        // Closed, and brought to life again it could be closed no more: what is paid for it would be nobody's.
        advanceSeconds(endOf(id) - now_());
        _notExtended(id, RequestState.Finished);
        wrapUp(id);
        _notExtended(id, RequestState.Finished);
        nothingStranded();
    }

    function test_no_request_outlives_the_longest_duration() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        extend(id, client, 29 days);
        eq(endOf(id), market.requestOf(id).createdAt + 30 days, "all there may be");
        vm.prank(client);
        refused(IMarketplace.Marketplace_InvalidAsk.selector);
        market.extendRequest(id, uint40(config().minExtension));
    }

    // --- places ---

    function test_strangers_do_not_use_up_the_clients_extensions() external {
        RequestId id = start(exampleRequest());
        for (uint256 i; i < 15; ++i) {
            extend(id, i % 2 == 0 ? stranger : funder, 1 hours);
        }
        eq(market.extensions().extensionsOf(id).length, 15, "fifteen that do not follow one another");
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_TooManyExtensions.selector, 16));
        vm.prank(funder);
        market.extendRequest(id, 1 hours);
        extend(id, stranger, 1 hours); // the last one, longer
        extend(id, client, 1 hours);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_TooManyExtensions.selector, 17));
        vm.prank(stranger);
        market.extendRequest(id, 1 hours);
        for (uint256 i; i < 20; ++i) {
            extend(id, client, 1 hours);
        }
        Extension[] memory all = market.extensions().extensionsOf(id);
        eq(all.length, 16, "extensions");
        eq(all[15].until, endOf(id), "the client's goes on to the end");
        waitSettlable(market.requestOf(id).createdAt + 1 days);
        for (uint16 i; i < 3; ++i) {
            settle(id, i);
        }
        market.closeRequest(id);
        nothingStranded();
    }

    function test_nobody_writes_into_the_books_of_extensions() external {
        RequestId id = start(exampleRequest());
        extend(id, client, EXTRA);
        address books = address(market.extensions());
        bytes[3] memory calls = [
            abi.encodeWithSignature("add(bytes32,address,uint256,uint256,uint256)", id, stranger, 0, 1 days, 1e18),
            abi.encodeWithSignature("commit(bytes32,uint256,uint256,uint256)", id, 1, 0, endOf(id)),
            abi.encodeWithSignature("release(bytes32,uint256,uint256,uint256)", id, 1, 0, endOf(id))
        ];
        uint256 idle = market.extensions().extensionsOf(id)[0].idle;
        for (uint256 i; i < 3; ++i) {
            vm.prank(stranger);
            (bool done, bytes memory answer) = books.call(calls[i]);
            isTrue(!done, "refused");
            eq(
                keccak256(answer),
                keccak256(abi.encodeWithSignature("Extensions_NotMarket(address)", stranger)),
                "by its name"
            );
        }
        eq(market.extensions().extensionsOf(id)[0].idle, idle, "idle pay");
    }

    // --- what these tests are made of ---

    function _notExtended(RequestId id, RequestState state) internal {
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_NotStarted.selector, state));
        vm.prank(stranger);
        market.extendRequest(id, 1 days);
    }

    /// @dev To the end of a request whose slots have different ends.
    function wrapUpAll(RequestId id) internal {
        RequestRecord memory record = market.requestOf(id);
        waitSettlable(record.endsAt);
        for (uint16 i; i < record.slots; ++i) {
            if (slotOf(id, i).state == SlotState.Filled) settle(id, i);
        }
        market.closeRequest(id);
        nothingStranded();
    }
}
