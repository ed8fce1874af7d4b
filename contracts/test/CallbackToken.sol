// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title CallbackToken
/// @notice A token that, while it moves, makes a call of somebody's choice, for tests of re-entrancy.
contract CallbackToken is ERC20 {
    address internal target;
    bytes internal data;

    constructor(uint256 supply) ERC20("Callback", "CALL") {
        _mint(msg.sender, supply);
    }

    /// @notice Call `target_` with `data_` on every transfer; nobody when it is zero.
    function arm(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (target == address(0)) return;
        (bool done, bytes memory answer) = target.call(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }
}
