// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

struct G1Point {
    uint256 x;
    uint256 y;
}

/// @notice real + imag * i, with i * i = -1.
struct Fp2Element {
    uint256 real;
    uint256 imag;
}

struct G2Point {
    Fp2Element x;
    Fp2Element y;
}

struct Groth16Proof {
    G1Point a;
    G2Point b;
    G1Point c;
}

/// @notice Verifies Groth16 proofs over BN254 of one circuit, whose key it holds as constants.
interface IGroth16Verifier {
    /// @notice Whether `proof` proves the statement `publics` = [entropy, dataset root, slot index].
    /// @dev Answers false for coordinates at or above the field prime and inputs at or above the scalar order.
    /// Running short of gas reverts; it never answers false.
    function verifyProof(Groth16Proof calldata proof, uint256[3] calldata publics) external view returns (bool);

    /// @notice Whether every one of `proofs` proves its statement: publics[i] = [entropy, dataset root, slot index] is that
    /// of proofs[i].
    /// @dev All are checked in one equation with weights that hash the whole batch, for about 50,000 gas a proof in large
    /// batches. Answers false if any proof is bad, without saying which, and as verifyProof does for what is out of range;
    /// also for a batch of none, which proves nothing, and for arrays that differ in length.
    /// Running short of gas reverts; it never answers false.
    function verifyProofs(Groth16Proof[] calldata proofs, uint256[3][] calldata publics) external view returns (bool);
}
