// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PaymentChannels} from "../../../contracts/PaymentChannels.sol";
import {TestToken} from "../../../contracts/TestToken.sol";
import {
    Account,
    Grant,
    Lane,
    LaneBooks,
    SignedGrant,
    SignedVoucher
} from "../../../contracts/interfaces/IPaymentChannels.sol";
import {Test} from "../Cheats.sol";

/// @notice A reader and a sponsor with deposits, two caches, and what they sign.
abstract contract ChannelTest is Test {
    uint256 internal constant READER_KEY = 0xA11CE;
    uint256 internal constant SPONSOR_KEY = 0xB0B;
    uint256 internal constant STRANGER_KEY = 0xBAD;

    uint64 internal constant CHALLENGE = 1 days;
    uint64 internal constant BEGIN = 1_000_000;
    uint64 internal constant EXPIRY = BEGIN + 30 days;
    uint256 internal constant DEPOSIT = 1000;

    address internal immutable reader = vm.addr(READER_KEY);
    address internal immutable sponsor = vm.addr(SPONSOR_KEY);
    address internal immutable stranger = vm.addr(STRANGER_KEY);
    address internal immutable cache = address(0xCAC4E1);
    address internal immutable rival = address(0xCAC4E2);

    TestToken internal token;
    PaymentChannels internal channels;

    function setUp() public virtual {
        vm.warp(BEGIN);
        token = new TestToken(type(uint256).max);
        channels = new PaymentChannels(token, CHALLENGE);
        address[3] memory rich = [reader, sponsor, stranger];
        for (uint256 i; i < rich.length; ++i) {
            token.transfer(rich[i], 1 << 200);
            vm.prank(rich[i]);
            token.approve(address(channels), type(uint256).max);
        }
        depositBy(reader, DEPOSIT);
        depositBy(sponsor, DEPOSIT);
    }

    // --- lanes ---

    /// @dev The reader's own lane at a cache.
    function laneAt(address cache_) internal view returns (Lane memory) {
        return Lane(reader, reader, cache_, channels.accountOf(reader).epoch, EXPIRY);
    }

    /// @dev The reader's lane at a cache for which the sponsor pays.
    function sponsoredAt(address cache_) internal view returns (Lane memory) {
        return Lane(sponsor, reader, cache_, channels.accountOf(sponsor).epoch, EXPIRY);
    }

    function booksOf(Lane memory lane) internal view returns (LaneBooks memory) {
        return channels.laneOf(channels.idOf(lane));
    }

    function poolOf(address payer) internal view returns (uint256) {
        return channels.accountOf(payer).pool;
    }

    function reservedOf(address payer) internal view returns (uint256) {
        return channels.accountOf(payer).reserved;
    }

    // --- signing ---

    function signed(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function voucherFor(Lane memory lane, uint256 amount) internal view returns (SignedVoucher memory) {
        return voucherBy(READER_KEY, lane, amount);
    }

    function voucherBy(uint256 key, Lane memory lane, uint256 amount) internal view returns (SignedVoucher memory) {
        bytes32 digest = channels.voucherDigest(lane, uint128(amount));
        return SignedVoucher(lane, uint128(amount), signed(key, digest));
    }

    function openingFor(Lane memory lane, uint256 amount) internal view returns (bytes memory) {
        return signed(READER_KEY, channels.openingDigest(lane, uint128(amount)));
    }

    /// @dev The sponsor's grant to the reader, until the usual expiry.
    function grantOf(uint256 limit) internal view returns (SignedGrant memory) {
        return grantUntil(limit, EXPIRY);
    }

    function grantUntil(uint256 limit, uint64 expiry) internal view returns (SignedGrant memory) {
        Grant memory grant = Grant(sponsor, reader, uint128(limit), channels.accountOf(sponsor).epoch, expiry);
        return SignedGrant(uint128(limit), expiry, signed(SPONSOR_KEY, channels.grantDigest(grant)));
    }

    // --- acting ---

    function depositBy(address payer, uint256 amount) internal {
        vm.prank(payer);
        channels.deposit(payer, amount);
    }

    /// @dev By the payer.
    function open(Lane memory lane, uint256 amount) internal {
        vm.prank(lane.payer);
        channels.openLane(lane, uint128(amount));
    }

    /// @dev By a stranger, with what reader and sponsor signed.
    function openGranted(Lane memory lane, uint256 amount, uint256 limit) internal {
        bytes memory opening = openingFor(lane, amount);
        SignedGrant memory grant = grantOf(limit);
        vm.prank(stranger);
        channels.openLaneGranted(lane, uint128(amount), opening, grant);
    }

    function redeem(SignedVoucher memory voucher) internal returns (uint256) {
        vm.prank(voucher.lane.cache);
        return channels.redeem(one(voucher), voucher.lane.cache);
    }

    function one(SignedVoucher memory voucher) internal pure returns (SignedVoucher[] memory vouchers) {
        vouchers = new SignedVoucher[](1);
        vouchers[0] = voucher;
    }

    function close(address payer) internal {
        vm.prank(payer);
        channels.close();
    }

    function withdraw(address payer) internal returns (uint256) {
        vm.prank(payer);
        return channels.withdraw(payer);
    }

    // --- what holds always ---

    /// @dev `pool` and `reserved` of the payer, and that the contract holds what it owes these two.
    function balances(address payer, uint256 pool, uint256 reserved) internal view {
        Account memory account = channels.accountOf(payer);
        eq(account.pool, pool, "pool");
        eq(account.reserved, reserved, "reserved");
        uint256 owed = poolOf(reader) + reservedOf(reader) + poolOf(sponsor) + reservedOf(sponsor);
        eq(token.balanceOf(address(channels)), owed, "holds what it owes");
    }

    function books(Lane memory lane, uint256 reserved, uint256 redeemed) internal view {
        eq(booksOf(lane).reserved, reserved, "the lane's reserved");
        eq(booksOf(lane).redeemed, redeemed, "the lane's redeemed");
    }
}
