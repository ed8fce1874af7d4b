// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IMarketplace} from "../../contracts/interfaces/IMarketplace.sol";
import {Request, RequestId, RequestState} from "../../contracts/libraries/Types.sol";
import {AttackTest} from "./AttackTest.sol";

/// @notice Sybils and ground ids: who may post and reserve what, when.
contract PlacementAttacks is AttackTest {
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
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_StakedTooLate.selector, seedBlock, seedBlock));
        vm.prank(late);
        market.reserveSlot(id, 0);
    }

    function test_addresses_ground_towards_a_known_position_are_refused() external {
        RequestId id = post(exampleRequest());
        uint256 seedBlock = vm.getBlockNumber();
        advance(1);
        (uint256 distance,) = market.placementOf(hosts[0], id, 0);
        bytes32 position = registry.providerOf(hosts[0]).id ^ bytes32(distance);
        // Whoever registers in this block gets an id that can be told before: the nearest of a thousand.
        address near;
        uint256 nearest = type(uint256).max;
        for (uint160 i = 1; i <= 1000; ++i) {
            address candidate = address(0xA77AC4000000 + i);
            bytes32 providerId = keccak256(abi.encode(candidate, blockhash(vm.getBlockNumber() - 1)));
            if (uint256(providerId ^ position) < nearest) {
                (near, nearest) = (candidate, uint256(providerId ^ position));
            }
        }
        addProvider(near, HOST_STAKE);
        advanceSeconds(1 hours / 20);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_StakedTooLate.selector, seedBlock + 1, seedBlock));
        vm.prank(near);
        market.reserveSlot(id, 0);
    }

    function test_an_id_is_not_chosen_with_its_address() external {
        // The hash of the block before is known once the transaction is in a block, and to nobody who makes addresses.
        address account = address(0xADD);
        vm.setBlockhash(vm.getBlockNumber() - 1, keccak256("a block that nobody foresaw"));
        vm.prank(account);
        registry.register("http://somebody");
        bytes32 expected = keccak256(abi.encode(account, keccak256("a block that nobody foresaw")));
        eq(registry.providerOf(account).id, expected, "id");
    }

    function test_stake_that_was_below_the_minimum_counts_from_its_return() external {
        vm.prank(hosts[0]);
        registry.unstake(HOST_STAKE - MIN_STAKE + 1);
        RequestId id = post(exampleRequest());
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_SeedBlockNotReached.selector, vm.getBlockNumber()));
        market.placementOf(hosts[0], id, 0);
        advance(1);
        vm.prank(hosts[0]);
        registry.deposit(HOST_STAKE);
        refused(IMarketplace.Marketplace_StakedTooLate.selector);
        vm.prank(hosts[0]);
        market.reserveSlot(id, 0);
    }

    function test_the_nearest_come_first_and_everyone_in_the_end() external {
        RequestId id = post(exampleRequest());
        advance(1);
        (uint256 distance, uint256 threshold) = market.placementOf(hosts[0], id, 0);
        isTrue(distance >= threshold, "not eligible in the first block");
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_NotEligible.selector, distance, threshold));
        vm.prank(hosts[0]);
        market.reserveSlot(id, 0);
        advanceSeconds(1 hours / 2);
        reserve(id, 0, hosts[0]);
    }

    function test_whoever_was_nearest_once_is_not_nearest_again() external {
        RequestId id = postAndOpen(exampleRequest());
        (uint256 first,) = market.placementOf(hosts[1], id, 0);
        reserve(id, 0, hosts[0]);
        advanceSeconds(config().reserveSeconds);
        market.closeReservation(id.slotId(0));
        (uint256 second,) = market.placementOf(hosts[1], id, 0);
        isTrue(first != second, "each reservation has a position of its own");
    }

    function test_a_seed_out_of_reach_opens_the_slot_to_everyone() external {
        RequestId id = post(exampleRequest());
        uint256 seedBlock = vm.getBlockNumber();
        vm.roll(seedBlock + 8191);
        (uint256 distance,) = market.placementOf(hosts[0], id, 0);
        isTrue(distance != 0, "the seed is in reach");
        refused(IMarketplace.Marketplace_NotEligible.selector);
        vm.prank(hosts[0]);
        market.reserveSlot(id, 0);
        vm.roll(seedBlock + 8192);
        reserve(id, 0, hosts[0]);
    }

    function test_nobody_reserves_before_there_is_a_position() external {
        // In the block of the seed its hash is not known: nobody is near, and nobody may be called so.
        RequestId id = post(exampleRequest());
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_SeedBlockNotReached.selector, vm.getBlockNumber()));
        vm.prank(hosts[0]);
        market.reserveSlot(id, 0);
    }

    function test_a_small_network_does_not_starve() external {
        // Three hosts for three slots, and the dispersal that keeps the far ones out for longest.
        Request memory request = exampleRequest();
        request.ask.dispersal = 100;
        RequestId id = post(request);
        advanceSeconds(request.expiry / 2);
        for (uint16 i; i < 3; ++i) {
            fill(id, 2 - i, hosts[i]);
        }
        isTrue(market.requestOf(id).state == RequestState.Started, "started, with time to spare");
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
                refused(abi.encodeWithSelector(IMarketplace.Marketplace_AlreadyHoldsSlot.selector, hosts[0]));
                vm.prank(hosts[0]);
                market.reserveSlot(id, places[j]);
            }
            // Once it holds nothing it may come back, although its tag is still there.
            advanceSeconds(config().reserveSeconds);
            market.closeReservation(id.slotId(places[i]));
            reserve(id, places[(i + 2) % places.length], hosts[0]);
        }
    }

    function test_nobody_posts_the_request_of_another_first() external {
        // A request's id is its contents': whoever took it would keep the client from posting.
        Request memory request = exampleRequest();
        fund(stranger);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_NotClient.selector, client, stranger));
        vm.prank(stranger);
        market.requestStorage(request);
        post(request);
    }
}
