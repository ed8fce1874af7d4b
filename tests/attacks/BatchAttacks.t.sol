// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {G1Point, Groth16Proof} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {IMarketplace} from "../../contracts/interfaces/IMarketplace.sol";
import {Period, Request, RequestId, SlotId} from "../../contracts/libraries/Types.sol";
import {AttackTest} from "./AttackTest.sol";

/// @notice One host, three requests, one batch of proofs: real ones.
contract BatchAttacks is AttackTest {
    uint256 internal constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 internal constant SLASH_SHARE = 5; // of the collateral

    RequestId[3] internal ids;
    SlotId[] internal slotIds;
    Groth16Proof[] internal proofs;

    function setUp() public override {
        super.setUp();
        Request memory request = exampleRequest();
        request.ask.slots = 1;
        request.ask.maxSlotLoss = 0;
        for (uint256 i; i < 3; ++i) {
            request.nonce = bytes32(i);
            ids[i] = post(request);
        }
        advanceSeconds(request.expiry / 2);
        for (uint256 i; i < 3; ++i) {
            fill(ids[i], 0, hosts[0]);
            slotIds.push(ids[i].slotId(0));
            proofs.push(anyProof());
        }
        demandProofs();
        nextPeriod();
        _prove();
    }

    // --- proofs ---

    function test_one_bad_proof_makes_nothing_of_the_batch() external {
        for (uint256 i; i < 3; ++i) {
            _prove();
            proofs[i].c = forger.add(proofs[i].c, forger.generator());
            refused(IMarketplace.Marketplace_InvalidProof.selector);
            _submit(hosts[0]);
        }
        _prove();
        eq(_submit(hosts[0]), 3, "all were still to be proven");
    }

    function test_errors_that_add_up_to_nothing_are_found() external {
        for (uint256 i; i < 3; ++i) {
            _prove();
            uint256 j = (i + 1) % 3;
            G1Point memory error_ = forger.multiply(forger.generator(), 5);
            proofs[i].c = forger.add(proofs[i].c, error_);
            proofs[j].c = forger.add(proofs[j].c, forger.minus(error_));
            refused(IMarketplace.Marketplace_InvalidProof.selector);
            _submit(hosts[0]);
        }
    }

    function test_proofs_do_not_change_places() external {
        Groth16Proof memory first = proofs[0];
        proofs[0] = proofs[1];
        proofs[1] = first;
        refused(IMarketplace.Marketplace_InvalidProof.selector);
        _submit(hosts[0]);
    }

    function test_a_batch_without_the_data_of_one_slot_proves_none() external {
        Period period = market.currentPeriod();
        proofs[2] = forger.forge(3, publicsOf(slotIds[2], period, ROOT + 1, 0));
        refused(IMarketplace.Marketplace_InvalidProof.selector);
        _submit(hosts[0]);
    }

    function test_a_batch_outlives_the_entries_that_a_front_runner_makes_stale() external {
        // The host missed two of three proofs of its first slot; somebody times the last mark to come just before.
        Period[3] memory missed = [market.currentPeriod(), nextPeriod(), nextPeriod()];
        nextPeriod();
        _prove();
        for (uint256 i; i < 3; ++i) {
            mark(ids[0], 0, missed[i]);
        }
        eq(_submit(hosts[0]), 2, "the other two are proven");
        isTrue(!_owes(0) && !_owes(1) && !_owes(2), "nothing is left to mark");
    }

    function test_a_batch_outlives_an_entry_that_is_proven_already() external {
        Period period = market.currentPeriod();
        vm.prank(hosts[0]);
        market.submitProof(slotIds[1], period, proofs[1]);
        eq(_submit(hosts[0]), 2, "the other two");
        refused(IMarketplace.Marketplace_NothingApplies.selector);
        _submit(hosts[0]);
    }

    function test_a_slot_named_twice_is_proven_once() external {
        slotIds.push(slotIds[1]);
        slotIds.push(slotIds[1]);
        proofs.push(proofs[1]);
        proofs.push(anyProof()); // not even looked at
        eq(_submit(hosts[0]), 3, "applied");
    }

    function test_nobody_proves_in_a_batch_what_another_hosts() external {
        refused(IMarketplace.Marketplace_NothingApplies.selector);
        _submit(hosts[1]);
        // Nor does it cost whoever names such a slot the rest of its batch.
        Request memory request = exampleRequest();
        request.nonce = bytes32(uint256(9));
        RequestId other = startProven(request);
        _prove();
        slotIds.push(other.slotId(1));
        proofs.push(anyProof());
        eq(_submit(hosts[0]), 3, "its own");
        isTrue(market.slotOf(other.slotId(1)).provenAt < now_(), "not another's");
    }

    function test_no_batch_is_proven_before_its_challenges_are_known() external {
        Period period = nextPeriod();
        vm.roll(vm.getBlockNumber() - 1);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_ChallengeUnknown.selector, period));
        _submit(hosts[0]);
    }

    // --- marks ---

    function test_marks_outlive_an_entry_that_a_front_runner_takes() external {
        Period missed = market.currentPeriod();
        nextPeriod();
        vm.prank(stranger);
        market.markProofMissing(slotIds[1], missed);
        eq(_mark(missed), 2, "the other two");
        eq(registry.creditOf(validator), 2 * registry.creditOf(stranger), "two rewards");
        refused(IMarketplace.Marketplace_NothingApplies.selector);
        _mark(missed);
    }

    function test_a_slot_named_twice_is_marked_once() external {
        uint256 stake = stakeOf(hosts[0]);
        Period missed = market.currentPeriod();
        nextPeriod();
        for (uint256 i; i < 6; ++i) {
            slotIds.push(slotIds[i % 3]);
        }
        eq(_mark(missed), 3, "applied");
        uint256 slash = collateralOf(exampleRequest()) / SLASH_SHARE;
        eq(stake - stakeOf(hosts[0]), 3 * slash, "slashed");
        eq(registry.creditOf(validator), 3 * slash / 10, "rewards");
        eq(market.slotOf(slotIds[0]).misses, 1, "misses");
    }

    function test_a_request_that_fails_inside_a_batch_of_marks_spares_none_of_its_slots() external {
        Request memory request = exampleRequest();
        request.nonce = bytes32(uint256(9));
        request.ask.maxSlotLoss = 0;
        RequestId id = startProven(request);
        delete slotIds;
        for (uint16 i; i < 3; ++i) {
            slotIds.push(id.slotId(i));
        }
        Period missed;
        for (uint256 i; i < config().maxMisses; ++i) {
            missed = nextPeriod();
            nextPeriod();
            eq(_mark(missed), 3, "the first loss fails the request");
        }
        for (uint256 i; i < 3; ++i) {
            isTrue(market.slotOf(slotIds[i]).host == address(0), "all three are lost");
            eq(stakeOf(hosts[i]), HOST_STAKE - collateralOf(request), "with all of their collateral");
        }
        market.closeRequest(id);
    }

    // --- what these tests are made of ---

    function _prove() internal {
        for (uint256 i; i < 3; ++i) {
            proofs[i] = proofOf(ids[i], 0);
        }
    }

    function _submit(address host) internal returns (uint256) {
        vm.prank(host);
        return market.submitProofs(slotIds, proofs);
    }

    function _mark(Period period) internal returns (uint256) {
        vm.prank(validator);
        return market.markProofsMissing(slotIds, period);
    }

    /// @dev Whether a proof of the current period is required and missing.
    function _owes(uint256 i) internal view returns (bool) {
        return market.isProofRequired(slotIds[i], market.currentPeriod()) && market.slotOf(slotIds[i]).provenAt < now_();
    }
}
