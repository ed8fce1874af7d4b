// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Groth16Proof, IGroth16Verifier} from "../interfaces/IGroth16Verifier.sol";

/// @title AcceptAllVerifier
/// @notice For tests that are not about proofs: every proof is good, but for one whose first coordinate is zero.
contract AcceptAllVerifier is IGroth16Verifier {
    /// @inheritdoc IGroth16Verifier
    function verifyProof(Groth16Proof calldata proof, uint256[3] calldata) external pure returns (bool) {
        return proof.a.x != 0;
    }
}
