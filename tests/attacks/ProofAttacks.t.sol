// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Groth16Proof} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {IMarketplace} from "../../contracts/interfaces/IMarketplace.sol";
import {Period, Request, RequestId, SlotId, SlotState} from "../../contracts/libraries/Types.sol";
import {AttackTest} from "./AttackTest.sol";

/// @notice A hash of block 0 that a test can choose, and others that follow from it: as many chains as it likes.
contract SeededHistory {
    bytes32 internal seed;

    fallback() external {
        bytes32 hash = keccak256(abi.encode(seed, abi.decode(msg.data, (uint256))));
        assembly ("memory-safe") {
            mstore(0, hash)
            return(0, 32)
        }
    }
}

/// @notice Hosts that prove what they do not have, and chance that is not what it should be. With real proofs.
contract ProofAttacks is AttackTest {
    address internal constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;

    // --- hosts that hold nothing ---

    function test_a_host_without_the_data_proves_nothing_and_loses_its_collateral() external {
        demandProofs();
        Request memory request = exampleRequest();
        RequestId id = startProven(request);
        Period[3] memory missed;
        for (uint256 i; i < 3; ++i) {
            missed[i] = nextPeriod();
            uint256[3] memory publics = publicsOf(id.slotId(0), missed[i], ROOT + 1, 0);
            _refusedProof(id, 0, missed[i], forger.forge(i + 1, publics));
            if (i != 0) mark(id, 0, missed[i - 1]);
        }
        nextPeriod();
        mark(id, 0, missed[2]);
        isTrue(slotOf(id, 0).state == SlotState.Lost, "the slot is lost");
        eq(stakeOf(hosts[0]), HOST_STAKE - collateralOf(request), "stake");
        eq(registry.creditOf(hosts[0]), 0, "nothing was earned after the fill");
    }

    function test_a_host_cannot_answer_with_another_slot() external {
        demandProofs();
        RequestId id = startProven(exampleRequest());
        // It has slot 0 and hosts slot 2: it answers the right challenge with the cells it has.
        Period period = nextPeriod();
        _refusedProof(id, 2, period, forger.forge(1, publicsOf(id.slotId(2), period, ROOT, 0)));
        _acceptedProof(id, 2, period, proofOf(id, 2));
    }

    function test_a_proof_does_not_serve_two_requests_for_the_same_content() external {
        demandProofs();
        Request memory request = exampleRequest();
        RequestId one = startProven(request);
        request.nonce = bytes32(uint256(1));
        RequestId two = startProven(request);
        Period period = nextPeriod();
        Groth16Proof memory proof = proofOf(one, 0);
        _acceptedProof(one, 0, period, proof);
        _refusedProof(two, 0, period, proof);
    }

    function test_a_proof_is_not_replayed_in_another_period() external {
        demandProofs();
        RequestId id = startProven(exampleRequest());
        Period period = nextPeriod();
        Groth16Proof memory proof = proofOf(id, 0);
        _acceptedProof(id, 0, period, proof);
        _refusedProof(id, 0, nextPeriod(), proof);
    }

    function test_a_proof_is_not_replayed_on_another_chain() external {
        demandProofs();
        RequestId id = startProven(exampleRequest());
        Period period = nextPeriod();
        Groth16Proof memory proof = proofOf(id, 0);
        // The same contracts, requests and heights, as after a fork: the blocks since are others.
        vm.setBlockhash(Period.unwrap(period) * config().periodBlocks, keccak256("the other branch"));
        _refusedProof(id, 0, period, proof);
    }

    function test_a_proof_pays_once() external {
        RequestId id = start(exampleRequest());
        Period period = nextPeriod();
        prove(id, 0);
        uint256 claimable = market.claimable(id.slotId(0));
        advance(5);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_AlreadyProven.selector, period));
        vm.prank(hosts[0]);
        market.submitProof(id.slotId(0), period, anyProof());
        eq(market.claimable(id.slotId(0)), claimable, "pay stops at the proof");
    }

    function test_nobody_but_the_host_proves() external {
        RequestId id = start(exampleRequest());
        Period period = nextPeriod();
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_NotHost.selector, hosts[0], stranger));
        vm.prank(stranger);
        market.submitProof(id.slotId(0), period, anyProof());
    }

    // --- challenges shown ahead ---

    function test_no_challenge_is_known_before_the_second_block_of_its_period() external {
        RequestId id = start(exampleRequest());
        uint64 current = Period.unwrap(nextPeriod());
        vm.roll(current * config().periodBlocks + 1);
        // In every block of this period, and in the first of the next.
        for (uint256 i = 1; i < config().periodBlocks; ++i) {
            for (uint64 ahead = 1; ahead <= 300; ahead = ahead * 4 - 1) {
                _unknown(id, current + ahead);
            }
            advance(1);
        }
        _unknown(id, current + 1);
        _unknown(id, type(uint64).max);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_ChallengeUnknown.selector, current + 1));
        vm.prank(hosts[0]);
        market.submitProof(id.slotId(0), Period.wrap(current + 1), anyProof());
        advance(1);
        isTrue(market.challengeOf(id.slotId(0), Period.wrap(current + 1)) != 0, "known in the second");
    }

    function test_nothing_is_proven_in_advance_or_late() external {
        RequestId id = start(exampleRequest());
        uint64 current = Period.unwrap(nextPeriod());
        uint64[5] memory others = [current - 1, current + 1, current + 8, 0, type(uint64).max];
        for (uint256 i; i < others.length; ++i) {
            refused(abi.encodeWithSelector(IMarketplace.Marketplace_WrongPeriod.selector, others[i], current));
            vm.prank(hosts[0]);
            market.submitProof(id.slotId(0), Period.wrap(others[i]), anyProof());
        }
    }

    // --- a biased lottery ---

    function test_the_lottery_is_fair_at_awkward_odds() external {
        // Of 3,000 draws: expected 1000 and 429, with standard deviations of 26 and 19.
        uint256 required = _drawn(3, 1000);
        isTrue(required > 1000 - 130 && required < 1000 + 130, "one in 3");
        required = _drawn(7, 1000);
        isTrue(required > 429 - 95 && required < 429 + 95, "one in 7");
    }

    function test_the_lottery_is_exact_at_the_smallest_odds() external {
        Request memory request = exampleRequest();
        request.ask.proofProbability = 65_535;
        RequestId id = start(request);
        uint64 period = Period.unwrap(nextPeriod()) + 30;
        vm.etch(HISTORY, type(SeededHistory).runtimeCode);
        vm.roll((period + 30) * config().periodBlocks); // out of the reach of BLOCKHASH
        uint256 bound = type(uint256).max / 65_535;
        uint256 block_ = period * config().periodBlocks;
        (uint256 winners, uint256 nearly) = (0, 0);
        for (uint256 seed; seed < 300_000; ++seed) {
            bytes32 hash = _hashed(bytes32(seed), bytes32(block_));
            uint256 challenge = uint256(_hashed(hash, SlotId.unwrap(id.slotId(0))));
            if (challenge > 2 * bound) continue;
            vm.store(HISTORY, 0, bytes32(seed));
            eq(market.challengeOf(id.slotId(0), Period.wrap(period)), bytes32(challenge), "challenge");
            bool required = market.isProofRequired(id.slotId(0), Period.wrap(period));
            isTrue(required == (challenge <= bound), "required exactly below the bound");
            if (required) ++winners;
            else ++nearly;
        }
        // Expected 4.6 each; these histories are always the same ones.
        isTrue(winners > 0 && winners < 14 && nearly > 0, "draws on both sides");
    }

    // --- what these tests are made of ---

    /// @dev keccak256(abi.encode(a, b)), without the memory.
    function _hashed(bytes32 a, bytes32 b) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0x00, a)
            mstore(0x20, b)
            hash := keccak256(0x00, 0x40)
        }
    }

    /// @dev How many of three slots' proofs are required in `periods` periods at one in `p`.
    function _drawn(uint16 p, uint64 periods) internal returns (uint256 required) {
        Request memory request = exampleRequest();
        request.nonce = bytes32(uint256(p));
        request.ask.proofProbability = p;
        RequestId id = start(request);
        vm.etch(HISTORY, type(SeededHistory).runtimeCode);
        uint64 period = Period.unwrap(nextPeriod()) + 1;
        vm.roll((period + 40) * config().periodBlocks);
        for (uint256 i; i < periods; ++i) {
            vm.store(HISTORY, 0, keccak256(abi.encode(p, i)));
            for (uint16 index; index < 3; ++index) {
                if (market.isProofRequired(id.slotId(index), Period.wrap(period))) ++required;
            }
        }
    }

    function _unknown(RequestId id, uint64 period) internal {
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_ChallengeUnknown.selector, period));
        market.challengeOf(id.slotId(0), Period.wrap(period));
    }

    function _refusedProof(RequestId id, uint16 index, Period period, Groth16Proof memory proof) internal {
        refused(IMarketplace.Marketplace_InvalidProof.selector);
        vm.prank(hosts[index]);
        market.submitProof(id.slotId(index), period, proof);
    }

    function _acceptedProof(RequestId id, uint16 index, Period period, Groth16Proof memory proof) internal {
        vm.prank(hosts[index]);
        market.submitProof(id.slotId(index), period, proof);
    }
}
