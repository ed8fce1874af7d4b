// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Groth16Proof, IGroth16Verifier} from "../interfaces/IGroth16Verifier.sol";

/// @title AcceptAllVerifier
/// @notice Accepts every proof but those with a.x = 0. For tests that are not about proofs; proves nothing.
contract AcceptAllVerifier is IGroth16Verifier {
    /// @inheritdoc IGroth16Verifier
    function verifyProof(Groth16Proof calldata proof, uint256[3] calldata) external pure returns (bool) {
        return proof.a.x != 0;
    }

    /// @inheritdoc IGroth16Verifier
    function verifyProofs(Groth16Proof[] calldata proofs, uint256[3][] calldata publics) external pure returns (bool) {
        if (proofs.length == 0 || proofs.length != publics.length) return false;
        for (uint256 i = 0; i < proofs.length; ++i) {
            if (proofs[i].a.x == 0) return false;
        }
        return true;
    }
}
