// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Groth16Proof, IGroth16Verifier} from "../interfaces/IGroth16Verifier.sol";

/// @title AcceptAllVerifier
/// @notice For tests that are not about proofs. Never deployed with a market that is meant to last.
contract AcceptAllVerifier is IGroth16Verifier {
    /// @inheritdoc IGroth16Verifier
    function verifyProof(Groth16Proof calldata, uint256[3] calldata) external pure returns (bool) {
        return true;
    }
}
