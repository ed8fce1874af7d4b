// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Marketplace} from "../../contracts/Marketplace.sol";
import {StakeRegistry} from "../../contracts/StakeRegistry.sol";
import {IGroth16Verifier} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {IMarketplace, MarketConfig} from "../../contracts/interfaces/IMarketplace.sol";
import {IStakeRegistry, StakeConfig} from "../../contracts/interfaces/IStakeRegistry.sol";
import {Amount, AskField, Request, RequestId, RequestState, SlotState} from "../../contracts/libraries/Types.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice The largest, smallest and oddest asks and configurations: refused by name, or sound to the end.
contract ExtremesTest is MarketTest {
    function test_amounts_beyond_128_bits_are_refused_by_name() external {
        Request memory request = exampleRequest();
        request.ask.pricePerBytePerSecond = type(uint128).max;
        request.ask.slotSize = 2;
        _refused(request, abi.encodeWithSelector(IMarketplace.Marketplace_AmountTooLarge.selector, Amount.Rate));

        request = exampleRequest();
        request.ask.slotSize = 1;
        request.ask.pricePerBytePerSecond = type(uint128).max / 3 / 1 days + 1;
        _refused(request, abi.encodeWithSelector(IMarketplace.Marketplace_AmountTooLarge.selector, Amount.Price));

        request = exampleRequest();
        request.ask.slotSize = 1;
        request.ask.collateralPerByte = type(uint128).max / 3 + 1;
        _refused(request, abi.encodeWithSelector(IMarketplace.Marketplace_AmountTooLarge.selector, Amount.Collateral));

        request.ask.slotSize = type(uint64).max;
        request.ask.collateralPerByte = type(uint128).max;
        request.ask.pricePerBytePerSecond = type(uint128).max;
        _refused(request, abi.encodeWithSelector(IMarketplace.Marketplace_AmountTooLarge.selector, Amount.Rate));
    }

    function test_the_largest_amounts_go_through_a_whole_story() external {
        Request memory request = exampleRequest();
        request.ask.slotSize = 1;
        request.ask.pricePerBytePerSecond = type(uint128).max / 3 / 1 days;
        request.ask.collateralPerByte = type(uint128).max / 3;
        for (uint256 i; i < hosts.length; ++i) {
            token.transfer(hosts[i], type(uint128).max);
            vm.prank(hosts[i]);
            registry.deposit(type(uint128).max - HOST_STAKE);
        }
        token.transfer(client, type(uint128).max);
        advance(1);
        RequestId id = start(request);
        lose(id, 0);
        lose(id, 1); // fails the request
        isTrue(market.requestOf(id).state == RequestState.Failed, "failed");
        wrapUp(id);
        eq(registry.poolOf(address(market)), 0, "pool");
        eq(token.balanceOf(address(registry)), registry.liabilities(), "tokens");
    }

    function test_the_largest_bounty_is_paid() external {
        Request memory request = exampleRequest();
        request.ask.slotSize = 1;
        request.ask.collateralPerByte = type(uint128).max / 3;
        for (uint256 i; i < hosts.length; ++i) {
            token.transfer(hosts[i], type(uint128).max);
            vm.prank(hosts[i]);
            registry.deposit(type(uint128).max - HOST_STAKE);
        }
        advance(1);
        RequestId id = start(request);
        lose(id, 0);
        advanceSeconds(config().repairWindow);
        fill(id, 0, hosts[4]);
        eq(registry.creditOf(hosts[4]), collateralOf(request) * 5000 / 10_000, "bounty");
        advanceSeconds(1 days);
        wrapUp(id);
        eq(registry.poolOf(address(market)), 0, "pool");
    }

    function test_stake_is_bounded_by_what_128_bits_hold() external {
        token.transfer(hosts[0], type(uint128).max);
        uint256 room = type(uint128).max - HOST_STAKE;
        vm.expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_AmountTooLarge.selector, room + 1, room));
        vm.prank(hosts[0]);
        registry.deposit(room + 1);
        vm.prank(hosts[0]);
        registry.unstake(1);
        vm.expectRevert(abi.encodeWithSelector(IStakeRegistry.StakeRegistry_AmountTooLarge.selector, room + 1, room));
        vm.prank(hosts[0]);
        registry.deposit(room + 1);
        vm.prank(hosts[0]);
        registry.deposit(room);
    }

    function test_256_slots_have_ids_of_their_own() external {
        Request memory request = exampleRequest();
        request.ask.slots = 256;
        RequestId id = postAndOpen(request);
        fill(id, 255, hosts[0]);
        isTrue(market.slotOf(id.slotId(255)).state == SlotState.Filled, "the last slot");
        isTrue(market.slotOf(id.slotId(0)).state == SlotState.Free, "the first slot");
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_NoSuchSlot.selector, 256, 256));
        vm.prank(hosts[1]);
        market.reserveSlot(id, 256);
        advanceSeconds(1 hours);
        wrapUp(id);
    }

    function test_every_dispersal_and_probability_can_be_sold() external {
        uint16[5] memory dispersals = [uint16(100), 2500, 5000, 7500, 9900];
        uint16[5] memory probabilities = [uint16(1), 2, 100, 40_000, 65_535];
        for (uint256 i; i < 5; ++i) {
            Request memory request = exampleRequest();
            request.nonce = bytes32(i);
            request.ask.dispersal = dispersals[i];
            request.ask.proofProbability = probabilities[i];
            RequestId id = post(request);
            advance(2);
            market.placementOf(hosts[0], id, 0);
            advanceSeconds(request.expiry / 2);
            fill(id, 0, hosts[i]);
            isTrue(probabilities[i] != 1 || market.isProofRequired(id.slotId(0), nextPeriod()), "always at p = 1");
        }
    }

    function test_an_invalid_ask_names_its_field() external {
        for (uint256 i; i < 15; ++i) {
            Request memory request = exampleRequest();
            AskField field;
            if (i == 0) (request.ask.slots, field) = (0, AskField.Slots);
            if (i == 1) (request.ask.slots, field) = (257, AskField.Slots);
            if (i == 2) (request.ask.maxSlotLoss, field) = (3, AskField.MaxSlotLoss);
            if (i == 3) (request.ask.repairThreshold, field) = (0, AskField.RepairThreshold);
            if (i == 4) (request.ask.repairThreshold, field) = (2, AskField.RepairThreshold);
            if (i == 5) (request.ask.slotSize, field) = (0, AskField.SlotSize);
            if (i == 6) (request.content.root, field) = (0, AskField.Root);
            if (i == 7) (request.content.root, field) = (SCALAR_ORDER, AskField.Root);
            if (i == 8) (request.expiry, field) = (0, AskField.Expiry);
            if (i == 9) (request.expiry, field) = (1 days, AskField.Expiry);
            if (i == 10) (request.ask.proofProbability, field) = (0, AskField.ProofProbability);
            if (i == 11) (request.ask.dispersal, field) = (99, AskField.Dispersal);
            if (i == 12) (request.ask.dispersal, field) = (9901, AskField.Dispersal);
            if (i == 13) (request.ask.collateralPerByte, field) = (0, AskField.CollateralPerByte);
            if (i == 14) (request.ask.duration, field) = (30 days + 1, AskField.Duration);
            _refused(request, abi.encodeWithSelector(IMarketplace.Marketplace_InvalidAsk.selector, field));
        }
        Request memory largest = exampleRequest();
        largest.content.root = SCALAR_ORDER - 1;
        largest.expiry = 1 days - 1;
        post(largest);
    }

    function test_an_invalid_configuration_names_its_field() external {
        for (uint256 i; i < 24; ++i) {
            MarketConfig memory c = config();
            string memory field;
            if (i == 0) (c.periodBlocks, field) = (1, "periodBlocks");
            if (i == 1) (c.periodBlocks, field) = (8192, "periodBlocks");
            if (i == 2) (c.markBlocks, field) = (0, "markBlocks");
            if (i == 3) (c.markBlocks, field) = (321, "markBlocks");
            if (i == 4) (c.markBlocks, field) = (type(uint64).max, "markBlocks");
            if (i == 5) (c.blockSeconds, field) = (0, "blockSeconds");
            if (i == 6) (c.blockSeconds, field) = (type(uint64).max, "blockSeconds");
            if (i == 7) (c.settleSeconds, field) = (1199, "settleSeconds");
            if (i == 8) (c.settleSeconds, field) = (type(uint64).max, "settleSeconds");
            if (i == 9) (c.maxMisses, field) = (0, "maxMisses");
            if (i == 10) (c.maxMisses, field) = (256, "maxMisses");
            if (i == 11) (c.slashBps, field) = (3334, "slashBps");
            if (i == 12) (c.validatorBps, field) = (10_001, "validatorBps");
            if (i == 13) (c.validatorBps, field) = (6667, "bountyBps");
            if (i == 14) (c.bountyBps, field) = (8401, "bountyBps");
            if (i == 15) (c.bondBps, field) = (10_001, "bondBps");
            if (i == 16) (c.reserveSeconds, field) = (0, "reserveSeconds");
            if (i == 17) (c.repairWindow, field) = (0, "repairWindow");
            if (i == 18) (c.minTermPeriods, field) = (type(uint64).max, "minTermPeriods");
            if (i == 19) (c.maxDuration, field) = (type(uint64).max, "maxDuration");
            if (i == 20) (c.maxDuration, field) = (type(uint32).max - c.reserveSeconds + 1, "maxDuration");
            if (i == 21) (c.minExtension, field) = (119, "minExtension");
            if (i == 22) (c.minExtension, field) = (uint64(type(uint32).max) + 1, "minExtension");
            if (i == 23) (c.maxDuration, field) = (1, "maxDuration");
            IStakeRegistry vault = _vaultOf(vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1));
            IGroth16Verifier verifier = market.verifier();
            vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_InvalidConfig.selector, field));
            new Marketplace(vault, verifier, c);
        }
    }

    function test_every_field_of_a_configuration_can_be_at_its_limit() external {
        IGroth16Verifier verifier = market.verifier();
        for (uint256 i; i < 16; ++i) {
            MarketConfig memory c = config();
            if (i == 0) (c.periodBlocks, c.markBlocks, c.settleSeconds) = (2, 64, 1584);
            if (i == 1) c.markBlocks = 1;
            if (i == 2) (c.blockSeconds, c.minExtension) = (1, 10);
            if (i == 3) c.settleSeconds = type(uint48).max;
            if (i == 4) (c.maxMisses, c.slashBps) = (1, 10_000);
            if (i == 5) (c.maxMisses, c.slashBps) = (255, 39);
            if (i == 6) (c.validatorBps, c.bountyBps) = (10_000, 3000);
            if (i == 7) c.bountyBps = 8400;
            if (i == 8) c.bondBps = 10_000;
            if (i == 9) c.reserveSeconds = 1;
            if (i == 10) c.repairWindow = 1;
            if (i == 11) c.repairWindow = type(uint32).max;
            if (i == 12) c.minTermPeriods = type(uint32).max;
            if (i == 13) c.maxDuration = 2;
            if (i == 14) c.maxDuration = type(uint32).max - c.reserveSeconds;
            if (i == 15) c.minExtension = type(uint32).max;
            IStakeRegistry vault = _vaultOf(vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1));
            new Marketplace(vault, verifier, c);
        }
    }

    function test_misses_stay_markable_as_long_as_their_block_hashes_are_kept_and_no_longer() external {
        MarketConfig memory c = config();
        (c.periodBlocks, c.markBlocks) = (4096, 8191 - 4096);
        c.settleSeconds = 2 * 8191 * uint64(BLOCK_SECONDS);
        c.minExtension = 4096 * uint64(BLOCK_SECONDS);
        IGroth16Verifier verifier = market.verifier();
        IStakeRegistry vault = _vaultOf(vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1));
        isTrue(address(new Marketplace(vault, verifier, c)).code.length != 0, "all that are kept");
        ++c.markBlocks;
        c.settleSeconds += 2 * uint64(BLOCK_SECONDS);
        vault = _vaultOf(vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1));
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_InvalidConfig.selector, "markBlocks"));
        new Marketplace(vault, verifier, c);
    }

    function test_a_market_needs_a_verifier_and_a_vault_that_knows_it() external {
        IGroth16Verifier verifier = market.verifier();
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_InvalidConfig.selector, "registry"));
        new Marketplace(registry, verifier, config());
        IStakeRegistry vault = _vaultOf(vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1));
        vm.expectRevert(abi.encodeWithSelector(IMarketplace.Marketplace_InvalidConfig.selector, "verifier"));
        new Marketplace(vault, IGroth16Verifier(stranger), config());
    }

    uint256 internal constant SCALAR_ORDER =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;

    function _vaultOf(address module) internal returns (IStakeRegistry) {
        address[] memory modules = new address[](1);
        modules[0] = module;
        return new StakeRegistry(token, StakeConfig(1, 1, 1 days, sink), modules);
    }

    function _refused(Request memory request, bytes memory reason) internal {
        vm.expectRevert(reason);
        vm.prank(client);
        market.requestStorage(request);
    }
}
