// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {PaymentChannels} from "../../../contracts/PaymentChannels.sol";
import {Lane, SignedVoucher} from "../../../contracts/interfaces/IPaymentChannels.sol";
import {HookToken} from "../../attacks/Tokens.sol";
import {ChannelTest} from "./ChannelTest.sol";

/// @notice Calls the channels, and calls them again from inside its tokens' transfers.
contract Caller {
    address internal immutable channels;
    bytes internal again;

    constructor(HookToken token, PaymentChannels channels_) {
        channels = address(channels_);
        token.approve(channels, type(uint256).max);
    }

    function acts(bytes calldata call, bytes calldata inside) external {
        again = inside;
        _call(call);
    }

    function tokensToSend() external {
        _again();
    }

    function tokensReceived() external {
        _again();
    }

    function _again() private {
        bytes memory data = again;
        delete again;
        if (data.length != 0) _call(data);
    }

    function _call(bytes memory data) private {
        (bool done, bytes memory answer) = channels.call(data);
        if (done) return;
        assembly ("memory-safe") {
            revert(add(answer, 0x20), mload(answer))
        }
    }
}

/// @notice Moves something or nothing at all.
contract StrictToken is ERC20 {
    error Nothing();

    constructor(uint256 supply) ERC20("Strict", "STRICT") {
        _mint(msg.sender, supply);
    }

    function _update(address from, address to, uint256 value) internal override {
        if (value == 0) revert Nothing();
        super._update(from, to, value);
    }
}

/// @notice Tokens that call back or refuse to move nothing, and permits.
contract ChannelTokensTest is ChannelTest {
    bytes32 internal constant PERMIT =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    /// @dev Whatever moves tokens is entered by nobody while tokens move.
    function test_nothing_that_moves_tokens_is_entered_while_they_move() external {
        HookToken hooks = new HookToken(1e30);
        PaymentChannels there = new PaymentChannels(hooks, CHALLENGE);
        Caller caller = new Caller(hooks, there);
        hooks.transfer(address(caller), 1e20);
        hooks.approve(address(there), 1e30);
        there.deposit(address(caller), 100);
        there.deposit(reader, 100);
        hooks.demand();

        Lane memory lane = Lane(reader, reader, address(caller), 0, EXPIRY);
        SignedVoucher[] memory vouchers =
            one(SignedVoucher(lane, 50, signed(READER_KEY, there.voucherDigest(lane, 50))));
        bytes memory deposit = abi.encodeCall(there.deposit, (address(caller), 7));
        bytes memory redeem = abi.encodeCall(there.redeem, (vouchers, address(caller)));
        bytes memory withdraw = abi.encodeCall(there.withdraw, (address(caller)));
        bytes[3] memory calls = [deposit, redeem, withdraw];
        for (uint256 inside; inside < calls.length; ++inside) {
            _locked(caller, deposit, calls[inside]);
            _locked(caller, redeem, calls[inside]);
        }
        caller.acts(abi.encodeCall(there.close, ()), "");
        vm.warp(BEGIN + CHALLENGE);
        for (uint256 inside; inside < calls.length; ++inside) {
            _locked(caller, withdraw, calls[inside]);
        }
        caller.acts(withdraw, "");
        caller.acts(redeem, "");
        eq(hooks.balanceOf(address(caller)), 1e20 + 150, "by itself each goes through");
    }

    /// @dev Otherwise a payer whose caches took everything could never begin anew.
    function test_a_withdrawal_of_nothing_moves_nothing() external {
        StrictToken strict = new StrictToken(1e30);
        PaymentChannels there = new PaymentChannels(strict, CHALLENGE);
        strict.approve(address(there), 1e30);
        there.deposit(reader, 100);
        vm.prank(reader);
        there.close();
        Lane memory lane = Lane(reader, reader, cache, 0, EXPIRY);
        bytes memory signature = signed(READER_KEY, there.voucherDigest(lane, 100));
        vm.prank(cache);
        there.redeem(one(SignedVoucher(lane, 100, signature)), cache);
        vm.warp(BEGIN + CHALLENGE);
        vm.prank(reader);
        eq(there.withdraw(reader), 0, "nothing");
        there.deposit(reader, 50);
        eq(there.accountOf(reader).pool, 50, "anew");
    }

    function test_a_permit_stands_for_the_allowance() external {
        vm.prank(reader);
        token.approve(address(channels), 0);
        uint256 deadline = BEGIN + 1 days;
        bytes32 statement = keccak256(abi.encode(PERMIT, reader, address(channels), 50, 0, deadline));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), statement));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(READER_KEY, digest);
        vm.prank(reader);
        channels.depositWithPermit(sponsor, 50, deadline, v, r, s);
        balances(sponsor, DEPOSIT + 50, 0);
        eq(token.allowance(reader, address(channels)), 0, "used up");
    }

    function _locked(Caller caller, bytes memory call, bytes memory inside) private {
        vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        caller.acts(call, inside);
    }
}
