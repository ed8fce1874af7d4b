// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IMarketplace} from "../../contracts/interfaces/IMarketplace.sol";
import {IStakeRegistry} from "../../contracts/interfaces/IStakeRegistry.sol";
import {Request, RequestId, RequestState, SlotState} from "../../contracts/libraries/Types.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice Every counter-example that random histories (invariants/) find, kept as short as it gets. None was the market's
/// fault so far: these are corners where it did what the rules say and the histories expected something else, or that
/// they hardly ever reach.
contract CounterExamplesTest is MarketTest {
    /// A provider may reserve again what it reserved in vain: the bond is taken first, and the rest must be enough.
    function test_an_expired_reservation_is_retaken_by_its_provider_for_a_bond() external {
        Request memory request = exampleRequest();
        uint256 collateral = collateralOf(request);
        address small = address(0x5A11);
        uint256 bond = collateral * config().bondBps / 10_000;
        addProvider(small, collateral + bond);
        advance(1);
        RequestId id = postAndOpen(request);
        reserve(id, 0, small);
        advanceSeconds(config().reserveSeconds);
        reserve(id, 0, small);
        eq(registry.providerOf(small).locked, collateral, "locked once");
        eq(registry.providerOf(small).free, 0, "the bond is gone");
        eq(registry.creditOf(sink), bond, "to the sink");

        advanceSeconds(config().reserveSeconds);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeRegistry.StakeRegistry_InsufficientFreeStake.selector, collateral - 2 * bond, collateral
            )
        );
        vm.prank(small);
        market.reserveSlot(id, 0);
        eq(registry.providerOf(small).locked, collateral, "a refused call forfeits nothing");
    }

    /// One who reserved what a host had left is not to blame when the others leave too.
    function test_hosts_that_leave_fail_a_request_under_a_reservation() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        fund(stranger);
        vm.prank(stranger);
        market.extendRequest(id, 3 hours);
        vm.prank(hosts[2]);
        market.acceptExtension(id.slotId(2), type(uint40).max);
        advanceSeconds(request.ask.duration + config().settleSeconds);
        market.settle(id.slotId(0));
        advanceSeconds(config().repairWindow);
        reserve(id, 0, hosts[3]);
        market.settle(id.slotId(1));
        isTrue(market.requestOf(id).state == RequestState.Failed, "failed");

        market.closeReservation(id.slotId(0));
        isTrue(market.slotOf(id.slotId(0)).state == SlotState.Departed, "as it was left");
        eq(stakeOf(hosts[3]), HOST_STAKE, "forgiven");
        wrapUp(id);
        eq(registry.poolOf(address(market)), 0, "nothing is stranded");
        uint256 served = market.requestOf(id).failedAt - (market.requestOf(id).endsAt - 3 hours);
        eq(registry.creditOf(stranger), (3 * 3 hours - served) * rateOf(request), "what nobody served of what it paid");
    }

    /// With nothing at stake that a basis point can be taken of, a slot is lost all the same, and nobody is paid for it.
    function test_shares_of_a_collateral_that_round_to_nothing() external {
        Request memory request = exampleRequest();
        request.ask.slotSize = 1;
        request.ask.collateralPerByte = 1;
        request.ask.pricePerBytePerSecond = 0;
        RequestId id = start(request);
        lose(id, 0);
        eq(registry.creditOf(validator), 0, "rewards");
        eq(market.slotOf(id.slotId(0)).pot, 1, "all of it in the pot");
        advanceSeconds(config().repairWindow);
        fill(id, 0, hosts[4]);
        eq(registry.creditOf(hosts[4]) + registry.creditOf(client), 1, "and out of it");
        vm.expectRevert(IMarketplace.Marketplace_NothingToClaim.selector);
        market.claim(id.slotId(0));
    }
}
