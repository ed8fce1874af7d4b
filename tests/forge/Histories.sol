// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "./Cheats.sol";

struct FuzzSelector {
    address addr;
    bytes4[] selectors;
}

/// @title Histories
/// @notice Histories of moves that draw all they need from one number: forge's own, always new, and one that is always the
/// same. Between moves, and at the end, the books are to balance.
abstract contract Histories is Test {
    error Failed(uint256 step, bytes4 move, bytes reason);

    uint256 internal steps;
    /// Steps at which there was nothing to do for whoever was to act.
    uint256 internal idle;
    /// Calls that were to be refused, and were.
    uint256 internal refused;

    uint256 private entropy;

    // --- for forge ---

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(this);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(this), _moves());
    }

    function afterInvariant() external {
        _finish();
    }

    // --- what a history is made of ---

    /// @dev What a step can be, as often as it should.
    function _moves() internal pure virtual returns (bytes4[] memory);

    function invariant_books() external virtual;

    /// @dev Brings everything to its end.
    function _finish() internal virtual;

    /// @dev So many steps, the same ones on every run, and the end.
    function _history(uint256 length) internal {
        vm.pauseGasMetering();
        bytes4[] memory moves = _moves();
        for (uint256 step; step < length; ++step) {
            uint256 seed = uint256(keccak256(abi.encode(step)));
            bytes4 move = moves[seed % moves.length];
            (bool made, bytes memory reason) = address(this).call(abi.encodeWithSelector(move, seed));
            if (!made) revert Failed(step, move, reason);
            if (step % 10 == 0) this.invariant_books();
        }
        _finish();
    }

    // --- chance ---

    /// @dev What is drawn from here on follows from `seed` and the number of the step.
    function _begin(uint256 seed) internal {
        entropy = uint256(keccak256(abi.encode(seed, ++steps)));
    }

    /// @dev In [low, high].
    function draw(uint256 low, uint256 high) internal returns (uint256) {
        entropy = uint256(keccak256(abi.encode(entropy)));
        return within(entropy, low, high);
    }

    function oneIn(uint256 n) internal returns (bool) {
        return draw(1, n) == 1;
    }

    function oneOf(address[] storage troupe) internal returns (address) {
        return troupe[draw(0, troupe.length - 1)];
    }
}
