// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {
    Grant,
    IPaymentChannels,
    Lane,
    Refusal,
    SignedGrant,
    SignedVoucher
} from "../../../contracts/interfaces/IPaymentChannels.sol";
import {Vm} from "../Cheats.sol";
import {ChannelTest} from "./ChannelTest.sol";

/// @notice A sponsor that is a contract and says yes to one digest.
contract Board is IERC1271 {
    bytes32 internal accepted;

    function accept(bytes32 digest) external {
        accepted = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return digest == accepted ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

/// @notice What a lane keeps, pays and gives back, whatever the amounts.
contract LanesTest is ChannelTest {
    bytes4 internal constant NOTHING = IPaymentChannels.PaymentChannels_NothingRedeemed.selector;

    /// @dev A voucher is paid out of what the lane keeps, then out of the pool, and never above what was signed.
    function test_a_voucher_is_paid_from_the_lane_and_then_from_the_readers_pool(
        uint256 deposit,
        uint256 kept,
        uint256 amount
    ) external {
        uint256 total = DEPOSIT + within(deposit, 1, type(uint128).max - DEPOSIT);
        depositBy(reader, total - DEPOSIT);
        kept = within(kept, 1, total);
        amount = within(amount, 1, type(uint128).max);
        Lane memory lane = laneAt(cache);
        open(lane, kept);
        balances(reader, total - kept, kept);
        SignedVoucher memory voucher = voucherFor(lane, amount);
        uint256 due = amount < total ? amount : total;
        eq(channels.claimable(lane, uint128(amount)), due, "claimable");
        eq(redeem(voucher), due, "paid");
        eq(token.balanceOf(cache), due, "received");
        uint256 fromLane = due < kept ? due : kept;
        books(lane, kept - fromLane, due);
        balances(reader, total - kept - (due - fromLane), kept - fromLane);
        eq(channels.claimable(lane, uint128(amount)), 0, "no more");
    }

    /// @dev What a deposit lacks stays due.
    function test_a_shortfall_is_paid_when_the_deposit_is_topped_up() external {
        Lane memory lane = laneAt(cache);
        SignedVoucher memory voucher = voucherFor(lane, DEPOSIT + 300);
        eq(redeem(voucher), DEPOSIT, "what is there");
        vm.expectRevert(abi.encodeWithSelector(NOTHING, Refusal.NothingHeld));
        vm.prank(cache);
        channels.redeem(one(voucher), cache);
        vm.prank(stranger);
        channels.deposit(reader, 1000);
        eq(redeem(voucher), 300, "the rest");
        books(lane, 0, DEPOSIT + 300);
        balances(reader, 700, 0);
    }

    function test_a_sponsored_voucher_is_paid_from_its_lane_alone(uint256 kept, uint256 amount) external {
        kept = within(kept, 1, DEPOSIT);
        amount = within(amount, 1, type(uint128).max);
        Lane memory lane = sponsoredAt(cache);
        openGranted(lane, kept, DEPOSIT);
        uint256 due = amount < kept ? amount : kept;
        eq(redeem(voucherFor(lane, amount)), due, "paid");
        balances(sponsor, DEPOSIT - kept, kept - due);
        eq(channels.grantedTo(sponsor, reader, 0), kept, "granted");
    }

    /// @dev Amounts are of the whole lane: an opening says how much of it is sure, with what is paid already.
    function test_a_lane_is_topped_up_by_a_higher_opening(uint256 first, uint256 paid, uint256 second) external {
        Lane memory lane = laneAt(cache);
        first = within(first, 1, DEPOSIT - 1);
        paid = within(paid, 1, first);
        second = within(second, first + 1, DEPOSIT);
        open(lane, first);
        redeem(voucherFor(lane, paid));
        open(lane, second);
        books(lane, second - paid, paid);
        balances(reader, DEPOSIT - second, second - paid);
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.PaymentChannels_NothingToReserve.selector, second, second)
        );
        vm.prank(reader);
        channels.openLane(lane, uint128(second));
    }

    function test_a_readers_opening_is_good_once_whoever_sends_it() external {
        Lane memory lane = laneAt(cache);
        bytes memory opening = openingFor(lane, 400);
        vm.prank(cache);
        channels.openLaneOf(lane, 400, opening);
        books(lane, 400, 0);
        eq(channels.grantedTo(reader, reader, 0), 0, "its own money needs no grant");
        redeem(voucherFor(lane, 400));
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_NothingToReserve.selector, 400, 400));
        channels.openLaneOf(lane, 400, opening);
    }

    function test_an_opening_is_no_voucher_and_a_voucher_no_opening() external {
        Lane memory lane = laneAt(cache);
        SignedVoucher memory voucher = voucherFor(lane, 400);
        bytes memory opening = openingFor(lane, 400);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_NotReader.selector, reader));
        channels.openLaneOf(lane, 400, voucher.signature);
        voucher.signature = opening;
        vm.expectRevert(abi.encodeWithSelector(NOTHING, Refusal.BadSignature));
        vm.prank(cache);
        channels.redeem(one(voucher), cache);
    }

    // --- grants ---

    function test_all_lanes_of_a_reader_together_stay_within_the_grant(uint256 first, uint256 second) external {
        uint256 limit = 600;
        first = within(first, 1, limit - 1);
        second = within(second, limit - first + 1, DEPOSIT - first);
        openGranted(sponsoredAt(cache), first, limit);
        Lane memory lane = sponsoredAt(rival);
        bytes memory opening = openingFor(lane, second);
        SignedGrant memory grant = grantOf(limit);
        bytes4 exceeded = IPaymentChannels.PaymentChannels_GrantExceeded.selector;
        vm.expectRevert(abi.encodeWithSelector(exceeded, first + second, limit));
        channels.openLaneGranted(lane, uint128(second), opening, grant);
        openGranted(lane, limit - first, limit);
        eq(channels.grantedTo(sponsor, reader, 0), limit, "used up");
        // A higher grant replaces it.
        openGranted(sponsoredAt(stranger), 1, limit + 1);
    }

    function test_what_an_expired_lane_kept_may_be_granted_again() external {
        Lane memory lane = sponsoredAt(cache);
        openGranted(lane, 600, 600);
        redeem(voucherFor(lane, 200));
        vm.warp(EXPIRY);
        channels.reclaim(lane);
        eq(channels.grantedTo(sponsor, reader, 0), 200, "what was spent");
        balances(sponsor, DEPOSIT - 200, 0);
        Lane memory later = lane;
        later.expiry = EXPIRY + 1;
        SignedGrant memory grant = grantUntil(600, EXPIRY + 1);
        channels.openLaneGranted(later, 400, openingFor(later, 400), grant);
        eq(channels.grantedTo(sponsor, reader, 0), 600, "granted again");
    }

    function test_a_contract_sponsors_by_its_own_rules() external {
        Board board = new Board();
        vm.prank(stranger);
        channels.deposit(address(board), 500);
        Lane memory lane = Lane(address(board), reader, cache, 0, EXPIRY);
        SignedGrant memory grant = SignedGrant(500, EXPIRY, "minutes of the meeting");
        bytes memory opening = openingFor(lane, 300);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_NotSponsor.selector, address(board)));
        channels.openLaneGranted(lane, 300, opening, grant);
        board.accept(channels.grantDigest(_boards(address(board), 500)));
        channels.openLaneGranted(lane, 300, opening, grant);
        eq(redeem(voucherFor(lane, 300)), 300, "paid");
    }

    function test_a_payer_keeps_money_for_whoever_it_likes() external {
        Lane memory lane = sponsoredAt(cache);
        open(lane, 700);
        eq(channels.grantedTo(sponsor, reader, 0), 700, "counted all the same");
        eq(redeem(voucherFor(lane, 700)), 700, "paid");
    }

    function test_the_payer_alone_opens_without_a_signature() external {
        Lane memory lane = sponsoredAt(cache);
        bytes4 notPayer = IPaymentChannels.PaymentChannels_NotPayer.selector;
        vm.expectRevert(abi.encodeWithSelector(notPayer, sponsor, reader));
        vm.prank(reader);
        channels.openLane(lane, 1);
        bytes memory opening = openingFor(lane, 1);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_Sponsored.selector, sponsor, reader));
        channels.openLaneOf(lane, 1, opening);
    }

    // --- batches ---

    function test_a_batch_is_paid_in_one_transfer_and_spoiled_by_none_of_it() external {
        uint256[4] memory keys = [READER_KEY, SPONSOR_KEY, STRANGER_KEY, 0xD00D];
        SignedVoucher[] memory vouchers = new SignedVoucher[](6);
        for (uint256 i; i < 4; ++i) {
            address payer = vm.addr(keys[i]);
            vm.prank(stranger);
            channels.deposit(payer, 100);
            vouchers[i] = voucherBy(keys[i], Lane(payer, payer, cache, 0, EXPIRY), 10 + i);
        }
        vouchers[4] = vouchers[0];
        vouchers[5] = voucherBy(READER_KEY, laneAt(rival), 10);
        vouchers[2].signature = hex"1234";
        vm.recordLogs();
        vm.prank(cache);
        eq(channels.redeem(vouchers, stranger), 10 + 11 + 13, "the good ones, once");
        eq(token.balanceOf(cache), 0, "none for the sender");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256[3] memory seen;
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == IPaymentChannels.Redeemed.selector) ++seen[0];
            if (logs[i].topics[0] == IPaymentChannels.VoucherRefused.selector) ++seen[1];
            if (logs[i].topics[0] == IERC20.Transfer.selector) ++seen[2];
        }
        eq(seen[0], 3, "three are paid");
        eq(seen[1], 3, "three are passed over");
        eq(seen[2], 1, "in one transfer");
    }

    function _boards(address board, uint128 limit) internal view returns (Grant memory) {
        return Grant(board, reader, limit, 0, EXPIRY);
    }
}
