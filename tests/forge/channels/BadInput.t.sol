// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {PaymentChannels} from "../../../contracts/PaymentChannels.sol";
import {
    IPaymentChannels,
    Lane,
    Refusal,
    SignedGrant,
    SignedVoucher
} from "../../../contracts/interfaces/IPaymentChannels.sol";
import {TaxedToken} from "../../../contracts/test/TaxedToken.sol";
import {ChannelTest} from "./ChannelTest.sol";

/// @notice Whatever is wrong is refused by its name, and changes nothing.
contract ChannelBadInputTest is ChannelTest {
    uint256 internal constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    // --- vouchers ---

    function test_a_voucher_of_another_chain() external {
        SignedVoucher memory voucher = voucherFor(_openLane(), 100);
        vm.chainId(5);
        _refused(voucher, Refusal.BadSignature);
    }

    function test_a_voucher_for_another_contract() external {
        PaymentChannels other = new PaymentChannels(token, CHALLENGE);
        Lane memory lane = _openLane();
        _refused(SignedVoucher(lane, 100, signed(READER_KEY, other.voucherDigest(lane, 100))), Refusal.BadSignature);
    }

    function test_a_voucher_of_another_lane() external {
        SignedVoucher memory voucher = voucherFor(_openLane(), 100);
        voucher.lane.expiry += 1;
        _refused(voucher, Refusal.BadSignature);
        voucher = voucherFor(_openLane(), 100);
        voucher.lane.payer = sponsor;
        _refused(voucher, Refusal.BadSignature);
    }

    function test_a_voucher_of_another_cache() external {
        SignedVoucher memory voucher = voucherFor(laneAt(rival), 100);
        _refused(voucher, Refusal.NotCache);
        voucher.lane.cache = cache;
        _refused(voucher, Refusal.BadSignature);
    }

    function test_a_voucher_of_another_signer() external {
        Lane memory lane = _openLane();
        _refused(voucherBy(STRANGER_KEY, lane, 100), Refusal.BadSignature);
        Lane memory granted = sponsoredAt(cache);
        openGranted(granted, 500, 500);
        _refused(voucherBy(SPONSOR_KEY, granted, 100), Refusal.BadSignature);
    }

    function test_a_voucher_of_a_lower_amount() external {
        Lane memory lane = _openLane();
        redeem(voucherFor(lane, 100));
        _refused(voucherFor(lane, 99), Refusal.NothingDue);
        _refused(voucherFor(lane, 100), Refusal.NothingDue);
        _refused(voucherFor(laneAt(cache), 0), Refusal.NothingDue);
    }

    function test_a_voucher_of_an_amount_that_was_not_signed(uint256 amount) external {
        SignedVoucher memory voucher = voucherFor(_openLane(), 100);
        voucher.amount = uint128(within(amount, 101, type(uint128).max));
        _refused(voucher, Refusal.BadSignature);
    }

    function test_a_voucher_without_a_deposit() external {
        Lane memory lane = Lane(stranger, stranger, cache, 0, EXPIRY);
        _refused(voucherBy(STRANGER_KEY, lane, 100), Refusal.NothingHeld);
        // A sponsor's deposit is behind granted lanes alone.
        _refused(voucherFor(sponsoredAt(cache), 100), Refusal.NothingHeld);
    }

    function test_malformed_signatures() external {
        Lane memory lane = _openLane();
        bytes32 digest = channels.voucherDigest(lane, 100);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(READER_KEY, digest);
        bytes[8] memory malformed = [
            bytes(""),
            abi.encodePacked(r, s),
            abi.encodePacked(r, s, v, uint8(0)),
            abi.encodePacked(r, s, v - 27),
            abi.encodePacked(r, s, uint8(29)),
            abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27)),
            abi.encodePacked(bytes32(0), s, v),
            abi.encodePacked(r, bytes32(0), v)
        ];
        for (uint256 i; i < malformed.length; ++i) {
            _refused(SignedVoucher(lane, 100, malformed[i]), Refusal.BadSignature);
        }
    }

    function test_a_lane_of_nobody() external {
        Lane memory lane = Lane(address(0), address(0), cache, 0, EXPIRY);
        _refused(SignedVoucher(lane, 100, new bytes(65)), Refusal.BadSignature);
    }

    function test_no_voucher_at_all() external {
        vm.expectRevert(_nothing(Refusal.None));
        channels.redeem(new SignedVoucher[](0), cache);
    }

    // --- deposits ---

    function test_deposits_of_nothing_to_nobody_or_too_much() external {
        _expect(IPaymentChannels.PaymentChannels_ZeroAmount.selector);
        channels.deposit(reader, 0);
        _expect(IPaymentChannels.PaymentChannels_ZeroAddress.selector);
        channels.deposit(address(0), 1);
        uint256 room = type(uint128).max - DEPOSIT;
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.PaymentChannels_AmountTooLarge.selector, room + 1, room)
        );
        vm.prank(stranger);
        channels.deposit(reader, room + 1);
        open(laneAt(cache), DEPOSIT);
        depositBy(reader, room);
        balances(reader, room, DEPOSIT);
    }

    function test_a_token_that_arrives_in_part() external {
        TaxedToken taxed = new TaxedToken(1e30);
        PaymentChannels there = new PaymentChannels(taxed, CHALLENGE);
        taxed.approve(address(there), 1e30);
        vm.expectPartialRevert(IPaymentChannels.PaymentChannels_UnexpectedAmount.selector);
        there.deposit(reader, 1e18);
    }

    // --- lanes ---

    function test_more_than_the_pool_holds() external {
        Lane memory lane = laneAt(cache);
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.PaymentChannels_InsufficientPool.selector, DEPOSIT, DEPOSIT + 1)
        );
        vm.prank(reader);
        channels.openLane(lane, uint128(DEPOSIT + 1));
    }

    function test_openings_of_another_amount_lane_or_signer() external {
        Lane memory lane = laneAt(cache);
        bytes memory opening = openingFor(lane, 100);
        bytes memory notReader = abi.encodeWithSelector(IPaymentChannels.PaymentChannels_NotReader.selector, reader);
        vm.expectRevert(notReader);
        channels.openLaneOf(lane, 101, opening);
        Lane memory rivals = laneAt(rival);
        vm.expectRevert(notReader);
        channels.openLaneOf(rivals, 100, opening);
        bytes memory strangers = signed(STRANGER_KEY, channels.openingDigest(lane, 100));
        vm.expectRevert(notReader);
        channels.openLaneOf(lane, 100, strangers);
        SignedGrant memory grant = grantOf(100);
        Lane memory granted = sponsoredAt(cache);
        vm.expectRevert(notReader);
        channels.openLaneGranted(granted, 100, opening, grant);
    }

    function test_grants_that_do_not_cover_the_lane() external {
        Lane memory lane = sponsoredAt(cache);
        bytes memory opening = openingFor(lane, 100);
        SignedGrant memory grant = grantUntil(100, EXPIRY - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IPaymentChannels.PaymentChannels_GrantOutlived.selector, EXPIRY, EXPIRY - 1)
        );
        channels.openLaneGranted(lane, 100, opening, grant);

        bytes memory notSponsor = abi.encodeWithSelector(IPaymentChannels.PaymentChannels_NotSponsor.selector, sponsor);
        grant.expiry = EXPIRY;
        vm.expectRevert(notSponsor);
        channels.openLaneGranted(lane, 100, opening, grant);
        grant = grantOf(100);
        grant.limit = 101;
        vm.expectRevert(notSponsor);
        channels.openLaneGranted(lane, 100, opening, grant);
        // Another reader's.
        Lane memory others = Lane(sponsor, stranger, cache, 0, EXPIRY);
        bytes memory othersOpening = signed(STRANGER_KEY, channels.openingDigest(others, 100));
        grant = grantOf(100);
        vm.expectRevert(notSponsor);
        channels.openLaneGranted(others, 100, othersOpening, grant);
    }

    function test_lanes_of_an_epoch_that_has_not_come() external {
        Lane memory lane = laneAt(cache);
        lane.epoch = 1;
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.PaymentChannels_WrongEpoch.selector, 1, 0));
        vm.prank(reader);
        channels.openLane(lane, 1);
        _refused(voucherFor(lane, 1), Refusal.OldEpoch);
    }

    // --- money out ---

    function test_payments_to_where_tokens_are_lost() external {
        SignedVoucher memory voucher = voucherFor(_openLane(), 100);
        close(reader);
        vm.warp(BEGIN + CHALLENGE);
        address[3] memory nowhere = [address(0), address(channels), address(token)];
        for (uint256 i; i < nowhere.length; ++i) {
            bytes memory bad =
                abi.encodeWithSelector(IPaymentChannels.PaymentChannels_BadRecipient.selector, nowhere[i]);
            vm.expectRevert(bad);
            vm.prank(cache);
            channels.redeem(one(voucher), nowhere[i]);
            vm.expectRevert(bad);
            vm.prank(reader);
            channels.withdraw(nowhere[i]);
        }
    }

    function test_closing_what_is_empty_or_closed() external {
        vm.expectRevert(IPaymentChannels.PaymentChannels_NothingToWithdraw.selector);
        vm.prank(stranger);
        channels.close();
        vm.expectRevert(IPaymentChannels.PaymentChannels_NotClosing.selector);
        vm.prank(reader);
        channels.withdraw(reader);
    }

    // --- construction ---

    function test_construction() external {
        eq(channels.challengeSeconds(), CHALLENGE, "challenge");
        eq(address(channels.token()), address(token), "token");
        vm.expectRevert(IPaymentChannels.PaymentChannels_ZeroAddress.selector);
        new PaymentChannels(IERC20(address(0)), CHALLENGE);
        uint64[2] memory bad = [uint64(59), 30 days + 1];
        for (uint256 i; i < bad.length; ++i) {
            bytes4 badChallenge = IPaymentChannels.PaymentChannels_BadChallenge.selector;
            vm.expectRevert(abi.encodeWithSelector(badChallenge, bad[i], 60, 30 days));
            new PaymentChannels(token, bad[i]);
        }
        new PaymentChannels(token, 60);
        new PaymentChannels(token, 30 days);
    }

    // --- what these tests are made of ---

    function _openLane() internal returns (Lane memory lane) {
        lane = laneAt(cache);
        if (booksOf(lane).reserved == 0) open(lane, 500);
    }

    function _refused(SignedVoucher memory voucher, Refusal why) internal {
        vm.expectRevert(_nothing(why));
        vm.prank(cache);
        channels.redeem(one(voucher), cache);
    }

    function _nothing(Refusal why) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IPaymentChannels.PaymentChannels_NothingRedeemed.selector, why);
    }

    function _expect(bytes4 kind) internal {
        vm.expectRevert(kind);
        vm.prank(stranger);
    }
}
