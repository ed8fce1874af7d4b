// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Refuses to move to or from whom it blocks, as tokens of issuers do.
contract BlocklistToken is ERC20 {
    mapping(address => bool) public blocked;

    error Blocked(address account);

    constructor(uint256 supply) ERC20("Blocklist", "BLOCK") {
        _mint(msg.sender, supply);
    }

    function block_(address account) external {
        blocked[account] = true;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (blocked[from]) revert Blocked(from);
        if (blocked[to]) revert Blocked(to);
        super._update(from, to, value);
    }
}

interface IHooked {
    function tokensToSend() external;
    function tokensReceived() external;
}

/// @notice Calls contracts before it takes from them and after it gives to them, as ERC-777 does: whatever they revert
/// with stops the transfer, once `demand` was called, and does not before.
contract HookToken is ERC20 {
    bool internal demanding;

    constructor(uint256 supply) ERC20("Hooks", "HOOK") {
        _mint(msg.sender, supply);
    }

    function demand() external {
        demanding = true;
    }

    function _update(address from, address to, uint256 value) internal override {
        // The vault and the market have no such functions, and nobody demands it of them.
        if (from.code.length != 0) _call(from, abi.encodeCall(IHooked.tokensToSend, ()));
        super._update(from, to, value);
        if (to.code.length != 0) _call(to, abi.encodeCall(IHooked.tokensReceived, ()));
    }

    function _call(address account, bytes memory data) private {
        (bool done, bytes memory answer) = account.call(data);
        if (done || !demanding || answer.length == 0) return;
        assembly ("memory-safe") {
            revert(add(answer, 0x20), mload(answer))
        }
    }
}

/// @notice Begins to keep a hundredth of every transfer at a time of its issuer's choice.
contract TollToken is ERC20 {
    bool internal tolled;

    constructor(uint256 supply) ERC20("Toll", "TOLL") {
        _mint(msg.sender, supply);
    }

    function toll() external {
        tolled = true;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (tolled) super._update(to, address(0xFEE), value / 100);
    }
}

/// @notice Answers nothing, as the oldest tokens do; or false, without moving anything.
contract SilentToken {
    mapping(address => uint256) public balanceOf;
    bool public refuses;

    constructor(uint256 supply) {
        balanceOf[msg.sender] = supply;
    }

    function refuse() external {
        refuses = true;
    }

    function approve(address, uint256) external {}

    function transfer(address to, uint256 value) external {
        _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external {
        _move(from, to, value);
    }

    function _move(address from, address to, uint256 value) private {
        if (refuses) {
            assembly ("memory-safe") {
                mstore(0x00, 0)
                return(0x00, 0x20)
            }
        }
        balanceOf[from] -= value;
        balanceOf[to] += value;
    }
}
