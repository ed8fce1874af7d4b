// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PaymentChannels} from "../../../contracts/PaymentChannels.sol";
import {Grant, Lane, LaneId, Refusal, SignedVoucher} from "../../../contracts/interfaces/IPaymentChannels.sol";
import {IPaymentChannels} from "../../../contracts/interfaces/IPaymentChannels.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {ChannelTest} from "./ChannelTest.sol";

/// @notice The typed data against the vectors that the agents' tests read too.
contract ChannelVectorsTest is ChannelTest {
    uint256 internal constant CASES = 16;

    string internal json;

    function setUp() public override {
        super.setUp();
        json = vm.readFile("tests/vectors/channels.json");
    }

    function test_digests_are_those_of_the_vectors() external {
        uint256 lanes;
        for (uint256 i; i < CASES; ++i) {
            string memory case_ = string.concat(".cases[", Strings.toString(i), "]");
            PaymentChannels there = _at(case_);
            string memory kind = _text(case_, ".kind");
            bytes32 digest;
            if (Strings.equal(kind, "Grant")) {
                digest = there.grantDigest(_grant(case_));
            } else {
                (Lane memory lane, uint128 amount) = _signedOf(case_);
                bool voucher = Strings.equal(kind, "Voucher");
                digest = voucher ? there.voucherDigest(lane, amount) : there.openingDigest(lane, amount);
                eq(LaneId.unwrap(there.idOf(lane)), vm.parseJsonBytes32(json, _path(case_, ".laneId")), "lane id");
                ++lanes;
            }
            eq(digest, vm.parseJsonBytes32(json, _path(case_, ".digest")), case_);
        }
        eq(lanes, 12, "vouchers and openings");
    }

    function test_a_vectors_voucher_is_paid_where_it_is_for_and_nowhere_else() external {
        SignedVoucher memory voucher = _voucher(0);
        PaymentChannels there = _at(".cases[0]");
        vm.prank(stranger);
        token.approve(address(there), 100);
        vm.prank(stranger);
        there.deposit(voucher.lane.payer, 100);
        // The same lane and amount, signed for another chain and contract.
        SignedVoucher memory elsewhere = _voucher(8);
        eq(LaneId.unwrap(there.idOf(elsewhere.lane)), LaneId.unwrap(there.idOf(voucher.lane)), "the same lane");
        bytes4 nothing = IPaymentChannels.PaymentChannels_NothingRedeemed.selector;
        vm.expectRevert(abi.encodeWithSelector(nothing, Refusal.BadSignature));
        vm.prank(voucher.lane.cache);
        there.redeem(one(elsewhere), cache);
        vm.prank(voucher.lane.cache);
        eq(there.redeem(one(voucher), cache), voucher.amount, "paid");
    }

    /// @dev The contract as if it were deployed at the vector's address, on the vector's chain.
    function _at(string memory case_) internal returns (PaymentChannels there) {
        there = PaymentChannels(vm.parseJsonAddress(json, _path(case_, ".contract")));
        vm.etch(address(there), address(channels).code);
        vm.chainId(vm.parseJsonUint(json, _path(case_, ".chainId")));
    }

    function _voucher(uint256 number) internal view returns (SignedVoucher memory) {
        string memory case_ = string.concat(".cases[", Strings.toString(number), "]");
        (Lane memory lane, uint128 amount) = _signedOf(case_);
        return SignedVoucher(lane, amount, vm.parseJsonBytes(json, _path(case_, ".signature")));
    }

    function _signedOf(string memory case_) internal view returns (Lane memory lane, uint128 amount) {
        lane.payer = vm.parseJsonAddress(json, _path(case_, ".message.lane.payer"));
        lane.reader = vm.parseJsonAddress(json, _path(case_, ".message.lane.reader"));
        lane.cache = vm.parseJsonAddress(json, _path(case_, ".message.lane.cache"));
        lane.epoch = uint64(vm.parseJsonUint(json, _path(case_, ".message.lane.epoch")));
        lane.expiry = uint64(vm.parseJsonUint(json, _path(case_, ".message.lane.expiry")));
        amount = uint128(vm.parseJsonUint(json, _path(case_, ".message.amount")));
    }

    function _grant(string memory case_) internal view returns (Grant memory grant) {
        grant.sponsor = vm.parseJsonAddress(json, _path(case_, ".message.sponsor"));
        grant.reader = vm.parseJsonAddress(json, _path(case_, ".message.reader"));
        grant.limit = uint128(vm.parseJsonUint(json, _path(case_, ".message.limit")));
        grant.epoch = uint64(vm.parseJsonUint(json, _path(case_, ".message.epoch")));
        grant.expiry = uint64(vm.parseJsonUint(json, _path(case_, ".message.expiry")));
    }

    function _text(string memory case_, string memory field) internal view returns (string memory) {
        return vm.parseJsonString(json, _path(case_, field));
    }

    function _path(string memory case_, string memory field) internal pure returns (string memory) {
        return string.concat(case_, field);
    }
}
