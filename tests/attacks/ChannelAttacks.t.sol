// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PaymentChannels} from "../../contracts/PaymentChannels.sol";
import {
    IPaymentChannels,
    Lane,
    Refusal,
    SignedGrant,
    SignedVoucher
} from "../../contracts/interfaces/IPaymentChannels.sol";
import {ChannelTest} from "../forge/channels/ChannelTest.sol";
import {BlocklistToken, HookToken} from "./Tokens.sol";

/// @notice A payer that takes its deposit, and tries to take it again while it is being paid.
contract Hoarder {
    PaymentChannels internal immutable channels;
    address internal immutable accomplice;

    constructor(PaymentChannels channels_, address accomplice_) {
        (channels, accomplice) = (channels_, accomplice_);
    }

    function close() external {
        channels.close();
    }

    function take() external {
        channels.withdraw(address(this));
    }

    function tokensReceived() external {
        channels.withdraw(accomplice);
    }
}

/// @notice What payers, readers, caches and strangers try with one another's money.
contract ChannelAttacks is ChannelTest {
    // --- vouchers that are not for this ---

    function test_a_voucher_is_not_replayed_on_another_chain_or_contract() external {
        PaymentChannels other = new PaymentChannels(token, CHALLENGE);
        Lane memory lane = laneAt(cache);
        open(lane, 500);
        _refused(SignedVoucher(lane, 100, signed(READER_KEY, other.voucherDigest(lane, 100))), Refusal.BadSignature);
        SignedVoucher memory voucher = voucherFor(lane, 100);
        vm.chainId(5);
        _refused(voucher, Refusal.BadSignature);
    }

    function test_a_voucher_of_one_lane_is_not_replayed_on_another() external {
        SignedVoucher memory voucher = voucherFor(laneAt(cache), 100);
        Lane[3] memory lanes = [sponsoredAt(cache), laneAt(rival), laneAt(cache)];
        lanes[2].expiry += 1;
        for (uint256 i; i < lanes.length; ++i) {
            open(lanes[i], 100);
            _refused(SignedVoucher(lanes[i], 100, voucher.signature), Refusal.BadSignature);
        }
    }

    function test_a_redeemed_voucher_is_not_paid_again() external {
        Lane memory lane = laneAt(cache);
        open(lane, 500);
        SignedVoucher memory voucher = voucherFor(lane, 100);
        redeem(voucher);
        _refused(voucher, Refusal.NothingDue);
        eq(token.balanceOf(cache), 100, "once");
    }

    function test_an_opening_is_not_redeemed_as_a_voucher() external {
        Lane memory lane = laneAt(cache);
        bytes memory opening = openingFor(lane, 500);
        channels.openLaneOf(lane, 500, opening);
        _refused(SignedVoucher(lane, 500, opening), Refusal.BadSignature);
    }

    function test_another_cache_does_not_take_a_voucher_it_saw() external {
        Lane memory lane = laneAt(cache);
        open(lane, 500);
        SignedVoucher memory voucher = voucherFor(lane, 100);
        vm.expectRevert(_nothing(Refusal.NotCache));
        vm.prank(rival);
        channels.redeem(one(voucher), rival);
    }

    function test_one_poisoned_voucher_blocks_no_others() external {
        SignedVoucher[] memory vouchers = new SignedVoucher[](3);
        for (uint256 i; i < vouchers.length; ++i) {
            Lane memory lane = laneAt(cache);
            lane.expiry += uint64(i);
            open(lane, 100);
            vouchers[i] = voucherFor(lane, 100);
        }
        vouchers[1].signature = "poison";
        vm.prank(cache);
        eq(channels.redeem(vouchers, cache), 200, "the others");
    }

    // --- promising the same money twice, taking it back too early ---

    function test_the_same_deposit_is_not_promised_to_two_caches() external {
        Lane memory lane = laneAt(cache);
        Lane memory second = laneAt(rival);
        open(lane, DEPOSIT);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_InsufficientPool.selector, 0, 1));
        vm.prank(reader);
        channels.openLane(second, 1);
        eq(redeem(voucherFor(lane, DEPOSIT)), DEPOSIT, "sure to be paid");
    }

    function test_a_voucher_of_another_lane_does_not_empty_what_a_lane_keeps() external {
        Lane memory honest = laneAt(cache);
        open(honest, 600);
        // The reader and its accomplice.
        eq(redeem(voucherFor(laneAt(rival), DEPOSIT)), DEPOSIT - 600, "the pool alone");
        eq(redeem(voucherFor(honest, 600)), 600, "what was kept");
    }

    function test_a_payer_does_not_withdraw_before_caches_can_redeem() external {
        Lane memory lane = laneAt(cache);
        open(lane, 600);
        close(reader);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_Closing.selector, BEGIN + CHALLENGE));
        vm.prank(reader);
        channels.withdraw(reader);
        eq(redeem(voucherFor(lane, 600)), 600, "in the challenge");
    }

    function test_a_payer_opens_no_lane_at_the_end_of_its_challenge() external {
        Lane memory lane = laneAt(cache);
        close(reader);
        vm.warp(BEGIN + CHALLENGE - 1);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_Closing.selector, BEGIN + CHALLENGE));
        vm.prank(reader);
        channels.openLane(lane, 600);
    }

    function test_an_old_voucher_takes_nothing_of_the_next_epochs_deposit() external {
        SignedVoucher memory voucher = voucherFor(laneAt(cache), 300);
        close(reader);
        vm.warp(BEGIN + CHALLENGE);
        withdraw(reader);
        depositBy(reader, 700);
        _refused(voucher, Refusal.OldEpoch);
        balances(reader, 700, 0);
    }

    function test_an_expired_voucher_takes_nothing() external {
        Lane memory lane = laneAt(cache);
        open(lane, 300);
        SignedVoucher memory voucher = voucherFor(lane, 300);
        vm.warp(EXPIRY);
        _refused(voucher, Refusal.Expired);
    }

    function test_what_an_expired_lane_kept_is_given_back_once() external {
        Lane memory lane = laneAt(cache);
        open(lane, 300);
        open(laneAt(rival), 500);
        vm.warp(EXPIRY);
        channels.reclaim(lane);
        vm.expectRevert(IPaymentChannels.PaymentChannels_NothingToReclaim.selector);
        channels.reclaim(lane);
        balances(reader, DEPOSIT - 500, 500);
    }

    function test_a_lane_that_lives_is_not_reclaimed() external {
        Lane memory lane = laneAt(cache);
        open(lane, 300);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_LaneLives.selector, EXPIRY));
        vm.prank(reader);
        channels.reclaim(lane);
        eq(redeem(voucherFor(lane, 300)), 300, "still kept");
    }

    // --- another's deposit ---

    function test_nobody_opens_a_lane_on_anothers_deposit() external {
        Lane memory lane = sponsoredAt(cache);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_NotPayer.selector, sponsor, stranger));
        vm.prank(stranger);
        channels.openLane(lane, 100);
    }

    function test_nobody_opens_a_readers_lane_without_its_signature() external {
        Lane memory lane = laneAt(cache);
        bytes memory forged = signed(STRANGER_KEY, channels.openingDigest(lane, 100));
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_NotReader.selector, reader));
        vm.prank(cache);
        channels.openLaneOf(lane, 100, forged);
    }

    function test_a_replayed_opening_keeps_nothing_more() external {
        Lane memory lane = laneAt(cache);
        bytes memory opening = openingFor(lane, 400);
        channels.openLaneOf(lane, 400, opening);
        redeem(voucherFor(lane, 400));
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_NothingToReserve.selector, 400, 400));
        vm.prank(cache);
        channels.openLaneOf(lane, 400, opening);
    }

    function test_a_reader_makes_no_grant_to_itself() external {
        Lane memory lane = sponsoredAt(cache);
        SignedGrant memory grant = grantOf(100);
        grant.limit = 1000;
        bytes memory opening = openingFor(lane, 1000);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_NotSponsor.selector, sponsor));
        vm.prank(reader);
        channels.openLaneGranted(lane, 1000, opening, grant);
    }

    function test_a_reader_with_many_lanes_stays_within_its_grant() external {
        openGranted(sponsoredAt(cache), 60, 100);
        Lane memory second = sponsoredAt(rival);
        bytes memory opening = openingFor(second, 60);
        SignedGrant memory grant = grantOf(100);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_GrantExceeded.selector, 120, 100));
        vm.prank(reader);
        channels.openLaneGranted(second, 60, opening, grant);
    }

    function test_a_reader_that_spent_its_grant_is_granted_nothing_by_what_was_paid() external {
        Lane memory lane = sponsoredAt(cache);
        openGranted(lane, 100, 100);
        redeem(voucherFor(lane, 60));
        vm.warp(EXPIRY);
        channels.reclaim(lane);
        Lane memory later = lane;
        later.expiry = EXPIRY + 1 days;
        bytes memory opening = openingFor(later, 50);
        SignedGrant memory grant = grantUntil(100, EXPIRY + 1 days);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_GrantExceeded.selector, 110, 100));
        vm.prank(reader);
        channels.openLaneGranted(later, 50, opening, grant);
    }

    function test_no_lane_outlives_its_grant() external {
        Lane memory lane = sponsoredAt(cache);
        SignedGrant memory grant = grantOf(100);
        lane.expiry = EXPIRY + 1;
        bytes memory opening = openingFor(lane, 100);
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.PaymentChannels_GrantOutlived.selector, EXPIRY + 1, EXPIRY)
        );
        vm.prank(reader);
        channels.openLaneGranted(lane, 100, opening, grant);
    }

    function test_a_reader_draws_no_more_of_its_sponsor_than_its_lanes_keep() external {
        Lane memory lane = sponsoredAt(cache);
        openGranted(lane, 100, 100);
        // The reader's accomplice.
        eq(redeem(voucherFor(lane, DEPOSIT)), 100, "the grant");
        balances(sponsor, DEPOSIT - 100, 0);
    }

    // --- tokens and their ways ---

    function test_no_deposit_is_withdrawn_twice_from_inside_a_withdrawal() external {
        HookToken hooks = new HookToken(1e30);
        PaymentChannels there = new PaymentChannels(hooks, CHALLENGE);
        hooks.approve(address(there), 1e30);
        Hoarder hoarder = new Hoarder(there, stranger);
        there.deposit(address(hoarder), 100);
        there.deposit(reader, 200);
        hoarder.close();
        vm.warp(BEGIN + CHALLENGE);
        hoarder.take();
        eq(hooks.balanceOf(address(hoarder)) + hooks.balanceOf(stranger), 100, "its own, once");
        eq(hooks.balanceOf(address(there)), 200, "the others'");
    }

    function test_a_cache_that_the_token_blocks_is_paid_elsewhere() external {
        BlocklistToken dollars = new BlocklistToken(1e30);
        PaymentChannels there = new PaymentChannels(dollars, CHALLENGE);
        dollars.approve(address(there), 1e30);
        there.deposit(reader, 100);
        dollars.block_(cache);
        Lane memory lane = Lane(reader, reader, cache, 0, EXPIRY);
        bytes memory signature = signed(READER_KEY, there.voucherDigest(lane, 100));
        vm.prank(cache);
        there.redeem(one(SignedVoucher(lane, 100, signature)), stranger);
        eq(dollars.balanceOf(stranger), 100, "paid");
    }

    function test_a_deposit_permit_spent_by_another_stops_nothing() external {
        uint256 deadline = BEGIN + 1 days;
        vm.prank(reader);
        token.approve(address(channels), 0);
        bytes32 kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 statement = keccak256(abi.encode(kind, reader, address(channels), 50, 0, deadline));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), statement));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(READER_KEY, digest);
        vm.prank(stranger);
        token.permit(reader, address(channels), 50, deadline, v, r, s);
        vm.prank(reader);
        channels.depositWithPermit(reader, 50, deadline, v, r, s);
        balances(reader, DEPOSIT + 50, 0);
    }

    // --- what these tests are made of ---

    function _refused(SignedVoucher memory voucher, Refusal why) internal {
        vm.expectRevert(_nothing(why));
        vm.prank(voucher.lane.cache);
        channels.redeem(one(voucher), voucher.lane.cache);
    }

    function _nothing(Refusal why) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IPaymentChannels.PaymentChannels_NothingRedeemed.selector, why);
    }
}
