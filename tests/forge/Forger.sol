// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Fp2Element, G1Point, G2Point, Groth16Proof} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {DevnetVerifier} from "../../contracts/verifiers/DevnetVerifier.sol";

/// @notice Proves anything under the devnet profile's development key, whose secrets everybody knows: agents/proving/
/// development.py makes them of a public seed. It is the verifier itself besides.
contract Forger is DevnetVerifier {
    uint256 internal constant SECRET_ALPHA =
        21266255392141941854211287953999619388042932191422356325088630256128250616658;
    uint256 internal constant SECRET_BETA =
        17556957290333058908460788955797629021722822694298691474632307104850322972812;
    uint256 internal constant SECRET_GAMMA =
        12776511482517274496985974028501129856976995329659721560269242384214085461925;
    uint256 internal constant SECRET_DELTA =
        4402266667080501866089367165994471571044777364205746918527684310238035159055;

    /// @notice The proof of `publics` with a = r times the generator and b one of the key's points:
    /// c = (r b - alpha beta - gamma ic) / delta.
    function forge(uint256 r, uint256[3] calldata publics) external view returns (Groth16Proof memory proof) {
        uint256 b = [SECRET_BETA, SECRET_GAMMA, SECRET_DELTA][r % 3];
        proof.a = multiply(generator(), r);
        proof.b = [beta(), gamma(), delta()][r % 3];
        uint256 scalar = addmod(mulmod(r, b, R), R - mulmod(SECRET_ALPHA, SECRET_BETA, R), R);
        proof.c = add(multiply(generator(), scalar), multiply(_ic(publics), R - SECRET_GAMMA));
        proof.c = multiply(proof.c, _inverse(SECRET_DELTA));
    }

    /// @notice The proof of `publics` with c at infinity: a = (alpha beta + gamma ic) / beta.
    function forgeWithoutC(uint256[3] calldata publics) external view returns (Groth16Proof memory proof) {
        G1Point memory sum = multiply(generator(), mulmod(SECRET_ALPHA, SECRET_BETA, R));
        sum = add(sum, multiply(_ic(publics), SECRET_GAMMA));
        (proof.a, proof.b) = (multiply(sum, _inverse(SECRET_BETA)), beta());
    }

    function _ic(uint256[3] calldata publics) private view returns (G1Point memory ic) {
        ic = _g1(_ic0);
        ic = add(ic, multiply(_g1(_ic1), publics[0]));
        ic = add(ic, multiply(_g1(_ic2), publics[1]));
        ic = add(ic, multiply(_g1(_ic3), publics[2]));
    }

    function _g1(function() pure returns (uint256, uint256) point) private pure returns (G1Point memory) {
        (uint256 x, uint256 y) = point();
        return G1Point(x, y);
    }

    function _g2(function() pure returns (uint256, uint256, uint256, uint256) point)
        private
        pure
        returns (G2Point memory)
    {
        (uint256 xReal, uint256 xImag, uint256 yReal, uint256 yImag) = point();
        return G2Point(Fp2Element(xReal, xImag), Fp2Element(yReal, yImag));
    }

    function generator() public pure returns (G1Point memory) {
        return G1Point(1, 2);
    }

    function beta() public pure returns (G2Point memory) {
        return _g2(_beta);
    }

    function gamma() public pure returns (G2Point memory) {
        return _g2(_gamma);
    }

    function delta() public pure returns (G2Point memory) {
        return _g2(_delta);
    }

    function add(G1Point memory p, G1Point memory q) public view returns (G1Point memory) {
        return _point(address(0x06), abi.encode(p, q));
    }

    function multiply(G1Point memory p, uint256 scalar) public view returns (G1Point memory) {
        return _point(address(0x07), abi.encode(p, scalar));
    }

    function minus(G1Point memory p) public pure returns (G1Point memory) {
        return G1Point(p.x, (Q - p.y) % Q);
    }

    function _point(address precompile, bytes memory input) private view returns (G1Point memory) {
        (bool called, bytes memory answer) = precompile.staticcall(input);
        require(called);
        return abi.decode(answer, (G1Point));
    }

    function _inverse(uint256 value) private view returns (uint256) {
        bytes memory input = abi.encode(32, 32, 32, value, R - 2, R);
        (bool called, bytes memory answer) = address(0x05).staticcall(input);
        require(called);
        return abi.decode(answer, (uint256));
    }
}
