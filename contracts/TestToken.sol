// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title TestToken
/// @notice A token without worth for development chains. The whole supply goes to the deployer, who runs the faucet.
contract TestToken is ERC20Permit {
    constructor(uint256 supply) ERC20("Holdfast test token", "HOLD") ERC20Permit("Holdfast test token") {
        _mint(msg.sender, supply);
    }
}
