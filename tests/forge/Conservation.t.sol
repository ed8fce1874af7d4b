// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IMarketplace, RequestRecord, SlotRecord} from "../../contracts/interfaces/IMarketplace.sol";
import {Period, Request, RequestId, RequestState, SlotId, SlotState} from "../../contracts/libraries/Types.sol";
import {Ground} from "./Ground.sol";

/// @notice Random histories of one request with six providers: the vault owes exactly what it holds after every step, and
/// in the end everybody can be paid out to the last unit.
contract ConservationTest is Ground {
    uint256 internal constant PROVIDERS = 6;
    RequestId internal id;

    function setUp() public override {
        super.setUp();
        for (uint256 n; n < PROVIDERS; ++n) join(n);
        advance(1);
        vm.prank(CLIENT);
        id = market.requestStorage(request());
        advance(1);
    }

    function testFuzzEveryUnitIsOwedToSomebody(uint256 seed) public {
        for (uint256 step; step < 60; ++step) {
            seed = uint256(keccak256(abi.encode(seed, step)));
            _act(seed);
            _checkBooks();
        }
        _wind();
        _checkBooks();
        assertEq(registry.poolOf(address(market)), 0);
        _payOut();
        assertEq(token.balanceOf(address(registry)), 0);
    }

    function _act(uint256 seed) internal {
        address who = provider(seed % PROVIDERS);
        uint16 index = uint16((seed >> 8) % 3);
        SlotId slot = id.slotId(index);
        uint256 kind = (seed >> 16) % 8;
        uint64 period = Period.unwrap(market.currentPeriod());
        vm.startPrank(who);
        if (kind == 0) {
            advance(1 + (seed >> 32) % 30);
        } else if (kind <= 2) {
            try market.reserveSlot(id, index) {} catch {}
        } else if (kind == 3) {
            SlotRecord memory record = market.slotOf(slot);
            vm.stopPrank();
            vm.startPrank(record.host);
            try market.fillSlot(slot, proof()) {} catch {}
        } else if (kind == 4) {
            SlotRecord memory record = market.slotOf(slot);
            vm.stopPrank();
            vm.startPrank(record.host);
            try market.submitProof(slot, Period.wrap(period), proof()) {} catch {}
        } else if (kind == 5) {
            try market.markProofMissing(slot, Period.wrap(period - 1 - uint64((seed >> 40) % 4))) {} catch {}
        } else if (kind == 6) {
            try market.claim(slot) {} catch {}
        } else {
            try market.closeReservation(slot) {} catch {}
        }
        vm.stopPrank();
    }

    function _checkBooks() internal view {
        assertEq(token.balanceOf(address(registry)), registry.liabilities());
        RequestRecord memory r = market.requestOf(id);
        uint256 pots;
        uint256 active;
        uint256 filled;
        for (uint16 i; i < 3; ++i) {
            SlotRecord memory s = market.slotOf(id.slotId(i));
            pots += s.pot;
            if (s.state == SlotState.Filled) ++filled;
            if (s.host != address(0)) ++active;
        }
        if (!r.closed) assertEq(r.pots, pots);
        assertEq(r.active, active);
        assertEq(r.filled, filled);
        assertEq(registry.poolOf(address(market)), r.unspent + r.pots);
    }

    /// @dev Whatever happened, time alone lets anybody close everything.
    function _wind() internal {
        advance(20_000);
        for (uint16 i; i < 3; ++i) {
            SlotId slot = id.slotId(i);
            SlotState state = market.slotOf(slot).state;
            if (state == SlotState.Reserved) market.closeReservation(slot);
            if (state == SlotState.Filled) market.settle(slot);
        }
        market.closeRequest(id);
        assertTrue(market.requestOf(id).state != RequestState.New);
    }

    function _payOut() internal {
        for (uint256 n; n < PROVIDERS; ++n) {
            address who = provider(n);
            uint256 free = registry.providerOf(who).free;
            assertEq(registry.providerOf(who).locked, 0);
            vm.prank(who);
            registry.unstake(free);
        }
        advance(1 days);
        for (uint256 n; n < PROVIDERS; ++n) {
            vm.startPrank(provider(n));
            registry.collectUnbonded();
            registry.withdraw(provider(n));
            vm.stopPrank();
        }
        vm.prank(CLIENT);
        registry.withdraw(CLIENT);
        if (registry.creditOf(SINK) != 0) {
            vm.prank(SINK);
            registry.withdraw(SINK);
        }
    }
}
