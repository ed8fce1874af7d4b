// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title TaxedToken
/// @notice A token that takes a hundredth of every transfer, for tests: no vault can keep books in it.
contract TaxedToken is ERC20 {
    constructor(uint256 supply) ERC20("Taxed", "TAX") {
        _mint(msg.sender, supply);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(0)) super._update(to, address(0), value / 100);
    }
}
