// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {IMarketplace, RequestRecord, SlotRecord} from "../../contracts/interfaces/IMarketplace.sol";
import {Provider} from "../../contracts/interfaces/IStakeRegistry.sol";
import {Period, Request, RequestId, SlotId, SlotState} from "../../contracts/libraries/Types.sol";
import {Vm} from "./Cheats.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice Random histories of a request: after every step the vault owes exactly what it holds and the books agree, and in
/// the end time alone lets anybody close everything, and everybody is paid to the last unit.
contract ConservationTest is MarketTest {
    uint256 internal constant STEPS = 50;

    RequestId internal id;
    uint16 internal slots;
    uint256 internal collateral;

    uint256 internal constant KINDS = 10;

    function testFuzz_every_unit_is_owed_to_somebody(uint256 seed) external {
        _begin(seed);
        for (uint256 step; step < STEPS; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            _act(seed);
            _checkBooks();
        }
        advance(config().maxDuration / BLOCK_SECONDS / 2);
        wrapUp(id);
        _checkBooks();
        eq(registry.poolOf(address(market)), 0, "what the market keeps");
        _payOut();
        eq(token.balanceOf(address(registry)), 0, "what the vault keeps");
        eq(registry.liabilities(), 0, "what the vault owes");
    }

    /// @dev Random histories are of no use if they never get far: some of the first ones see every event a call can bring.
    function test_histories_get_everywhere() external {
        vm.recordLogs();
        for (uint256 run; run < 30; ++run) {
            uint256 seed = uint256(keccak256(abi.encode(run)));
            _begin(seed);
            for (uint256 step; step < STEPS; ++step) {
                seed = uint256(keccak256(abi.encode(seed)));
                _act(seed);
            }
        }
        Vm.Log[] memory logs = vm.getRecordedLogs();
        bytes32[9] memory wanted = [
            IMarketplace.ReservationForfeited.selector,
            IMarketplace.SlotFilled.selector,
            IMarketplace.RequestStarted.selector,
            IMarketplace.ProofSubmitted.selector,
            IMarketplace.ProofMissed.selector,
            IMarketplace.SlotLost.selector,
            IMarketplace.RepairOpened.selector,
            IMarketplace.RequestFailed.selector,
            IMarketplace.PayClaimed.selector
        ];
        for (uint256 i; i < wanted.length; ++i) {
            uint256 seen;
            for (uint256 j; j < logs.length; ++j) {
                if (logs[j].topics[0] == wanted[i]) ++seen;
            }
            isTrue(seen != 0, string.concat("never seen: event ", Strings.toString(i)));
        }
    }

    function _begin(uint256 seed) internal {
        Request memory request = exampleRequest();
        request.nonce = bytes32(seed);
        slots = uint16(within(seed >> 8, 1, 5));
        request.ask.slots = slots;
        request.ask.maxSlotLoss = uint16(within(seed >> 16, 0, slots - 1));
        request.ask.repairThreshold =
            uint16(within(seed >> 24, 1, request.ask.maxSlotLoss == 0 ? 1 : request.ask.maxSlotLoss));
        request.ask.proofProbability = uint16(within(seed >> 32, 1, 2));
        // Odd amounts: every share is rounded.
        request.ask.slotSize = uint64(within(seed >> 40, 1, 1e6)) | 1;
        request.ask.pricePerBytePerSecond += 1;
        request.ask.collateralPerByte += 7;
        collateral = collateralOf(request);
        id = seed & 1 == 0 ? postAndOpen(request) : start(request);
    }

    function _act(uint256 seed) internal {
        uint16 index = uint16((seed >> 8) % slots);
        SlotId slotId = id.slotId(index);
        uint256 kind = (seed >> 16) % KINDS;
        address host = market.slotOf(slotId).host;
        address who = host == address(0) ? hosts[seed % hosts.length] : host;
        Period now_ = market.currentPeriod();
        bytes memory data;
        uint256 owed = registry.liabilities();
        if (kind == 0 || kind >= 8) {
            advance(within(seed >> 32, 1, 25));
            return;
        }
        if (kind == 1) {
            data = abi.encodeCall(market.reserveSlot, (id, index));
            who = hosts[seed % hosts.length];
        } else if (kind == 2) {
            data = abi.encodeCall(market.fillSlot, (slotId, anyProof()));
        } else if (kind == 3) {
            data = abi.encodeCall(market.submitProof, (slotId, now_, anyProof()));
        } else if (kind <= 5) {
            Period missed = Period.wrap(Period.unwrap(now_) - uint64(within(seed >> 32, 1, 4)));
            data = abi.encodeCall(market.markProofMissing, (slotId, missed));
            who = validator;
        } else if (kind == 6) {
            data = abi.encodeCall(market.claim, (slotId));
        } else {
            data = abi.encodeCall(market.closeReservation, (slotId));
        }
        vm.prank(who);
        // Most calls do not apply at their moment: they revert, and must change nothing.
        (bool taken,) = address(market).call(data);
        if (!taken) eq(registry.liabilities(), owed, "a refused call");
    }

    function _checkBooks() internal view {
        RequestRecord memory request = market.requestOf(id);
        (uint256 pots, uint256 active, uint256 filled, uint256 vacant, uint256 locked) = (0, 0, 0, 0, 0);
        for (uint16 i; i < slots; ++i) {
            SlotRecord memory slot = market.slotOf(id.slotId(i));
            pots += slot.pot;
            if (slot.state == SlotState.Filled) {
                ++filled;
                locked += collateral - collateral * config().slashBps / 10_000 * slot.misses;
            }
            if (slot.state == SlotState.Reserved) locked += collateral;
            if (slot.vacatedAt != 0) ++vacant;
            isTrue(
                (slot.host != address(0)) == (slot.state == SlotState.Filled || slot.state == SlotState.Reserved),
                "host"
            );
            if (slot.host == address(0)) continue;
            ++active;
            for (uint16 other; other < i; ++other) {
                isTrue(market.slotOf(id.slotId(other)).host != slot.host, "one host, one slot");
            }
        }
        if (!request.closed) eq(request.pots, pots, "pots");
        eq(request.active, active, "active");
        eq(request.filled, filled, "filled");
        eq(request.vacant, vacant, "vacant");
        if (request.repairOpenedAt != 0) isTrue(vacant != 0, "a repair without a vacancy");
        eq(registry.poolOf(address(market)), request.unspent + request.pots, "pool");
        eq(_stakes(locked) + _credits() + registry.poolOf(address(market)), registry.liabilities(), "liabilities");
        eq(token.balanceOf(address(registry)), registry.liabilities(), "tokens");
    }

    function _stakes(uint256 expectedLocked) internal view returns (uint256 sum) {
        uint256 locked;
        for (uint256 i; i < hosts.length; ++i) {
            Provider memory provider = registry.providerOf(hosts[i]);
            locked += provider.locked;
            sum += uint256(provider.free) + provider.locked + provider.unbonding;
        }
        eq(locked, expectedLocked, "locked");
    }

    function _credits() internal view returns (uint256 sum) {
        for (uint256 i; i < hosts.length; ++i) {
            sum += registry.creditOf(hosts[i]);
        }
        sum += registry.creditOf(client) + registry.creditOf(validator) + registry.creditOf(sink);
    }

    function _payOut() internal {
        for (uint256 i; i < hosts.length; ++i) {
            uint256 free = registry.providerOf(hosts[i]).free;
            vm.prank(hosts[i]);
            registry.unstake(free);
        }
        advanceSeconds(1 days);
        for (uint256 i; i < hosts.length; ++i) {
            vm.prank(hosts[i]);
            registry.collectUnbonded();
            _withdraw(hosts[i]);
        }
        _withdraw(client);
        _withdraw(validator);
        _withdraw(sink);
    }

    function _withdraw(address account) internal {
        if (registry.creditOf(account) == 0) return;
        vm.prank(account);
        registry.withdraw(account);
    }
}
