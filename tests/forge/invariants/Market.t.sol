// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {IMarketplace, MarketConfig} from "../../../contracts/interfaces/IMarketplace.sol";
import {IStakeRegistry} from "../../../contracts/interfaces/IStakeRegistry.sol";
import {RequestId, SlotState} from "../../../contracts/libraries/Types.sol";
import {Attackers} from "./Attackers.sol";
import {Clock} from "./Clock.sol";
import {Story} from "./Ghosts.sol";
import {Stakers} from "./Stakers.sol";

/// @notice Histories of a market: many requests, everybody who has a part in them, and those who would like to. The books
/// balance after every step, and everything can be brought to its end.
contract MarketInvariants is Attackers, Stakers, Clock {
    uint256 internal constant STEPS = 2000;

    function config() internal view virtual override returns (MarketConfig memory c) {
        c = super.config();
        c.maxDuration = 8 hours;
        c.minExtension = 10 minutes;
    }

    /// @dev Each step checks that what it brought about was due; this checks that the market has it in its books.
    function invariant_books() external override {
        checkVault();
        checkLocks();
        for (uint256 i; i < open.length; ++i) {
            checkRequest(open[i]);
        }
        if (shut.length != 0) checkClosed(shut[steps % shut.length]);
    }

    /// @dev Histories are of no use if they never get far: these see every event there is, and little time is lost.
    function test_histories_get_everywhere() external {
        _history(STEPS);
        _sawEverything();
        for (uint256 kind; kind <= uint256(type(Kind).max); ++kind) {
            isTrue(done[Kind(kind)] != 0, string.concat("never done: kind ", Strings.toString(kind)));
        }
        isTrue(refused > STEPS / 4 && chaosDone != 0 && chaosRefused != 0, "attackers try");
        isTrue(idle < STEPS * 2 / 5, string.concat("idle steps: ", Strings.toString(idle)));
    }

    function _sawEverything() private view {
        bytes32[29] memory events = [
            IMarketplace.StorageRequested.selector,
            IMarketplace.SlotReserved.selector,
            IMarketplace.ReservationForfeited.selector,
            IMarketplace.ReservationReleased.selector,
            IMarketplace.SlotFilled.selector,
            IMarketplace.RequestStarted.selector,
            IMarketplace.ProofSubmitted.selector,
            IMarketplace.ProofMissed.selector,
            IMarketplace.SlotLost.selector,
            IMarketplace.RepairOpened.selector,
            IMarketplace.RequestFailed.selector,
            IMarketplace.PayClaimed.selector,
            IMarketplace.SlotSettled.selector,
            IMarketplace.SlotDeparted.selector,
            IMarketplace.RequestExtended.selector,
            IMarketplace.ExtensionAccepted.selector,
            IMarketplace.FunderRefunded.selector,
            IMarketplace.RequestClosed.selector,
            IStakeRegistry.Registered.selector,
            IStakeRegistry.EndpointChanged.selector,
            IStakeRegistry.Deposited.selector,
            IStakeRegistry.UnstakeStarted.selector,
            IStakeRegistry.Unbonded.selector,
            IStakeRegistry.Locked.selector,
            IStakeRegistry.Unlocked.selector,
            IStakeRegistry.Slashed.selector,
            IStakeRegistry.Credited.selector,
            IStakeRegistry.Withdrawn.selector,
            IStakeRegistry.Pulled.selector
        ];
        for (uint256 i; i < events.length; ++i) {
            isTrue(seen[events[i]] != 0, string.concat("never seen: event ", Strings.toString(i)));
        }
    }

    // --- steps ---

    function _moves() internal pure override returns (bytes4[] memory moves) {
        bytes4[28] memory all = [
            this.clientPosts.selector,
            this.funderExtends.selector,
            this.funderExtends.selector,
            this.hostReserves.selector,
            this.hostFills.selector,
            this.hostsRush.selector,
            this.hostsRush.selector,
            this.hostsRush.selector,
            this.hostProves.selector,
            this.hostProvesBatch.selector,
            this.hostsServe.selector,
            this.hostsServe.selector,
            this.hostsServe.selector,
            this.hostsServe.selector,
            this.hostClaims.selector,
            this.hostAccepts.selector,
            this.stakerActs.selector,
            this.validatorMarks.selector,
            this.validatorMarksBatch.selector,
            this.validatorSweeps.selector,
            this.strangerSettles.selector,
            this.strangerCloses.selector,
            this.attackerReaches.selector,
            this.attackerTries.selector,
            this.attackerForges.selector,
            this.attackerSends.selector,
            this.timePasses.selector,
            this.timePasses.selector
        ];
        moves = new bytes4[](all.length);
        for (uint256 i; i < all.length; ++i) {
            moves[i] = all[i];
        }
    }

    /// @dev Time alone lets anybody bring everything to its end, and everybody is paid to the last unit.
    function _finish() internal override {
        vm.recordLogs();
        // Nobody accepts anything now: past the longest end there is, the settlement and the longest reservation.
        advanceSeconds(rules.maxDuration + rules.settleSeconds + rules.reserveSeconds);
        while (open.length != 0) {
            RequestId id = open[open.length - 1];
            Story storage story = stories[id];
            for (uint16 i; i < story.slots; ++i) {
                SlotState state = seatOf(id, i).state;
                if (state == SlotState.Reserved) market.closeReservation(id.slotId(i));
                else if (state == SlotState.Filled) market.settle(id.slotId(i));
            }
            _digest();
            checkRequest(id);
            _must(Kind.CloseRequest, stranger, address(market), abi.encodeCall(market.closeRequest, (id)));
        }
        for (uint256 i; i < shut.length; ++i) {
            checkClosed(shut[i]);
        }
        eq(registry.poolOf(address(market)), 0, "what the market keeps");
        checkVault();
        _payOut();
        eq(registry.liabilities(), 0, "what the vault owes in the end");
        eq(token.balanceOf(address(registry)), unasked, "what the vault keeps in the end");
    }

    function _payOut() private {
        for (uint256 i; i < hosts.length; ++i) {
            uint256 free = registry.providerOf(hosts[i]).free;
            if (free == 0) continue;
            vm.prank(hosts[i]);
            registry.unstake(free);
        }
        advanceSeconds(1 days);
        for (uint256 i; i < accounts.length; ++i) {
            uint256 unbonding = registry.providerOf(accounts[i]).unbonding;
            if (unbonding != 0) {
                vm.prank(accounts[i]);
                registry.collectUnbonded();
                (staked[accounts[i]], credited[accounts[i]]) = (0, credited[accounts[i]] + unbonding);
            }
            if (credited[accounts[i]] != 0) _withdraw(accounts[i]);
        }
    }
}

/// @notice The same market with other rules: one miss costs everything at once, what can be marked is soon over, reservations are long and dear.
contract HarshMarketInvariants is MarketInvariants {
    function config() internal view override returns (MarketConfig memory c) {
        c = super.config();
        c.periodBlocks = 7;
        c.markBlocks = 20;
        c.settleSeconds = 648;
        c.maxMisses = 1;
        c.slashBps = 3333;
        c.validatorBps = 0;
        c.bountyBps = 9000;
        c.bondBps = 3001;
        c.reserveSeconds = 1000;
        c.repairWindow = 100;
        c.minTermPeriods = 0;
        c.minExtension = 84;
    }
}
