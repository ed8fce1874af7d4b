// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Extensions} from "../../contracts/Extensions.sol";
import {StakeRegistry} from "../../contracts/StakeRegistry.sol";
import {TestToken} from "../../contracts/TestToken.sol";
import {IStakeRegistry, StakeConfig} from "../../contracts/interfaces/IStakeRegistry.sol";
import {Period, RequestId} from "../../contracts/libraries/Types.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice What small changes of the contracts once survived: the test contract is a module of the vault, and a market to the
/// books of extensions.
contract SurvivorsTest is MarketTest {
    RequestId internal constant ID = RequestId.wrap(bytes32(uint256(0x100)));

    function test_an_endpoint_has_256_bytes_at_most() external {
        vm.prank(stranger);
        registry.register(string(new bytes(256)));
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_BadEndpoint.selector, 257));
        registry.setEndpoint(string(new bytes(257)));
    }

    function test_a_vault_needs_a_token_and_a_sink() external {
        address[] memory modules = new address[](1);
        modules[0] = address(this);
        vm.expectRevert(IStakeRegistry.StakeRegistry_ZeroAddress.selector);
        new StakeRegistry(TestToken(address(0)), StakeConfig(1, 1, 1 days, sink), modules);
        vm.expectRevert(IStakeRegistry.StakeRegistry_ZeroAddress.selector);
        new StakeRegistry(token, StakeConfig(1, 1, 1 days, address(0)), modules);
    }

    function test_without_a_minimum_stake_counts_from_the_registration() external {
        address[] memory modules = new address[](1);
        modules[0] = address(this);
        StakeRegistry free = new StakeRegistry(token, StakeConfig(0, 1, 1 days, sink), modules);
        free.register("http://host");
        (, uint64 since) = free.placementOf(address(this));
        eq(since, block.number, "staked since");
    }

    function test_credit_is_paid_once() external {
        registry.slash(_locked(1e18), 5e17);
        registry.credit(stranger, 5e17);
        vm.prank(stranger);
        registry.withdraw(stranger);
        eq(registry.creditOf(stranger), 0, "nothing left");
        vm.prank(stranger);
        vm.expectRevert(IStakeRegistry.StakeRegistry_NothingToWithdraw.selector);
        registry.withdraw(stranger);
    }

    function test_locked_stake_counts_toward_the_minimum() external {
        address host = hosts[0];
        registry.lock(host, HOST_STAKE - MIN_STAKE / 2);
        registry.lock(host, MIN_STAKE / 2);
        eq(registry.providerOf(host).free, 0, "all is locked");
    }

    function test_no_lock_below_the_minimum_stake() external {
        addProvider(stranger, MIN_STAKE - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeRegistry.StakeRegistry_BelowMinimumStake.selector, uint256(MIN_STAKE) - 1, uint256(MIN_STAKE)
            )
        );
        registry.lock(stranger, 1);
    }

    function test_a_slash_below_the_minimum_ends_eligibility() external {
        address host = _locked(HOST_STAKE);
        registry.slash(host, HOST_STAKE - MIN_STAKE);
        (, uint64 since) = registry.placementOf(host);
        isTrue(since != 0, "the minimum is left");
        registry.slash(host, 1);
        (, since) = registry.placementOf(host);
        eq(since, 0, "below it");
    }

    function test_the_last_period_of_a_request_is_markable_after_its_end() external {
        RequestId id = start(exampleRequest());
        uint256 end = market.requestOf(id).endsAt;
        vm.warp(end - 20 * BLOCK_SECONDS);
        Period last = nextPeriod();
        nextPeriod();
        vm.warp(end + 1);
        mark(id, 0, last);
        eq(market.slotOf(id.slotId(0)).misses, 1, "misses");
    }

    function test_a_tenure_within_an_extension_takes_its_own_seconds_of_it() external {
        Extensions books = new Extensions();
        books.add(ID, client, 1000, 2000, 1000 * 7);
        books.commit(ID, 7, 1000, 1400);
        eq(books.extensionsOf(ID)[0].idle, 600 * 7, "the end is idle");
        books.commit(ID, 7, 1700, 3000);
        eq(books.extensionsOf(ID)[0].idle, 300 * 7, "the middle is idle");
        books.release(ID, 7, 500, 1200);
        eq(books.extensionsOf(ID)[0].idle, 500 * 7, "the beginning is idle again");
    }

    function _locked(uint256 amount) internal returns (address host) {
        host = hosts[0];
        registry.lock(host, amount);
    }
}
