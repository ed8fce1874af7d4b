// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Groth16Proof, IGroth16Verifier} from "../interfaces/IGroth16Verifier.sol";

/// @title Groth16Verifier
/// @notice Groth16 over BN254, one proof or many at once, for the circuit whose key a verifier made of it holds.
abstract contract Groth16Verifier is IGroth16Verifier {
    /// Order of the scalar field.
    uint256 internal constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    /// Order of the field of coordinates.
    uint256 internal constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;

    /// Bytes of a pair of points, one of G1 and one of G2, as the precompile of pairings takes them.
    uint256 internal constant PAIR = 0xc0;
    /// Gas that a precompile on G1 may use, and that of pairings for each pair: ten times the prices of EIP-1108 and
    /// more. A fork may raise them, and yet a bad point, on which a precompile spends all it is given, does not cost
    /// all there is.
    uint256 internal constant POINT_GAS = 60_000;
    uint256 internal constant PAIRING_GAS = 500_000;

    error Groth16Verifier_OutOfGas();

    /// @inheritdoc IGroth16Verifier
    /// @dev e(a, b) = e(alpha, beta) e(ic, gamma) e(c, delta) with ic = IC0 + sum of publics[k] IC(k + 1). The
    /// precompiles (EIP-196, EIP-197) reject coordinates at or above Q, points off the curve and, for G2, out of the
    /// group; all of the curve is G1.
    function verifyProof(Groth16Proof calldata proof, uint256[3] calldata publics) external view returns (bool) {
        if (publics[0] >= R || publics[1] >= R || publics[2] >= R) return false;
        _requireGas(4, 3);
        uint256 pairs = _allocate(4);
        assembly ("memory-safe") {
            calldatacopy(pairs, proof, 0x40)
            // The precompile takes imaginary parts first.
            mstore(add(pairs, 0x40), calldataload(add(proof, 0x60)))
            mstore(add(pairs, 0x60), calldataload(add(proof, 0x40)))
            mstore(add(pairs, 0x80), calldataload(add(proof, 0xa0)))
            mstore(add(pairs, 0xa0), calldataload(add(proof, 0x80)))
            calldatacopy(add(pairs, mul(3, PAIR)), add(proof, 0xc0), 0x40)
        }
        return _balances(pairs, 1, publics[0], publics[1], publics[2]);
    }

    /// @inheritdoc IGroth16Verifier
    /// @dev One equation for all: that of verifyProof with every proof's sides raised to the power of its weight r_i,
    ///   product of e(r_i a_i, b_i) = e(alpha, beta)^(sum r_i) e(sum r_i ic_i, gamma) e(sum r_i c_i, delta).
    /// Weights are 128 bits of keccak256(seed, i), the seed being the hash of the whole batch; the last one is such
    /// that they add up to 1 modulo R, so that alpha and IC0 stand as they are.
    ///
    /// Valid batches always pass. That others do not is the small exponents test (Bellare, Garay, Rabin, EUROCRYPT
    /// 1998; for pairings Ferrara, Green, Hohenberger, Pedersen, CT-RSA 2009; for Groth16 the Zcash protocol, appendix
    /// B.2) with a sum of weights that is fixed. Let E_i = e(alpha, beta) e(ic_i, gamma) e(c_i, delta) / e(a_i, b_i), 1
    /// for valid proofs only. The precompiles admit infinity and points of the groups of prime order R alone, so E_i =
    /// g^(x_i) for one g of order R. As the last weight is 1 - the sum of the others, what is compared with 1 is g to
    /// the power of
    ///   x_last + sum over i < last of r_i (x_i - x_last)  modulo R.
    /// If all x_i equal x_last, that is x_last: 0 for valid batches only. Else some x_j differs from it, and whatever
    /// the other weights, at most one r_j modulo R makes the sum 0: at most one of its 2^128 values, all below R. So
    /// weights drawn after the batch is fixed pass an invalid batch with probability at most 2^-128. They are: the seed
    /// binds all of the batch and has no second reading, as both arrays are equally long and their elements of fixed
    /// length. With keccak256 as a random oracle, whoever asks it q times finds an invalid batch that passes with
    /// probability at most (q + 1) / 2^128 + (q + 1)^2 / 2^256, the last for seeds that were met before.
    function verifyProofs(Groth16Proof[] calldata proofs, uint256[3][] calldata publics) external view returns (bool) {
        uint256 count = proofs.length;
        if (count == 0 || count != publics.length) return false;
        uint256 seed = _seed(proofs, publics);
        uint256 pairs = _allocate(count + 3);
        _requireGas(count + 3, 2 * count + 3);
        (bool valid, uint256 first, uint256 second, uint256 third) = _weigh(pairs, seed, publics);
        if (!valid || !_scale(pairs, proofs)) return false;
        return _balances(pairs, count, first, second, third);
    }

    /// @dev Hash of the chain, this verifier (whose code holds the key) and all that is to be verified, in order.
    function _seed(Groth16Proof[] calldata proofs, uint256[3][] calldata publics) private view returns (uint256 seed) {
        assembly ("memory-safe") {
            let start := mload(0x40)
            mstore(start, chainid())
            mstore(add(start, 0x20), address())
            let size := mul(proofs.length, 0x100)
            calldatacopy(add(start, 0x40), proofs.offset, size)
            let end := add(add(start, 0x40), size)
            size := mul(publics.length, 0x60)
            calldatacopy(end, publics.offset, size)
            seed := keccak256(start, sub(add(end, size), start))
        }
    }

    /// @dev Leaves the weight of each proof in the third word of its pair, and returns the weighted sums modulo R of
    /// the public inputs; false if one is not below R.
    function _weigh(uint256 pairs, uint256 seed, uint256[3][] calldata publics)
        private
        pure
        returns (bool valid, uint256 first, uint256 second, uint256 third)
    {
        assembly ("memory-safe") {
            valid := 1
            // R in the room after the pairs for now: the compiler would fetch it from the code at every use.
            let end := add(pairs, mul(publics.length, PAIR))
            mstore(end, R)
            let rest := add(R, 1)
            let inputs := publics.offset
            mstore(0x00, seed)
            for { let i := 0 } lt(pairs, end) { i := add(i, 1) } {
                let order := mload(end)
                let weight := rest
                if lt(add(pairs, PAIR), end) {
                    mstore(0x20, i)
                    weight := shr(128, keccak256(0x00, 0x40))
                    rest := sub(rest, weight)
                }
                mstore(add(pairs, 0x40), weight)
                pairs := add(pairs, PAIR)
                let input := calldataload(inputs)
                valid := and(valid, lt(input, order))
                first := addmod(first, mulmod(weight, input, order), order)
                input := calldataload(add(inputs, 0x20))
                valid := and(valid, lt(input, order))
                second := addmod(second, mulmod(weight, input, order), order)
                input := calldataload(add(inputs, 0x40))
                valid := and(valid, lt(input, order))
                third := addmod(third, mulmod(weight, input, order), order)
                inputs := add(inputs, 0x60)
            }
        }
    }

    /// @dev Makes each proof's pair of its weighted a and its b, and the last pair's point the weighted sum of all c.
    /// False if a point of G1 is none.
    function _scale(uint256 pairs, Groth16Proof[] calldata proofs) private view returns (bool valid) {
        assembly ("memory-safe") {
            valid := 1
            let end := add(pairs, mul(proofs.length, PAIR))
            let sum := add(end, mul(2, PAIR))
            let term := add(sum, 0x40)
            calldatacopy(sum, calldatasize(), 0x40) // infinity
            let proof := proofs.offset
            for { let pair := pairs } and(valid, lt(pair, end)) { pair := add(pair, PAIR) } {
                calldatacopy(term, add(proof, 0xc0), 0x40)
                mstore(add(term, 0x40), mload(add(pair, 0x40)))
                valid := staticcall(POINT_GAS, 0x07, term, 0x60, term, 0x40)
                valid := and(staticcall(POINT_GAS, 0x06, sum, 0x80, sum, 0x40), valid)
                calldatacopy(pair, proof, 0x40)
                valid := and(staticcall(POINT_GAS, 0x07, pair, 0x60, pair, 0x40), valid)
                // b: the precompile takes imaginary parts first.
                mstore(add(pair, 0x40), calldataload(add(proof, 0x60)))
                mstore(add(pair, 0x60), calldataload(add(proof, 0x40)))
                mstore(add(pair, 0x80), calldataload(add(proof, 0xa0)))
                mstore(add(pair, 0xa0), calldataload(add(proof, 0x80)))
                proof := add(proof, 0x100)
            }
        }
    }

    /// @dev Whether `count` pairs multiply to e(alpha, beta) e(ic, gamma) e(c, delta), where ic = IC0 + first IC1 +
    /// second IC2 + third IC3. The room of three pairs follows them, with c in place already; the three are made here,
    /// of the negated points of the key, and the product of all compared with 1.
    function _balances(uint256 pairs, uint256 count, uint256 first, uint256 second, uint256 third)
        private
        view
        returns (bool one)
    {
        uint256 key = pairs + count * PAIR;
        (uint256 x, uint256 y) = _ic0();
        _put(key + PAIR, x, y);
        (x, y) = _ic1();
        _add(key + PAIR, x, y, first);
        (x, y) = _ic2();
        _add(key + PAIR, x, y, second);
        (x, y) = _ic3();
        _add(key + PAIR, x, y, third);
        _putKey(key);
        assembly ("memory-safe") {
            count := add(count, 3)
            one := staticcall(mul(count, PAIRING_GAS), 0x08, pairs, mul(count, PAIR), 0x00, 0x20)
            one := and(one, mload(0x00)) // 0 or 1 after a call that did not fail
        }
    }

    /// @dev alpha, and the negatives of beta, gamma and delta, in the three pairs at `key`.
    function _putKey(uint256 key) private pure {
        (uint256 x, uint256 y) = _alpha();
        _put(key, x, y);
        (uint256 xReal, uint256 xImag, uint256 yReal, uint256 yImag) = _beta();
        _putNegated(key + 0x40, xReal, xImag, yReal, yImag);
        (xReal, xImag, yReal, yImag) = _gamma();
        _putNegated(key + PAIR + 0x40, xReal, xImag, yReal, yImag);
        (xReal, xImag, yReal, yImag) = _delta();
        _putNegated(key + 2 * PAIR + 0x40, xReal, xImag, yReal, yImag);
    }

    function _put(uint256 at, uint256 x, uint256 y) private pure {
        assembly ("memory-safe") {
            mstore(at, x)
            mstore(add(at, 0x20), y)
        }
    }

    /// @dev The negative of a point of G2 at `at`, imaginary parts first.
    function _putNegated(uint256 at, uint256 xReal, uint256 xImag, uint256 yReal, uint256 yImag) private pure {
        _put(at, xImag, xReal);
        _put(at + 0x40, Q - yImag, Q - yReal);
    }

    /// @dev The point at `sum` + scalar (x, y), back to `sum`; the three words after the point are spoilt. The points
    /// are ours and there is gas for them: neither call can fail.
    function _add(uint256 sum, uint256 x, uint256 y, uint256 scalar) private view {
        assembly ("memory-safe") {
            let term := add(sum, 0x40)
            mstore(term, x)
            mstore(add(term, 0x20), y)
            mstore(add(term, 0x40), scalar)
            pop(staticcall(POINT_GAS, 0x07, term, 0x60, term, 0x40))
            pop(staticcall(POINT_GAS, 0x06, sum, 0x80, sum, 0x40))
        }
    }

    /// @dev Room for `count` pairs, with anything in it.
    function _allocate(uint256 count) private pure returns (uint256 pairs) {
        assembly ("memory-safe") {
            pairs := mload(0x40)
            mstore(0x40, add(pairs, mul(count, PAIR)))
        }
    }

    /// @dev Reverts unless there is gas for so many pairings and so many products of points of G1 and scalars: short of
    /// it a precompile would fail, as it does for a bad point. Prices are those of EIP-1108, 6,500 being a product's
    /// with all that goes with it but memory, which is allocated before; 10,000 of the 55,000 are for a build without the
    /// optimiser. One part in 32 goes beyond: calls get 63/64 of what there is.
    function _requireGas(uint256 pairings, uint256 products) private view {
        unchecked {
            uint256 needed = 55_000 + 34_000 * pairings + 6_500 * products;
            if (gasleft() < needed + needed / 32) revert Groth16Verifier_OutOfGas();
        }
    }

    // The key, as constants in the code. Its points are in their groups: whoever generates the contract sees to that.
    // Points of G1 are x and y, those of G2 real and imaginary part of x, then of y.

    function _alpha() internal pure virtual returns (uint256, uint256);
    function _beta() internal pure virtual returns (uint256, uint256, uint256, uint256);
    function _gamma() internal pure virtual returns (uint256, uint256, uint256, uint256);
    function _delta() internal pure virtual returns (uint256, uint256, uint256, uint256);
    function _ic0() internal pure virtual returns (uint256, uint256);
    function _ic1() internal pure virtual returns (uint256, uint256);
    function _ic2() internal pure virtual returns (uint256, uint256);
    function _ic3() internal pure virtual returns (uint256, uint256);
}
