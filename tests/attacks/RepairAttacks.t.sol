// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Marketplace} from "../../contracts/Marketplace.sol";
import {StakeRegistry} from "../../contracts/StakeRegistry.sol";
import {Groth16Proof, IGroth16Verifier} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {IMarketplace, MarketConfig} from "../../contracts/interfaces/IMarketplace.sol";
import {StakeConfig} from "../../contracts/interfaces/IStakeRegistry.sol";
import {Period, Request, RequestId} from "../../contracts/libraries/Types.sol";
import {AttackTest} from "./AttackTest.sol";

/// @notice Bounties for work that nobody needed, or nobody did.
contract RepairAttacks is AttackTest {
    function test_waiting_with_a_reservation_earns_no_more_bounty() external {
        uint256 quick = _repairBounty(1);
        uint256 slow = _repairBounty(config().reserveSeconds / BLOCK_SECONDS - 1);
        isTrue(quick != 0, "a bounty");
        eq(slow, quick, "bounty");
    }

    function test_dropping_a_slot_to_repair_it_oneself_is_a_loss() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        uint256 collateral = collateralOf(request);
        // The host marks its own misses with one account and repairs with another, alone, as late as it pays most.
        uint256 wealth = wealthOf(hosts[1]) + wealthOf(validator) + wealthOf(hosts[4]);
        lose(id, 1);
        eq(stakeOf(hosts[1]), HOST_STAKE - collateral, "the whole collateral");
        advanceSeconds(config().repairWindow);
        fill(id, 1, hosts[4]);
        uint256 spent = wealth - wealthOf(hosts[1]) - wealthOf(validator) - wealthOf(hosts[4]);
        isTrue(spent * 10 >= collateral, "a tenth is lost at least");
        eq(registry.creditOf(hosts[4]), collateral / 2, "the bounty is capped");
    }

    function test_no_market_has_rewards_that_pay_for_dropping() external {
        IGroth16Verifier verifier = market.verifier();
        MarketConfig memory c = config();
        // A miss pays 10 % of 60 % in all, and what is slashed has to pay for that and the bounty.
        c.bountyBps = 8401;
        address[] memory modules = new address[](1);
        modules[0] = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        StakeRegistry vault = new StakeRegistry(token, StakeConfig(1, 1, 1 days, sink), modules);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_InvalidConfig.selector, "bountyBps"));
        new Marketplace(vault, verifier, c);
    }

    function test_no_repair_is_sold_so_late_that_a_bounty_costs_no_work() external {
        RequestId id = start(exampleRequest());
        lose(id, 1);
        uint256 end = endOf(id);
        // One second short of the term a repair needs.
        vm.roll(vm.getBlockNumber() + 1);
        vm.warp(end - config().repairWindow + 1);
        refused(abi.encodeWithSelector(IMarketplace.Marketplace_TermTooShort.selector, 599, 600));
        vm.prank(hosts[4]);
        market.reserveSlot(id, 1);
        vm.warp(end - config().repairWindow);
        reserve(id, 1, hosts[4]);
    }

    function test_no_repair_is_filled_so_late_that_a_bounty_costs_no_work() external {
        RequestId id = start(exampleRequest());
        lose(id, 1);
        uint256 end = endOf(id);
        vm.roll(vm.getBlockNumber() + 1);
        vm.warp(end - config().repairWindow);
        reserve(id, 1, hosts[4]);
        nextPeriod();
        refused(IMarketplace.Marketplace_TermTooShort.selector);
        vm.prank(hosts[4]);
        market.fillSlot(id.slotId(1), anyProof());
    }

    function test_a_bounty_is_earned_once() external {
        Request memory request = exampleRequest();
        RequestId id = start(request);
        lose(id, 1);
        advanceSeconds(config().repairWindow);
        fill(id, 1, hosts[3]);
        uint256 pots = market.requestOf(id).pots;
        eq(pots, 0, "the bounty, and the rest to the client");
        // It drops the slot in turn: what the next one gets is out of its own collateral.
        uint256 wealth = wealthOf(hosts[3]);
        lose(id, 1);
        eq(wealth - wealthOf(hosts[3]), collateralOf(request), "slashed");
        eq(market.requestOf(id).pots, collateralOf(request) * 94 / 100, "the next pot");
        advanceSeconds(config().repairWindow);
        fill(id, 1, hosts[4]);
        advanceSeconds(1 days);
        wrapUp(id);
        nothingStranded();
    }

    function test_a_copied_proof_of_the_host_before_wins_a_slot_and_no_money() external {
        // The slot is lost in the very period in which its host proved it: that proof fills it again. Whoever takes the
        // slot so, without data, is a host that discards its data: the next challenges take its collateral.
        demandProofs();
        Request memory request = exampleRequest();
        RequestId id = startProven(request);
        Period[3] memory missed = [nextPeriod(), nextPeriod(), nextPeriod()];
        Period current = nextPeriod();
        Groth16Proof memory proof = proofOf(id, 1);
        vm.prank(hosts[1]);
        market.submitProof(id.slotId(1), current, proof);
        for (uint256 i; i < 3; ++i) {
            mark(id, 1, missed[i]);
        }
        vm.roll(vm.getBlockNumber() + 2);
        vm.warp(now_() + config().repairWindow); // never so fast: to the thief's advantage
        uint256 wealth = wealthOf(hosts[4]) + wealthOf(validator);
        reserve(id, 1, hosts[4]);
        vm.prank(hosts[4]);
        market.fillSlot(id.slotId(1), proof);
        for (uint256 i; i < config().maxMisses; ++i) {
            Period next = nextPeriod();
            nextPeriod();
            mark(id, 1, next);
        }
        uint256 left = wealthOf(hosts[4]) + wealthOf(validator);
        isTrue(wealth - left >= collateralOf(request) * 4 / 10, "it loses, its own validator included");
    }

    // --- what these tests are made of ---

    function _repairBounty(uint256 blocks) internal returns (uint256 bounty) {
        Request memory request = exampleRequest();
        request.nonce = bytes32(blocks);
        RequestId id = start(request);
        lose(id, 1);
        advanceSeconds(config().repairWindow / 2);
        vm.roll(vm.getBlockNumber() + 8192); // the seed out of reach: anyone may reserve at half time
        uint256 credit = registry.creditOf(hosts[4]);
        reserve(id, 1, hosts[4]);
        advance(blocks);
        if (vm.getBlockNumber() % config().periodBlocks == 0) vm.roll(vm.getBlockNumber() + 1);
        vm.prank(hosts[4]);
        market.fillSlot(id.slotId(1), anyProof());
        bounty = registry.creditOf(hosts[4]) - credit;
    }
}
