// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Groth16Proof} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {IMarketplace} from "../../contracts/interfaces/IMarketplace.sol";
import {Period, Request, RequestId, RequestState, SlotState} from "../../contracts/libraries/Types.sol";
import {AttackTest} from "./AttackTest.sol";

/// @notice Reserving without filling, for whatever reason.
contract ReservationAttacks is AttackTest {
    function test_squatting_costs_twice_as_much_each_time_and_pays_nobody() external {
        Request memory request = exampleRequest();
        uint256 collateral = collateralOf(request);
        RequestId id = postAndOpen(request);
        uint256 lost;
        for (uint256 i; i < 3; ++i) {
            reserve(id, 0, hosts[0]);
            refused(IMarketplace.Marketplace_ReservationHeld.selector);
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

    function test_sybils_take_turns_squatting_and_pay_as_one() external {
        Request memory request = exampleRequest();
        request.expiry = 12 hours;
        RequestId id = postAndOpen(request);
        uint256 bond = collateralOf(request) * 500 / 10_000;
        uint256[9] memory bonds = [bond, 2 * bond, 4 * bond, 8 * bond, 16 * bond, 20 * bond, 20 * bond, 20 * bond, 0];
        for (uint256 i; i < 8; ++i) {
            uint256 wealth = wealthOf(hosts[i % 4]);
            reserve(id, 0, hosts[i % 4]);
            advanceSeconds(config().reserveSeconds);
            market.closeReservation(id.slotId(0));
            eq(wealth - wealthOf(hosts[i % 4]), bonds[i], "all of the collateral from the sixth time on");
        }
    }

    function test_three_reservations_do_not_block_a_slot() external {
        RequestId id = postAndOpen(exampleRequest());
        for (uint256 i; i < 3; ++i) {
            reserve(id, 0, hosts[i]);
            advanceSeconds(config().reserveSeconds);
        }
        for (uint16 i; i < 3; ++i) {
            fill(id, i, hosts[4 - i]);
        }
        isTrue(market.requestOf(id).state == RequestState.Started, "it is sold all the same");
        isTrue(wealthOf(hosts[0]) < wealthOf(hosts[4]), "and whoever was in the way has paid");
    }

    function test_a_client_posts_never_uploads_and_collects_no_bonds() external {
        Request memory request = exampleRequest();
        uint256 wealth = wealthOf(client);
        RequestId id = postAndOpen(request);
        for (uint16 i; i < 3; ++i) {
            reserve(id, i, hosts[i]);
        }
        advanceSeconds(request.expiry);
        for (uint16 i; i < 3; ++i) {
            market.closeReservation(id.slotId(i));
        }
        market.closeRequest(id);
        eq(wealthOf(client), wealth, "its own deposit and nothing else");
        eq(registry.creditOf(sink), 3 * (collateralOf(request) * 500 / 10_000), "the bonds");
        nothingStranded();
    }

    function test_a_cancellation_does_not_forgive_its_squatters() external {
        Request memory request = exampleRequest();
        RequestId id = post(request);
        advanceSeconds(request.expiry - config().reserveSeconds / 2);
        reserve(id, 0, hosts[0]);
        advanceSeconds(config().reserveSeconds / 2);
        isTrue(market.requestOf(id).state == RequestState.Cancelled, "cancelled");
        market.closeReservation(id.slotId(0));
        eq(stakeOf(hosts[0]), HOST_STAKE - collateralOf(request) * 500 / 10_000, "stake");
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

    function test_a_copied_fill_takes_no_bounty() external {
        demandProofs();
        Request memory request = exampleRequest();
        RequestId id = startProven(request);
        for (uint256 i; i < config().maxMisses; ++i) {
            Period missed = nextPeriod();
            nextPeriod();
            mark(id, 1, missed);
        }
        advanceSeconds(config().repairWindow);
        reserve(id, 1, hosts[3]);
        nextPeriod();
        Groth16Proof memory proof = proofOf(id, 1);
        uint256 wealth = wealthOf(hosts[4]);
        // The thief sees the repairer's transaction, and sends the same before it.
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_NotReserver.selector, hosts[3], hosts[4]));
        vm.prank(hosts[4]);
        market.fillSlot(id.slotId(1), proof);
        refused(IMarketplace.Marketplace_ReservationHeld.selector);
        vm.prank(hosts[4]);
        market.reserveSlot(id, 1);
        vm.prank(hosts[3]);
        market.fillSlot(id.slotId(1), proof);
        eq(wealthOf(hosts[4]), wealth, "the thief");
        eq(registry.creditOf(hosts[3]), collateralOf(request) / 2, "the repairer");
    }

    function test_a_reserver_without_the_data_fills_nothing() external {
        demandProofs();
        RequestId id = postAndOpen(exampleRequest());
        reserve(id, 0, hosts[0]);
        nextPeriod();
        // A proof of some other dataset, of the right challenge.
        uint256[3] memory publics = publicsOf(id.slotId(0), market.currentPeriod(), ROOT + 1, 0);
        Groth16Proof memory proof = forger.forge(1, publics);
        refused(IMarketplace.Marketplace_InvalidProof.selector);
        vm.prank(hosts[0]);
        market.fillSlot(id.slotId(0), proof);
        isTrue(slotOf(id, 0).state == SlotState.Reserved, "reserved");
    }
}
