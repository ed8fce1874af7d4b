// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Request, RequestId, RequestState} from "../../contracts/libraries/Types.sol";
import {FundersTest} from "./AttackTest.sol";

/// @notice Time that several paid for, and whose the money is that nobody earned.
contract RefundAttacks is FundersTest {
    function test_a_clients_sybils_gain_nothing_by_failing_what_a_stranger_extended() external {
        // The client is all hosts as well. They accept, and let the request fail at once.
        Request memory request = exampleRequest();
        request.ask.maxSlotLoss = 0;
        uint256 gang = wealthOf(client) + wealthOf(hosts[0]) + wealthOf(hosts[1]) + wealthOf(hosts[2]);
        gang += wealthOf(validator) + wealthOf(sink);
        RequestId id = start(request);
        uint256 wealth = wealthOf(funder);
        extend(id, funder, 20 days);
        for (uint16 i; i < 3; ++i) {
            accept(id, i);
        }
        lose(id, 1);
        isTrue(market.requestOf(id).state == RequestState.Failed, "failed");
        wrapUp(id);
        eq(wealthOf(funder), wealth, "nobody served what the stranger paid for");
        uint256 after_ = wealthOf(client) + wealthOf(hosts[0]) + wealthOf(hosts[1]) + wealthOf(hosts[2]);
        eq(after_ + wealthOf(validator) + wealthOf(sink), gang, "the gang");
        nothingStranded();
    }

    function test_a_stranger_gets_back_exactly_what_nobody_served() external {
        Request memory request = exampleRequest();
        request.ask.maxSlotLoss = 0;
        RequestId id = start(request);
        uint256 end = endOf(id);
        uint256 wealth = wealthOf(funder);
        extend(id, funder, EXTRA);
        for (uint16 i; i < 3; ++i) {
            accept(id, i);
        }
        // Into the stranger's time, then two hosts stop for good.
        advanceSeconds(end - now_() + 3 hours);
        nextPeriod();
        prove(id, 0);
        uint256 served = now_() - end;
        lose(id, 1);
        uint256 failedAt = market.requestOf(id).failedAt;
        wrapUp(id);
        // Slot 1 was last proven at its fill; the others are paid up to the failure.
        uint256 cost = rateOf(request) * 2 * (failedAt - end);
        isTrue(failedAt - end > served, "the others served on");
        eq(wealth - wealthOf(funder), cost, "two slots until the failure");
        nothingStranded();
    }

    function test_a_stranger_is_not_paid_out_of_the_clients_refund() external {
        // Nobody serves the last half of the first day: what is left of the client's money is large.
        Request memory request = exampleRequest();
        RequestId id = start(request);
        lose(id, 1);
        uint256 wealth = wealthOf(stranger);
        uint256 before = wealthOf(client);
        uint256 end = endOf(id);
        uint256 pots = market.requestOf(id).pots;
        extend(id, stranger, 25 days);
        uint256 filledAt = slotOf(id, 0).filledAt;
        uint256 filledAt2 = slotOf(id, 2).filledAt;
        waitSettlable(end);
        settle(id, 0);
        settle(id, 2);
        market.closeRequest(id);
        eq(wealthOf(stranger), wealth, "the stranger has its own money back");
        uint256 pay = rateOf(request) * (end - filledAt + end - filledAt2);
        eq(wealthOf(client) - before, rateOf(request) * 3 days - pay + pots, "the client all that was left of its own");
        nothingStranded();
    }

    function test_one_funders_time_is_not_paid_with_anothers() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 end = endOf(id);
        (uint256 first, uint256 second) = (wealthOf(funder), wealthOf(stranger));
        extend(id, funder, EXTRA);
        for (uint16 i; i < 3; ++i) {
            accept(id, i);
        }
        extend(id, stranger, 2 * EXTRA); // that no host accepts
        waitSettlable(end + EXTRA);
        for (uint16 i; i < 2; ++i) {
            settle(id, i);
        }
        settle(id, 2);
        market.closeRequest(id);
        eq(first - wealthOf(funder), rateOf(request) * 3 * EXTRA, "the first was served");
        eq(second, wealthOf(stranger), "the second was not");
        nothingStranded();
    }
}
