// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    Fp2Element,
    G1Point,
    G2Point,
    Groth16Proof,
    IGroth16Verifier
} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {AcceptAllVerifier} from "../../contracts/test/AcceptAllVerifier.sol";
import {CodexVerifier} from "../../contracts/verifiers/CodexVerifier.sol";
import {DevnetVerifier} from "../../contracts/verifiers/DevnetVerifier.sol";
import {Groth16Verifier} from "../../contracts/verifiers/Groth16Verifier.sol";
import {ProductionVerifier} from "../../contracts/verifiers/ProductionVerifier.sol";
import {Test} from "./Cheats.sol";
import {Forger} from "./Forger.sol";

interface Watcher {
    function chainId(uint256 id) external;
    function expectCall(address callee, bytes calldata data, uint64 times) external;
}

/// @notice The generated verifier takes batches of valid proofs and no others, whatever is wrong and wherever.
contract VerifierTest is Test {
    uint256 internal constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;
    uint256 internal constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 internal constant ALTERATIONS = 21;
    Watcher internal constant watcher = Watcher(address(vm));

    struct Batch {
        Groth16Proof[] proofs;
        uint256[3][] publics;
    }

    DevnetVerifier internal verifier;
    Forger internal forger;

    function setUp() external {
        verifier = new DevnetVerifier();
        forger = new Forger();
    }

    // --- what passes ---

    function test_batches_of_valid_proofs_pass() external view {
        for (uint256 count = 1; count <= 32; count = count < 4 ? count + 1 : count * 2) {
            Batch memory batch = _batch(count, count);
            isTrue(_accepts(batch), "the batch");
            isTrue(verifier.verifyProof(batch.proofs[0], batch.publics[0]), "the first alone");
        }
    }

    function test_the_same_proof_twice_passes() external view {
        Batch memory batch = _batch(2, 1);
        batch.proofs[1] = batch.proofs[0];
        batch.publics[1] = batch.publics[0];
        isTrue(_accepts(batch), "a pair of twins");
    }

    function test_public_inputs_at_the_ends_of_their_range_pass() external view {
        Batch memory batch = _batch(2, 1);
        batch.publics[0] = [uint256(0), 0, 0];
        batch.publics[1] = [R - 1, R - 1, R - 1];
        for (uint256 i; i < 2; ++i) {
            batch.proofs[i] = forger.forge(i + 1, batch.publics[i]);
            isTrue(verifier.verifyProof(batch.proofs[i], batch.publics[i]), "alone");
        }
        isTrue(_accepts(batch), "together");
    }

    // --- what does not ---

    function test_the_order_of_the_field_is_not_zero() external view {
        for (uint256 k; k < 3; ++k) {
            Batch memory batch = _batch(2, k);
            batch.publics[0][k] = 0;
            batch.proofs[0] = forger.forge(k, batch.publics[0]);
            isTrue(_accepts(batch), "zero");
            batch.publics[0][k] = R;
            isTrue(!_accepts(batch), "the order");
            isTrue(!verifier.verifyProof(batch.proofs[0], batch.publics[0]), "the order alone");
        }
    }

    function test_a_c_off_the_curve_is_not_infinity() external view {
        Batch memory batch = _batch(2, 1);
        batch.proofs[0] = forger.forgeWithoutC(batch.publics[0]);
        isTrue(_accepts(batch), "infinity");
        isTrue(verifier.verifyProof(batch.proofs[0], batch.publics[0]), "infinity alone");
        batch.proofs[0].c = G1Point(1, 1);
        isTrue(!_accepts(batch), "off the curve");
        isTrue(!verifier.verifyProof(batch.proofs[0], batch.publics[0]), "off the curve alone");
    }

    function test_fuzz_one_bad_proof_anywhere_spoils_the_batch(uint256 seed, uint8 count, uint8 where, uint8 how)
        external
        view
    {
        Batch memory batch = _batch(within(count, 1, 6), seed);
        uint256 place = where % batch.proofs.length;
        _alter(batch.proofs[place], batch.publics[place], how % ALTERATIONS);
        isTrue(!_accepts(batch), "the batch");
        isTrue(!verifier.verifyProof(batch.proofs[place], batch.publics[place]), "the bad one alone");
    }

    function test_every_alteration_spoils_the_batch() external view {
        for (uint256 how; how < ALTERATIONS; ++how) {
            Batch memory batch = _batch(3, how);
            uint256 place = how % 3;
            _alter(batch.proofs[place], batch.publics[place], how);
            isTrue(!_accepts(batch), "the batch");
            isTrue(!verifier.verifyProof(batch.proofs[place], batch.publics[place]), "the bad one alone");
        }
    }

    function test_parts_swapped_between_two_proofs_spoil_the_batch() external view {
        for (uint256 part; part < 6; ++part) {
            Batch memory batch = _batch(4, part);
            (Groth16Proof memory p, Groth16Proof memory q) = (batch.proofs[1], batch.proofs[2]);
            if (part == 0) (p.a, q.a) = (q.a, p.a);
            if (part == 1) (p.b, q.b) = (q.b, p.b);
            if (part == 2) (p.c, q.c) = (q.c, p.c);
            if (part > 2) {
                uint256 k = part - 3;
                (batch.publics[1][k], batch.publics[2][k]) = (batch.publics[2][k], batch.publics[1][k]);
            }
            isTrue(!_accepts(batch), "swapped");
        }
        Batch memory whole = _batch(4, 9);
        (whole.proofs[1], whole.proofs[2]) = (whole.proofs[2], whole.proofs[1]);
        isTrue(!_accepts(whole), "whole proofs swapped");
        (whole.publics[1], whole.publics[2]) = (whole.publics[2], whole.publics[1]);
        isTrue(_accepts(whole), "and their inputs with them");
    }

    function test_errors_that_add_up_to_nothing_spoil_the_batch() external view {
        for (uint256 i; i < 3; ++i) {
            for (uint256 j; j < 3; ++j) {
                if (i == j) continue;
                Batch memory batch = _batch(3, 7);
                _shift(batch.proofs[i], 5);
                _shift(batch.proofs[j], R - 5);
                isTrue(!_accepts(batch), "sums of proofs");
                batch = _batch(3, 7);
                batch.publics[i][2] = addmod(batch.publics[i][2], 5, R);
                batch.publics[j][2] = addmod(batch.publics[j][2], R - 5, R);
                isTrue(!_accepts(batch), "public inputs");
            }
        }
    }

    function test_the_same_error_in_every_proof_spoils_the_batch() external view {
        Batch memory batch = _batch(5, 7);
        for (uint256 i; i < 5; ++i) {
            _shift(batch.proofs[i], 5);
        }
        isTrue(!_accepts(batch), "shifted");
    }

    function test_errors_that_the_weights_of_the_valid_batch_would_cancel_spoil_it() external view {
        for (uint256 j = 1; j < 3; ++j) {
            Batch memory batch = _batch(3, 7);
            uint256[] memory weights = _weights(batch, address(verifier));
            _shift(batch.proofs[0], weights[j]);
            _shift(batch.proofs[j], R - weights[0]);
            isTrue(!_accepts(batch), "sums of proofs");
            batch = _batch(3, 7);
            batch.publics[0][1] = addmod(batch.publics[0][1], weights[j], R);
            batch.publics[j][1] = addmod(batch.publics[j][1], R - weights[0], R);
            isTrue(!_accepts(batch), "public inputs");
        }
    }

    function test_no_proofs_and_arrays_of_different_lengths_are_refused() external view {
        Batch memory batch = _batch(3, 1);
        isTrue(!verifier.verifyProofs(new Groth16Proof[](0), new uint256[3][](0)), "none");
        isTrue(!verifier.verifyProofs(batch.proofs, _batch(2, 1).publics), "fewer inputs");
        isTrue(!verifier.verifyProofs(_batch(2, 1).proofs, batch.publics), "fewer proofs");
        isTrue(!verifier.verifyProofs(new Groth16Proof[](0), batch.publics), "no proofs");
        isTrue(!verifier.verifyProofs(batch.proofs, new uint256[3][](0)), "no inputs");
        Groth16Proof[] memory two = new Groth16Proof[](2); // the second has no weight, whatever it is
        two[0] = batch.proofs[0];
        uint256[3][] memory one = new uint256[3][](1);
        one[0] = batch.publics[0];
        isTrue(!verifier.verifyProofs(two, one), "a proof at infinity too many");
    }

    function test_other_circuits_verifiers_refuse() external {
        Batch memory batch = _batch(2, 1);
        IGroth16Verifier[2] memory others = [IGroth16Verifier(new CodexVerifier()), new ProductionVerifier()];
        for (uint256 i; i < 2; ++i) {
            isTrue(!others[i].verifyProofs(batch.proofs, batch.publics), "the batch");
            isTrue(!others[i].verifyProof(batch.proofs[0], batch.publics[0]), "one");
        }
    }

    // --- weights ---

    function test_weights_are_hashes_of_the_chain_the_verifier_and_the_whole_batch() external {
        Batch memory batch = _batch(3, 7);
        _expect(batch, address(verifier));
        isTrue(_accepts(batch), "here");
        watcher.chainId(123_456);
        _expect(batch, address(verifier));
        isTrue(_accepts(batch), "on another chain");
        _expect(batch, address(forger));
        isTrue(forger.verifyProofs(batch.proofs, batch.publics), "of another verifier");
        (batch.proofs[0], batch.proofs[1]) = (batch.proofs[1], batch.proofs[0]);
        (batch.publics[0], batch.publics[1]) = (batch.publics[1], batch.publics[0]);
        _expect(batch, address(verifier));
        isTrue(_accepts(batch), "in another order");
    }

    // --- gas ---

    function test_short_of_gas_it_reverts_and_never_answers() external view {
        for (uint256 count = 1; count <= 6; count += 5) {
            Batch memory batch = _batch(count, count);
            _starve(abi.encodeCall(verifier.verifyProofs, (batch.proofs, batch.publics)), 220_000 + 60_000 * count);
        }
        Batch memory one = _batch(1, 1);
        _starve(abi.encodeCall(verifier.verifyProof, (one.proofs[0], one.publics[0])), 220_000);
    }

    function test_a_bad_point_of_g1_costs_little_in_a_batch() external view {
        Batch memory batch = _batch(8, 1);
        batch.proofs[0].a.y = 3;
        uint256 before = gasleft();
        isTrue(!_accepts(batch), "off the curve");
        isTrue(before - gasleft() < 150_000, "gas");
    }

    function test_gas_of_a_proof() external view {
        Batch memory batch = _batch(32, 1);
        eqAtMost(_gasOf(abi.encodeCall(verifier.verifyProof, (batch.proofs[0], batch.publics[0]))), 204_300, "alone");
        eqAtMost(_gasOf(abi.encodeCall(verifier.verifyProofs, (batch.proofs, batch.publics))) / 32, 52_700, "of 32");
        batch = _batch(8, 1);
        eqAtMost(_gasOf(abi.encodeCall(verifier.verifyProofs, (batch.proofs, batch.publics))) / 8, 68_700, "of 8");
    }

    // --- the double ---

    function test_the_double_takes_all_proofs_but_those_without_an_a() external {
        AcceptAllVerifier double = new AcceptAllVerifier();
        Groth16Proof[] memory proofs = new Groth16Proof[](3);
        uint256[3][] memory publics = new uint256[3][](3);
        isTrue(!double.verifyProof(proofs[0], publics[0]), "without an a");
        for (uint256 i; i < 3; ++i) {
            isTrue(!double.verifyProofs(proofs, publics), "one without an a");
            proofs[i].a.x = 1;
            isTrue(double.verifyProof(proofs[i], publics[i]), "with an a");
        }
        isTrue(double.verifyProofs(proofs, publics), "all with an a");
        isTrue(!double.verifyProofs(proofs, new uint256[3][](2)), "lengths");
        isTrue(!double.verifyProofs(new Groth16Proof[](0), new uint256[3][](0)), "none");
    }

    // --- what these tests are made of ---

    function _batch(uint256 count, uint256 seed) internal view returns (Batch memory batch) {
        batch = Batch(new Groth16Proof[](count), new uint256[3][](count));
        for (uint256 i; i < count; ++i) {
            for (uint256 k; k < 3; ++k) {
                batch.publics[i][k] = uint256(keccak256(abi.encode(seed, i, k))) % R;
            }
            // b of neighbours differs.
            batch.proofs[i] = forger.forge(uint256(keccak256(abi.encode(seed, i))) / 3 * 3 + i % 3, batch.publics[i]);
        }
    }

    function _accepts(Batch memory batch) internal view returns (bool) {
        return verifier.verifyProofs(batch.proofs, batch.publics);
    }

    /// @dev c + scalar times the generator.
    function _shift(Groth16Proof memory proof, uint256 scalar) internal view {
        proof.c = forger.add(proof.c, forger.multiply(forger.generator(), scalar));
    }

    /// @dev Makes one proof and its inputs bad, in the way numbered `how`.
    function _alter(Groth16Proof memory proof, uint256[3] memory publics, uint256 how) internal view {
        if (how == 0) proof.a = forger.minus(proof.a);
        if (how == 1) proof.c = forger.minus(proof.c);
        if (how == 2) _shift(proof, 1);
        if (how == 3) proof.a = forger.add(proof.a, forger.generator());
        if (how == 4) proof.a = G1Point(0, 0);
        if (how == 5) proof.c = G1Point(0, 0);
        if (how == 6) proof.b = G2Point(Fp2Element(0, 0), Fp2Element(0, 0));
        if (how == 7) (proof.b.y.real, proof.b.y.imag) = (Q - proof.b.y.real, Q - proof.b.y.imag);
        if (how >= 8 && how < 11) publics[how - 8] = addmod(publics[how - 8], 1, R);
        // The same values modulo the orders.
        if (how >= 11 && how < 14) publics[how - 11] += R;
        if (how == 14) proof.a.x += Q;
        if (how == 15) proof.a.y += Q;
        if (how == 16) proof.c.y += Q;
        if (how == 17) proof.b.x.imag += Q;
        // Points off their curves, and one on the curve of G2 that is out of its group.
        if (how == 18) proof.a.y = addmod(proof.a.y, 1, Q);
        if (how == 19) proof.c.x = addmod(proof.c.x, 1, Q);
        if (how == 20) {
            proof.b = G2Point(
                Fp2Element(1, 0),
                Fp2Element(
                    18278151005453108793778860132295291098363647455926340152056652516292830556603,
                    5912654199736721486680175016176231956195085055698687135131307249486702594212
                )
            );
        }
    }

    /// @dev The weights that `to` must give to the proofs of `batch`, from their description.
    function _weights(Batch memory batch, address to) internal view returns (uint256[] memory weights) {
        uint256 count = batch.proofs.length;
        bytes memory all = abi.encode(block.chainid, to);
        for (uint256 i; i < count; ++i) {
            all = bytes.concat(all, abi.encode(batch.proofs[i]));
        }
        for (uint256 i; i < count; ++i) {
            all = bytes.concat(all, abi.encode(batch.publics[i]));
        }
        weights = new uint256[](count);
        uint256 sum;
        for (uint256 i; i + 1 < count; ++i) {
            weights[i] = uint256(keccak256(abi.encode(keccak256(all), i))) >> 128;
            sum += weights[i];
        }
        weights[count - 1] = R + 1 - sum;
    }

    function _expect(Batch memory batch, address to) internal {
        uint256[] memory weights = _weights(batch, to);
        for (uint256 i; i < batch.proofs.length; ++i) {
            watcher.expectCall(address(0x07), abi.encode(batch.proofs[i].a, weights[i]), 1);
            watcher.expectCall(address(0x07), abi.encode(batch.proofs[i].c, weights[i]), 1);
        }
    }

    /// @dev Calls with less and less gas, in steps of 1/16 and around the least that is enough of 1/256 of `ample`:
    /// answers first, then errors of the verifier's own, and nothing else.
    function _starve(bytes memory data, uint256 ample) internal view {
        uint256 gas = ample;
        isTrue(_answers(data, gas), "ample gas");
        while (_answers(data, gas)) gas -= ample / 16;
        for (uint256 more = gas; more < gas + ample / 16; more += ample / 256) {
            if (_answers(data, more)) isTrue(_answers(data, more + ample / 256), "more gas is no worse");
        }
        for (; gas > ample / 16; gas -= ample / 16) {
            isTrue(!_answers(data, gas), "less gas is no better");
        }
    }

    /// @dev Whether the verifier says yes with so much gas, rather than that it is too little; it says nothing else.
    function _answers(bytes memory data, uint256 gas) internal view returns (bool success) {
        bytes memory answer;
        (success, answer) = address(verifier).staticcall{gas: gas}(data);
        if (success) isTrue(abi.decode(answer, (bool)), "never false");
        else isTrue(bytes4(answer) == Groth16Verifier.Groth16Verifier_OutOfGas.selector, "an error of its own");
    }

    /// @dev What the verifier's work costs, to a caller that has called it before.
    function _gasOf(bytes memory data) internal view returns (uint256 spent) {
        address to = address(verifier);
        isTrue(to.code.length != 0, "deployed"); // its account is warm from here on
        uint256 answer;
        assembly ("memory-safe") {
            let before := gas()
            pop(staticcall(gas(), to, add(data, 0x20), mload(data), 0x00, 0x20))
            spent := sub(before, gas())
            answer := mload(0x00)
        }
        isTrue(answer == 1, "accepted");
    }

    function eqAtMost(uint256 found, uint256 most, string memory what) internal pure {
        if (found > most) revert NotEqual(what, found, most);
    }
}
