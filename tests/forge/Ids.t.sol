// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PublicInputs} from "../../contracts/libraries/PublicInputs.sol";
import {Ask, Content, Period, Request, RequestId, SlotId} from "../../contracts/libraries/Types.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice Ids, seeds and challenges against the vectors that other languages read too.
contract IdsTest is MarketTest {
    string internal json;

    function setUp() public override {
        super.setUp();
        json = vm.readFile("tests/vectors/market_ids.json");
    }

    function test_request_id_is_the_hash_of_the_request() external {
        Request memory request = _request();
        token.transfer(request.client, 1e30);
        vm.prank(request.client);
        token.approve(address(registry), type(uint256).max);
        vm.prank(request.client);
        eq(RequestId.unwrap(market.requestStorage(request)), vm.parseJsonBytes32(json, ".requestId"), "request id");
    }

    function test_slot_ids_name_their_request_and_index() external view {
        RequestId id = RequestId.wrap(vm.parseJsonBytes32(json, ".requestId"));
        uint256[] memory indices = vm.parseJsonUintArray(json, ".slotIndices");
        bytes32[] memory ids = vm.parseJsonBytes32Array(json, ".slotIds");
        for (uint256 i; i < ids.length; ++i) {
            SlotId slotId = id.slotId(uint16(indices[i]));
            eq(SlotId.unwrap(slotId), ids[i], "slot id");
            eq(slotId.indexOf(), indices[i], "index");
            eq(RequestId.unwrap(slotId.requestOf()), RequestId.unwrap(id), "request of");
        }
    }

    function test_provider_id_is_fixed_by_the_block_before() external {
        address provider = vm.parseJsonAddress(json, ".provider");
        vm.setBlockhash(vm.getBlockNumber() - 1, vm.parseJsonBytes32(json, ".registrationHash"));
        vm.prank(provider);
        registry.register("http://provider");
        eq(registry.providerOf(provider).id, vm.parseJsonBytes32(json, ".providerId"), "provider id");
    }

    function test_distances_are_measured_from_each_reservations_own_position() external {
        Request memory request = _request();
        token.transfer(request.client, 1e30);
        vm.prank(request.client);
        token.approve(address(registry), type(uint256).max);
        vm.prank(request.client);
        RequestId id = market.requestStorage(request);
        vm.setBlockhash(vm.getBlockNumber(), vm.parseJsonBytes32(json, ".seed"));
        uint256 seedBlock = vm.getBlockNumber();
        bytes32[] memory positions = vm.parseJsonBytes32Array(json, ".a0s");
        advance(1);
        vm.setBlockhash(seedBlock, vm.parseJsonBytes32(json, ".seed"));
        (bytes32 providerId,) = registry.placementOf(hosts[0]);
        for (uint256 i; i < 2; ++i) {
            (uint256 distance,) = market.placementOf(hosts[0], id, 4);
            eq(bytes32(distance) ^ providerId, positions[i], "A0");
            if (i == 1) break;
            vm.warp(vm.getBlockTimestamp() + request.expiry / 2);
            vm.prank(hosts[1]);
            market.reserveSlot(id, 4);
            vm.warp(vm.getBlockTimestamp() + config().reserveSeconds);
            market.closeReservation(id.slotId(4));
        }
    }

    function test_challenge_entropy_and_lottery() external {
        uint256 start = (vm.getBlockNumber() / config().periodBlocks + 1) * config().periodBlocks;
        vm.roll(start + 1);
        vm.setBlockhash(start, vm.parseJsonBytes32(json, ".seed"));
        SlotId slotId = SlotId.wrap(vm.parseJsonBytes32Array(json, ".slotIds")[2]);
        bytes32 challenge = market.challengeOf(slotId, market.currentPeriod());
        eq(challenge, vm.parseJsonBytes32(json, ".challenge"), "challenge");
        eq(PublicInputs.entropy(challenge), vm.parseJsonUint(json, ".entropy"), "entropy");
        uint256[] memory bounds = vm.parseJsonUintArray(json, ".lotteryBounds");
        uint256[] memory chances = vm.parseJsonUintArray(json, ".probabilities");
        for (uint256 i; i < bounds.length; ++i) {
            eq(type(uint256).max / chances[i], bounds[i], "bound");
        }
    }

    function test_fuzz_entropy_is_the_first_31_bytes_as_a_little_endian_number(bytes32 challenge) external pure {
        uint256 entropy;
        for (uint256 i = 31; i > 0; --i) {
            entropy = entropy << 8 | uint8(challenge[i - 1]);
        }
        eq(PublicInputs.entropy(challenge), entropy, "entropy");
    }

    function _request() internal view returns (Request memory request) {
        request.client = vm.parseJsonAddress(json, ".request.client");
        request.ask = Ask({
            proofProbability: uint16(vm.parseJsonUint(json, ".request.ask.proofProbability")),
            slots: uint16(vm.parseJsonUint(json, ".request.ask.slots")),
            maxSlotLoss: uint16(vm.parseJsonUint(json, ".request.ask.maxSlotLoss")),
            repairThreshold: uint16(vm.parseJsonUint(json, ".request.ask.repairThreshold")),
            dispersal: uint16(vm.parseJsonUint(json, ".request.ask.dispersal")),
            slotSize: uint64(vm.parseJsonUint(json, ".request.ask.slotSize")),
            duration: uint40(vm.parseJsonUint(json, ".request.ask.duration")),
            pricePerBytePerSecond: uint128(vm.parseJsonUint(json, ".request.ask.pricePerBytePerSecond")),
            collateralPerByte: uint128(vm.parseJsonUint(json, ".request.ask.collateralPerByte"))
        });
        request.content =
            Content(vm.parseJsonBytes32(json, ".request.content.cid"), vm.parseJsonUint(json, ".request.content.root"));
        request.expiry = uint40(vm.parseJsonUint(json, ".request.expiry"));
        request.nonce = vm.parseJsonBytes32(json, ".request.nonce");
    }
}
