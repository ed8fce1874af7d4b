// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPaymentChannels, Lane, Refusal, SignedVoucher} from "../../../contracts/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "./ChannelTest.sol";

/// @notice How a payer gets its money back, and what becomes of its lanes.
contract ClosingTest is ChannelTest {
    bytes4 internal constant NOTHING = IPaymentChannels.PaymentChannels_NothingRedeemed.selector;

    /// @dev Whatever was kept and signed: in the challenge the cache gets the lower of both, the payer all the rest.
    function test_a_cache_redeems_in_the_challenge_and_the_payer_takes_the_rest(
        uint256 kept,
        uint256 amount,
        uint256 wait
    ) external {
        kept = within(kept, 1, DEPOSIT);
        amount = within(amount, 1, kept);
        Lane memory lane = laneAt(cache);
        open(lane, kept);
        close(reader);
        vm.warp(BEGIN + within(wait, 0, CHALLENGE - 1));
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_Closing.selector, BEGIN + CHALLENGE));
        vm.prank(reader);
        channels.withdraw(reader);
        eq(redeem(voucherFor(lane, amount)), amount, "redeemed");
        vm.warp(BEGIN + CHALLENGE);
        uint256 before = token.balanceOf(reader);
        eq(withdraw(reader), DEPOSIT - amount, "the rest");
        eq(token.balanceOf(reader) - before, DEPOSIT - amount, "received");
        balances(reader, 0, 0);
    }

    function test_a_withdrawal_voids_all_lanes_of_its_epoch() external {
        Lane memory old = laneAt(cache);
        open(old, 500);
        SignedVoucher memory voucher = voucherFor(old, 500);
        close(reader);
        vm.warp(BEGIN + CHALLENGE);
        withdraw(reader);
        depositBy(reader, 700);
        eq(channels.accountOf(reader).epoch, 1, "the next epoch");
        eq(channels.claimable(old, 500), 0, "worth nothing");
        vm.expectRevert(abi.encodeWithSelector(NOTHING, Refusal.OldEpoch));
        vm.prank(cache);
        channels.redeem(one(voucher), cache);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_WrongEpoch.selector, 0, 1));
        vm.prank(reader);
        channels.openLane(old, 600);
        vm.warp(EXPIRY);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_WrongEpoch.selector, 0, 1));
        channels.reclaim(old);
        balances(reader, 700, 0);
    }

    function test_the_next_epoch_is_as_good_as_the_first() external {
        close(reader);
        vm.warp(BEGIN + CHALLENGE);
        withdraw(reader);
        depositBy(reader, 300);
        Lane memory lane = laneAt(cache);
        eq(lane.epoch, 1, "epoch");
        open(lane, 200);
        eq(redeem(voucherFor(lane, 250)), 250, "paid");
        balances(reader, 50, 0);
        close(reader);
        vm.warp(BEGIN + 2 * CHALLENGE);
        eq(withdraw(reader), 50, "the rest");
    }

    function test_a_payer_whose_caches_took_everything_begins_anew() external {
        Lane memory lane = laneAt(cache);
        open(lane, DEPOSIT);
        close(reader);
        redeem(voucherFor(lane, DEPOSIT));
        vm.warp(BEGIN + CHALLENGE);
        eq(withdraw(reader), 0, "nothing");
        depositBy(reader, 5);
        balances(reader, 5, 0);
    }

    function test_nothing_is_deposited_or_opened_while_a_payer_closes() external {
        Lane memory lane = laneAt(cache);
        bytes memory opening = openingFor(lane, 1);
        close(reader);
        bytes memory closing =
            abi.encodeWithSelector(IPaymentChannels.PaymentChannels_Closing.selector, BEGIN + CHALLENGE);
        vm.expectRevert(closing);
        vm.prank(reader);
        channels.openLane(lane, 1);
        vm.expectRevert(closing);
        channels.openLaneOf(lane, 1, opening);
        vm.expectRevert(closing);
        vm.prank(stranger);
        channels.deposit(reader, 1);
        vm.expectRevert(closing);
        vm.prank(reader);
        channels.close();
        // The challenge ends by the withdrawal, not by itself.
        vm.warp(BEGIN + CHALLENGE);
        vm.expectRevert(closing);
        vm.prank(reader);
        channels.openLane(lane, 1);
    }

    function test_until_the_payer_withdraws_caches_redeem() external {
        Lane memory lane = laneAt(cache);
        open(lane, 500);
        close(reader);
        vm.warp(BEGIN + CHALLENGE + 5 days);
        eq(redeem(voucherFor(lane, 500)), 500, "paid");
    }

    // --- expiry ---

    function test_a_lane_pays_until_the_second_before_its_expiry() external {
        Lane memory lane = laneAt(cache);
        open(lane, 500);
        vm.warp(EXPIRY - 1);
        eq(redeem(voucherFor(lane, 100)), 100, "paid");
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_LaneLives.selector, EXPIRY));
        channels.reclaim(lane);
        SignedVoucher memory voucher = voucherFor(lane, 200);
        vm.warp(EXPIRY);
        eq(channels.claimable(lane, 200), 0, "worth nothing");
        vm.expectRevert(abi.encodeWithSelector(NOTHING, Refusal.Expired));
        vm.prank(cache);
        channels.redeem(one(voucher), cache);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_LaneExpired.selector, EXPIRY));
        vm.prank(reader);
        channels.openLane(lane, 1000);
        vm.prank(stranger);
        channels.reclaim(lane);
        books(lane, 0, 100);
        balances(reader, DEPOSIT - 100, 0);
        vm.expectRevert(IPaymentChannels.PaymentChannels_NothingToReclaim.selector);
        channels.reclaim(lane);
    }

    function test_what_an_expired_lane_kept_leaves_with_the_rest(uint256 kept) external {
        kept = within(kept, 1, DEPOSIT);
        Lane memory lane = laneAt(cache);
        lane.expiry = BEGIN + 10;
        open(lane, kept);
        close(reader);
        vm.warp(BEGIN + CHALLENGE);
        if (kept % 2 == 0) channels.reclaim(lane);
        eq(withdraw(reader), DEPOSIT, "everything");
        balances(reader, 0, 0);
    }
}
